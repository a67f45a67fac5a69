// The root and the tenants' authorities: whether each is believed, which issues, and until when.
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { authorities, type Authority } from "../../api/certificates.ts";
import { named, t } from "../../i18n/index.ts";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { Mark, type Tone } from "../../parts/Mark.tsx";
import { Section } from "../../parts/Page.tsx";
import { Time } from "../../parts/Time.tsx";

const TONES: Readonly<Record<Authority["state"], Tone>> = { active: "ok", retiring: "warn", retired: "idle", revoked: "bad" };

const columns = (): Column<Authority>[] => [
  { id: "name", name: t("authority.name"), cell: (authority) => <strong>{authority.name}</strong> },
  { id: "tenant", name: t("board.tenant"), cell: (authority) => authority.tenant ?? <span className="faint">{t("authority.hub")}</span> },
  { id: "subject", name: t("authority.subject"), cell: (authority) => authority.subject, clip: true, minor: true },
  {
    id: "state",
    name: t("board.state"),
    cell: (authority) => (
      <Mark tone={TONES[authority.state]}>
        {named("authority-state", authority.state)}
        {authority.issues && <span className="faint"> · {t("authority.issues")}</span>}
        {!authority.own && <span className="faint"> · {t("authority.elsewhere")}</span>}
      </Mark>
    ),
  },
  { id: "end", name: t("board.certificate-end"), cell: (authority) => (authority.not_after == null ? t("time.no-end") : <Time at={authority.not_after} as="date" />) },
];

export function Authorities() {
  const list = useInfiniteQuery(authorities);
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]);
  const shown = useMemo(() => columns(), []);
  return (
    <Section title={t("authorities.title")} note={t("authorities.note")} flush>
      <DataTable
        name={t("authorities.title")}
        rows={rows}
        columns={shown}
        idOf={(authority) => authority.name}
        error={list.error}
        again={() => void list.refetch()}
        more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        empty={<Empty title={t("authorities.none")}>{t("authorities.none-why")}</Empty>}
      />
    </Section>
  );
}
