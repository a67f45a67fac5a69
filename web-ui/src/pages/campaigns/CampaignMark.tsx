import { Progress } from "@mantine/core";

import type { Campaign, CampaignBoards } from "../../api/campaigns.ts";
import { named, t } from "../../i18n/index.ts";
import { amount } from "../../parts/Figures.tsx";
import { Mark, type Tone } from "../../parts/Mark.tsx";

const TONES: Readonly<Record<Campaign["state"], Tone>> = { draft: "idle", running: "busy", paused: "warn", ended: "bad", completed: "ok" };

/** How a campaign is, in words. */
export function CampaignMark({ state }: { state: Campaign["state"] }) {
  return <Mark tone={TONES[state]}>{named("campaign-state", state)}</Mark>;
}

/** Boards that have renewed, of those that can. */
export function CampaignProgress({ boards }: { boards: CampaignBoards | null | undefined }) {
  if (boards == null) return <span className="faint">{t("campaign.uncounted")}</span>;
  const all = boards.renewed + boards.waiting;
  return (
    <div className="batch-progress">
      <Progress value={(100 * boards.renewed) / Math.max(1, all)} aria-label={t("campaign.renewed")} />
      <span>
        {amount(boards.renewed)} / {amount(all)}
      </span>
    </div>
  );
}
