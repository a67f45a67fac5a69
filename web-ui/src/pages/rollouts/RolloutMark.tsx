import { Progress } from "@mantine/core";

import { boardsAt, boardsMeant, type Rollout, type RolloutGroup } from "../../api/rollouts.ts";
import { named, t } from "../../i18n/index.ts";
import { amount } from "../../parts/Figures.tsx";
import { Mark, type Tone } from "../../parts/Mark.tsx";

const TONES: Readonly<Record<Rollout["state"], Tone>> = {
  "awaiting-approval": "warn",
  ready: "idle",
  running: "busy",
  paused: "warn",
  stopped: "bad",
  aborted: "bad",
  finished: "ok",
};

/** How a rollout is, in words. */
export function RolloutMark({ state }: { state: Rollout["state"] }) {
  return <Mark tone={TONES[state]}>{named("rollout-state", state)}</Mark>;
}

/** Boards that run it, those that failed, of those it is for. */
export function RolloutProgress({ groups }: { groups: readonly RolloutGroup[] }) {
  const meant = boardsMeant(groups);
  const share = (boards: number) => (100 * boards) / Math.max(1, meant);
  const done = boardsAt(groups, "succeeded");
  const failed = boardsAt(groups, "failed");
  return (
    <div className="batch-progress">
      <Progress.Root>
        <Progress.Section value={share(done)} aria-label={t("rollout.done")} />
        {failed > 0 && <Progress.Section value={share(failed)} color="red" aria-label={t("rollout.failed")} />}
      </Progress.Root>
      <span>
        {amount(done)} / {amount(meant)}
        {failed > 0 && <span className="tone-bad"> · {t("rollout.failed-n", { n: failed })}</span>}
      </span>
    </div>
  );
}
