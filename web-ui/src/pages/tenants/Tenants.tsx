// The customers of the hub.
import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";

import { useMay } from "../../api/me.ts";
import { tenants, type ListedTenant } from "../../api/tenants.ts";
import { named, t } from "../../i18n/index.ts";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { amount } from "../../parts/Figures.tsx";
import { Mark } from "../../parts/Mark.tsx";
import { Page, Section } from "../../parts/Page.tsx";
import { Time } from "../../parts/Time.tsx";

const AddTenant = lazy(() => import("./AddTenant.tsx"));

const columns = (): Column<ListedTenant>[] => [
  {
    id: "name",
    name: t("tenant.name"),
    cell: (tenant) => (
      <Link to="/tenants/$tenant" params={{ tenant: tenant.id }} className="row-link">
        {tenant.name === "" ? tenant.id : tenant.name}
      </Link>
    ),
  },
  { id: "id", name: t("tenant.id"), cell: (tenant) => <code>{tenant.id}</code> },
  { id: "state", name: t("board.state"), cell: (tenant) => <Mark tone={tenant.state === "active" ? "ok" : "bad"}>{named("tenant-state", tenant.state)}</Mark> },
  { id: "boards", name: t("place.boards"), align: "right", cell: (tenant) => (tenant.boards == null ? "–" : amount(tenant.boards)) },
  { id: "created", name: t("board.created"), cell: (tenant) => <Time at={tenant.created} as="date" /> },
];

export default function Tenants() {
  const navigate = useNavigate();
  const may = useMay();
  const [adding, setAdding] = useState(false);
  const list = useInfiniteQuery(tenants);
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]);
  const shown = useMemo(() => columns(), []);
  const add = may("tenants:write", null) && <Button onClick={() => setAdding(true)}>{t("tenant.add")}</Button>;
  return (
    <Page title={t("place.tenants")} lead={t("tenants.lead")} actions={add}>
      <Section title={t("tenants.list")} flush>
        <DataTable
          name={t("tenants.list")}
          rows={rows}
          columns={shown}
          idOf={(tenant) => tenant.id}
          error={list.error}
          again={() => void list.refetch()}
          open={(tenant) => void navigate({ to: "/tenants/$tenant", params: { tenant: tenant.id } })}
          more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
          empty={
            <Empty title={t("tenants.none")} action={add}>
              {t("tenants.none-why")}
            </Empty>
          }
        />
      </Section>
      <Suspense>{adding && <AddTenant close={() => setAdding(false)} />}</Suspense>
    </Page>
  );
}
