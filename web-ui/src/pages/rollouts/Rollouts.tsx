// Rollouts: which release is on its way to how many boards, and how far each is; live.
import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";

import { useMay } from "../../api/me.ts";
import { rollouts, type Rollout } from "../../api/rollouts.ts";
import { t } from "../../i18n/index.ts";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { Page, Section } from "../../parts/Page.tsx";
import { Time } from "../../parts/Time.tsx";
import { RolloutMark, RolloutProgress } from "./RolloutMark.tsx";

const columns = (): Column<Rollout>[] => [
  {
    id: "name",
    name: t("rollout.name"),
    cell: (of) => (
      <Link to="/rollouts/$rollout" params={{ rollout: String(of.id) }} className="row-link">
        {of.name}
      </Link>
    ),
  },
  { id: "state", name: t("board.state"), cell: (of) => <RolloutMark state={of.state} /> },
  { id: "progress", name: t("rollout.progress"), cell: (of) => <RolloutProgress groups={of.groups} /> },
  { id: "group", name: t("rollout.group"), cell: (of) => of.groups[of.group]?.name ?? "" },
  {
    id: "release",
    name: t("release.release"),
    cell: (of) => (
      <Link to="/firmware/$release" params={{ release: String(of.release) }}>
        {of.release}
      </Link>
    ),
  },
  { id: "since", name: t("rollout.since"), cell: (of) => <Time at={of.since ?? of.created} /> },
];

export default function Rollouts() {
  const may = useMay();
  const navigate = useNavigate();
  const list = useInfiniteQuery(rollouts);
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]);
  const shown = useMemo(() => columns(), []);
  const add = may("rollouts:write") && (
    <Button component={Link} to="/rollouts/new">
      {t("rollout.add")}
    </Button>
  );
  return (
    <Page title={t("place.rollouts")} lead={t("rollouts.lead")} actions={add}>
      <Section title={t("rollouts.all")} flush>
        <DataTable
          name={t("rollouts.all")}
          rows={rows}
          columns={shown}
          idOf={(of) => String(of.id)}
          error={list.error}
          again={() => void list.refetch()}
          open={(of) => void navigate({ to: "/rollouts/$rollout", params: { rollout: String(of.id) } })}
          more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
          empty={
            <Empty title={t("rollouts.none")} action={add}>
              {t("rollouts.none-why")}
            </Empty>
          }
        />
      </Section>
    </Page>
  );
}
