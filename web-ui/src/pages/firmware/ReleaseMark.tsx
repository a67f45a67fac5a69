import type { Release } from "../../api/firmware.ts";
import { named } from "../../i18n/index.ts";
import { Mark, type Tone } from "../../parts/Mark.tsx";

const TONES: Readonly<Record<Release["state"], Tone>> = { draft: "idle", approved: "busy", signed: "ok", withdrawn: "bad" };

/** How far a release is, in words. */
export function ReleaseMark({ state }: { state: Release["state"] }) {
  return <Mark tone={TONES[state]}>{named("release-state", state)}</Mark>;
}
