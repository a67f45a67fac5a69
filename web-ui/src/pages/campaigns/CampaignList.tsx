// Campaigns: from which authority to which, and how far; live.
import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { campaigns, type Campaign } from "../../api/campaigns.ts";
import { useMay } from "../../api/me.ts";
import { t } from "../../i18n/index.ts";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { Section } from "../../parts/Page.tsx";
import { Time } from "../../parts/Time.tsx";
import { CampaignMark, CampaignProgress } from "./CampaignMark.tsx";
import { NewCampaign } from "./NewCampaign.tsx";

const columns = (): Column<Campaign>[] => [
  {
    id: "what",
    name: t("campaign.campaign"),
    cell: (of) => (
      <Link to="/campaigns/$campaign" params={{ campaign: String(of.id) }} className="row-link">
        {t("campaign.from-to", { from: of.from, to: of.to })}
      </Link>
    ),
  },
  { id: "state", name: t("board.state"), cell: (of) => <CampaignMark state={of.state} /> },
  { id: "progress", name: t("campaign.renewed"), cell: (of) => <CampaignProgress boards={of.boards} /> },
  { id: "reason", name: t("confirm.reason"), cell: (of) => of.reason, clip: true, minor: true },
  { id: "since", name: t("rollout.since"), cell: (of) => <Time at={of.since ?? of.created} /> },
];

export function CampaignList() {
  const may = useMay();
  const navigate = useNavigate();
  const list = useInfiniteQuery(campaigns);
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]);
  const shown = useMemo(() => columns(), []);
  const [adding, setAdding] = useState(false);
  const add = (size: "compact-xs" | "sm") =>
    may("authorities:write") && (
      <Button size={size} onClick={() => setAdding(true)}>
        {t("campaign.add")}
      </Button>
    );
  return (
    <Section title={t("campaigns.title")} note={t("campaigns.note")} actions={rows !== undefined && rows.length > 0 && add("compact-xs")} flush>
      <DataTable
        name={t("campaigns.title")}
        rows={rows}
        columns={shown}
        idOf={(of) => String(of.id)}
        error={list.error}
        again={() => void list.refetch()}
        open={(of) => void navigate({ to: "/campaigns/$campaign", params: { campaign: String(of.id) } })}
        more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        empty={
          <Empty title={t("campaigns.none")} action={add("sm")}>
            {t("campaigns.none-why")}
          </Empty>
        }
      />
      {adding && <NewCampaign close={() => setAdding(false)} />}
    </Section>
  );
}
