// One rollout: how it is in words, how far each group is, and which boards are no further, and why.
import { Select } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { boardsAt, rollout, rolloutBoards, STEPS, type Rollout as Seen, type RolloutBoard, type RolloutGroup, type Step } from "../../api/rollouts.ts";
import { named, t } from "../../i18n/index.ts";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { amount, bytes, duration } from "../../parts/Figures.tsx";
import { Mark } from "../../parts/Mark.tsx";
import { Facts, Page, Section } from "../../parts/Page.tsx";
import { Time } from "../../parts/Time.tsx";
import { Waiting } from "../../parts/Waiting.tsx";
import { filterOf } from "../../search.ts";
import { Acts } from "./Acts.tsx";
import { RolloutMark, RolloutProgress } from "./RolloutMark.tsx";

export default function Rollout() {
  const { rollout: id } = useParams({ from: "/signed-in/rollouts/$rollout" });
  const seen = useQuery(rollout(Number(id)));
  const over = <Link to="/rollouts">{t("place.rollouts")}</Link>;
  if (seen.error !== null || seen.data === undefined) {
    return (
      <Page title={t("rollout.title", { number: id })} over={over}>
        {seen.error === null ? <Waiting /> : <FaultNote error={seen.error} again={() => void seen.refetch()} />}
      </Page>
    );
  }
  const of = seen.data;
  return (
    <Page
      title={of.name}
      over={over}
      lead={
        <>
          <RolloutMark state={of.state} /> {named("rollout-means", of.state)}
          {of.since != null && <> · <Time at={of.since} /></>}
          {of.why != null && <> · {of.why}</>}
        </>
      }
      actions={<Acts of={of} />}
    >
      <Groups of={of} />
      <Boards of={of} />
      <About of={of} />
    </Page>
  );
}

const groupColumns = (of: Seen): Column<RolloutGroup>[] => [
  { id: "name", name: t("rollout.group"), cell: (group) => group.name },
  {
    id: "state",
    name: t("board.state"),
    cell: (group) => {
      const at = of.groups.indexOf(group);
      const begun = of.state !== "ready" && of.state !== "awaiting-approval" && at <= of.group;
      return <Mark tone={begun ? "busy" : "idle"}>{begun ? t("rollout.group-begun") : t("rollout.group-waits")}</Mark>;
    },
  },
  { id: "progress", name: t("rollout.progress"), cell: (group) => <RolloutProgress groups={[group]} /> },
  { id: "under-way", name: t("rollout.under-way"), align: "right", cell: (group) => amount(boardsAt([group], "offered", "fetching", "held", "restarting", "on-trial")) },
  { id: "waiting", name: t("rollout.waiting"), align: "right", cell: (group) => amount(group.waiting) },
  { id: "skipped", name: t("rollout.skipped"), align: "right", minor: true, cell: (group) => amount(group.skipped) },
  { id: "bounds", name: t("rollout.bounds"), cell: (group) => t("rollout.bounds-of", { percent: group.success_percent, fail: group.may_fail }) },
];

function Groups({ of }: { of: Seen }) {
  const columns = useMemo(() => groupColumns(of), [of]);
  return (
    <Section title={t("rollout.groups")} note={t("rollout.groups-note")} flush>
      <DataTable name={t("rollout.groups")} rows={of.groups} columns={columns} idOf={(group) => group.name} empty={<Empty title={t("rollout.no-boards")} />} />
    </Section>
  );
}

const boardColumns = (of: Seen): Column<RolloutBoard>[] => [
  {
    id: "board",
    name: t("rollout.board"),
    cell: (each) => (
      <Link to="/boards/$board" params={{ board: each.board }} className="row-link">
        {each.board}
      </Link>
    ),
  },
  { id: "state", name: t("board.state"), cell: (each) => <Mark tone={each.state === "failed" ? "bad" : each.state === "succeeded" ? "ok" : each.state === "held" ? "warn" : "idle"}>{named("rollout-step", each.state)}</Mark> },
  { id: "why", name: t("rollout.why"), cell: (each) => each.why },
  { id: "group", name: t("rollout.group"), cell: (each) => of.groups[each.group]?.name ?? "" },
  { id: "received", name: t("rollout.received"), align: "right", minor: true, cell: (each) => bytes(each.received) },
  { id: "changed", name: t("rollout.changed"), cell: (each) => <Time at={each.changed} /> },
];

const isStep = (name: string | null): name is Step => STEPS.some((step) => step === name);

function Boards({ of }: { of: Seen }) {
  const [chosen, setChosen] = useState<Step | "" | null>(null);
  // What went wrong comes first, where something did.
  const [first] = useState<Step | "">(boardsAt(of.groups, "failed") > 0 ? "failed" : "");
  const state = chosen ?? first;
  const list = useInfiniteQuery(rolloutBoards(of.id, state, of.state === "running"));
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]);
  const columns = useMemo(() => boardColumns(of), [of]);
  return (
    <Section
      title={t("place.boards")}
      actions={
        <Select
          size="xs"
          aria-label={t("rollout.which")}
          data={[{ value: "", label: t("rollout.which-all") }, ...STEPS.map((step) => ({ value: step, label: `${named("rollout-step", step)} (${amount(boardsAt(of.groups, step))})` }))]}
          value={state}
          onChange={(next) => setChosen(isStep(next) ? next : "")}
          allowDeselect={false}
        />
      }
      flush
    >
      <DataTable
        name={t("place.boards")}
        rows={rows}
        columns={columns}
        idOf={(each) => each.board}
        error={list.error}
        again={() => void list.refetch()}
        more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        empty={<Empty title={t("rollout.no-boards")} />}
      />
    </Section>
  );
}

function About({ of }: { of: Seen }) {
  const { terms } = of;
  return (
    <Section title={t("rollout.about")}>
      <Facts
        of={[
          [t("release.release"), <Link key="release" to="/firmware/$release" params={{ release: String(of.release) }}>{of.release}</Link>],
          ...(of.before.length === 0 ? [] : ([[t("rollout.before"), of.before.join(", ")]] as const)),
          [t("rollout.filter"), of.filter === "" ? t("rollout.filter-all") : <Link key="filter" to="/boards" search={filterOf(of.filter)}><code>{decodeURIComponent(of.filter)}</code></Link>],
          [t("rollout.dynamic"), of.dynamic ? t("rollout.dynamic-yes") : t("rollout.dynamic-no", { n: of.total })],
          [t("rollout.windows"), terms.windows.length === 0 ? t("rollout.windows-none") : `${terms.windows.join(", ")} UTC`],
          [t("rollout.begins"), terms.begins == null ? t("rollout.begins-start") : <Time key="begins" at={terms.begins} as="full" />],
          [t("rollout.at-once"), terms.at_once === 0 ? t("rollout.unbound") : amount(terms.at_once)],
          [t("rollout.at-once-cell"), terms.at_once_per_cell === 0 ? t("rollout.unbound") : amount(terms.at_once_per_cell)],
          [t("rollout.gates"), t("rollout.gates-of", { battery: terms.battery_min_percent, rsrp: String(terms.rsrp_min_dbm) })],
          [t("rollout.lost-after"), duration(terms.lost_after_s)],
          [t("rollout.made"), <span key="made"><Time at={of.created} /> · {of.by}</span>],
        ]}
      />
    </Section>
  );
}
