// One campaign: how it is in words, how far each group is, and what can be done to it.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo } from "react";

import { campaign, isOver, type Campaign as Seen, type CampaignGroup } from "../../api/campaigns.ts";
import { api } from "../../api/client.ts";
import { useMay } from "../../api/me.ts";
import { named, t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { amount, Figures } from "../../parts/Figures.tsx";
import { Mark } from "../../parts/Mark.tsx";
import { Facts, Page, Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { Time } from "../../parts/Time.tsx";
import { Waiting } from "../../parts/Waiting.tsx";
import { CampaignMark, CampaignProgress } from "./CampaignMark.tsx";

export default function Campaign() {
  const { campaign: id } = useParams({ from: "/signed-in/campaigns/$campaign" });
  const seen = useQuery(campaign(Number(id)));
  const over = (
    <Link to="/certificates" search={{ tab: "campaigns" }}>
      {t("campaigns.title")}
    </Link>
  );
  if (seen.error !== null || seen.data === undefined) {
    return (
      <Page title={t("campaign.title", { number: id })} over={over}>
        {seen.error === null ? <Waiting /> : <FaultNote error={seen.error} again={() => void seen.refetch()} />}
      </Page>
    );
  }
  const of = seen.data;
  return (
    <Page
      title={t("campaign.from-to", { from: of.from, to: of.to })}
      over={over}
      lead={
        <>
          <CampaignMark state={of.state} /> {named("campaign-means", of.state)}
          {of.since != null && <> · <Time at={of.since} /></>}
          {of.why != null && <> · {of.why}</>}
        </>
      }
      actions={<Acts of={of} />}
    >
      {of.boards != null && (
        <Figures
          name={t("campaign.how-far")}
          of={[
            { name: t("campaign.renewed"), value: of.boards.renewed, note: t("campaign.renewed-note", { to: of.to }) },
            { name: t("campaign.waiting"), value: of.boards.waiting, note: t("campaign.waiting-note", { from: of.from }) },
            { name: t("campaign.told"), value: of.told, note: t("campaign.told-note", { n: of.told_often }) },
            { name: t("campaign.shut-out"), value: of.boards.shut_out, note: t("campaign.shut-out-note") },
          ]}
        />
      )}
      <Groups of={of} />
      <Section title={t("campaign.about")}>
        <Facts
          of={[
            [t("board.tenant"), <Link key="tenant" to="/tenants/$tenant" params={{ tenant: of.tenant }}>{of.tenant}</Link>],
            [t("confirm.reason"), of.reason],
            [t("campaign.pace"), amount(of.per_minute)],
            [t("rollout.windows"), of.windows.length === 0 ? t("rollout.windows-none") : `${of.windows.join(", ")} UTC`],
            [t("rollout.made"), <span key="made"><Time at={of.created} /> · {of.by}</span>],
          ]}
        />
      </Section>
    </Page>
  );
}

const groupColumns = (of: Seen): Column<CampaignGroup>[] => [
  { id: "name", name: t("rollout.group"), cell: (group) => group.name },
  {
    id: "state",
    name: t("board.state"),
    cell: (group) => {
      const begun = of.state !== "draft" && of.groups.indexOf(group) <= of.group;
      return <Mark tone={begun ? "busy" : "idle"}>{begun ? t("rollout.group-begun") : t("rollout.group-waits")}</Mark>;
    },
  },
  { id: "share", name: t("campaign.share"), align: "right", cell: (group) => t("campaign.percent", { percent: group.percent }) },
  { id: "progress", name: t("campaign.renewed"), cell: (group) => <CampaignProgress boards={group.boards} /> },
  { id: "waiting", name: t("campaign.waiting"), align: "right", cell: (group) => (group.boards == null ? "–" : amount(group.boards.waiting)) },
  { id: "shut-out", name: t("campaign.shut-out"), align: "right", minor: true, cell: (group) => (group.boards == null ? "–" : amount(group.boards.shut_out)) },
  { id: "bounds", name: t("campaign.next"), cell: (group) => t("campaign.next-from", { percent: group.success_percent }) },
];

function Groups({ of }: { of: Seen }) {
  const columns = useMemo(() => groupColumns(of), [of]);
  return (
    <Section title={t("rollout.groups")} note={t("rollout.groups-note")} flush>
      <DataTable name={t("rollout.groups")} rows={of.groups} columns={columns} idOf={(group) => group.name} empty={<Empty title={t("rollout.no-boards")} />} />
    </Section>
  );
}

function Acts({ of }: { of: Seen }) {
  const may = useMay();
  const [ask, asking] = useConfirm();
  if (isOver(of) || !may("authorities:write", of.tenant)) return null;
  const path = { params: { path: { campaign: of.id } } };
  const left = of.boards?.waiting ?? 0;
  const values = { n: left, from: of.from, to: of.to, pace: amount(of.per_minute) };
  return (
    <>
      {of.state === "draft" && (
        <Button
          onClick={() =>
            ask({
              title: t("campaign.start-title", { from: of.from }),
              consequence: t("campaign.start-what", values),
              action: t("campaign.start"),
              calm: true,
              run: () => act(api.POST("/api/v1/campaigns/{campaign}/start", path), t("campaign.started"), "campaigns", "authorities"),
            })
          }
        >
          {t("campaign.start")}
        </Button>
      )}
      {of.state === "running" && (
        <Button
          onClick={() =>
            ask({
              title: t("campaign.pause-title"),
              consequence: t("campaign.pause-what", { n: left }),
              action: t("campaign.pause"),
              calm: true,
              run: () => act(api.POST("/api/v1/campaigns/{campaign}/pause", path), t("campaign.paused"), "campaigns"),
            })
          }
        >
          {t("campaign.pause")}
        </Button>
      )}
      {of.state === "paused" && (
        <Button
          onClick={() =>
            ask({
              title: t("campaign.resume-title"),
              consequence: t("campaign.resume-what", { n: left }),
              action: t("campaign.resume"),
              calm: true,
              run: () => act(api.POST("/api/v1/campaigns/{campaign}/resume", path), t("campaign.resumed"), "campaigns"),
            })
          }
        >
          {t("campaign.resume")}
        </Button>
      )}
      <Button
        color="red"
        variant="light"
        onClick={() =>
          ask({
            title: t("campaign.end-title"),
            consequence: t("campaign.end-what", { n: left, from: of.from }),
            action: t("campaign.end-do"),
            typed: of.from,
            run: () => act(api.POST("/api/v1/campaigns/{campaign}/end", path), t("campaign.ended"), "campaigns", "authorities"),
          })
        }
      >
        {t("campaign.end")}
      </Button>
      {asking}
    </>
  );
}
