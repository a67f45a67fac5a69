// A board's state in words, with its shape.
import type { BoardState as State } from "../api/boards.ts";
import { named } from "../i18n/index.ts";
import { Mark, type Tone } from "./Mark.tsx";

const TONES: Readonly<Record<State, Tone>> = { active: "ok", blocked: "bad", held: "warn", revoked: "bad" };

/** `heard`: whether it ever spoke; one that may and never did is no good news yet. */
export function BoardState({ state, heard }: { state: State; heard: boolean }) {
  const waits = state === "active" && !heard;
  return <Mark tone={waits ? "idle" : TONES[state]}>{named("board-state", waits ? "registered" : state)}</Mark>;
}

export function Labels({ of }: { of: Readonly<Record<string, string>> }) {
  return (
    <>
      {Object.entries(of).map(([key, value]) => (
        <span key={key} className="tag" title={`${key}=${value}`}>
          {key}=<b>{value}</b>
        </span>
      ))}
    </>
  );
}
