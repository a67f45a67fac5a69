import { Select } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { tenants } from "../api/tenants.ts";
import { t } from "../i18n/index.ts";

type Props = { value: string | null; onChange: (tenant: string | null) => void; label?: string; everywhere?: boolean; error?: ReactNode };

export function TenantSelect({ value, onChange, label, everywhere = false, error }: Props) {
  const list = useInfiniteQuery(tenants);
  const names = (list.data?.pages ?? []).flatMap((page) => page.items.map((tenant) => ({ value: tenant.id, label: tenant.name === "" ? tenant.id : tenant.name })));
  return (
    <Select
      label={label ?? t("board.tenant")}
      data={names}
      value={value}
      onChange={onChange}
      searchable={names.length > 8}
      clearable={everywhere}
      placeholder={everywhere ? t("tenant.everywhere") : t("tenant.choose")}
      required={!everywhere}
      error={error}
      nothingFoundMessage={t("tenant.none-like")}
    />
  );
}
