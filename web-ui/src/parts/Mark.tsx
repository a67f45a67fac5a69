// A state by shape as well as colour, with its word beside it: nobody has to tell green from red.
import type { ReactNode } from "react";

export type Tone = "ok" | "warn" | "bad" | "idle" | "busy";

const SHAPES: Record<Tone, ReactNode> = {
  ok: <circle cx="6" cy="6" r="4" />,
  warn: <path d="M6 1.500 11 10.500H1Z" />,
  bad: <rect x="2" y="2" width="8" height="8" rx="1" />,
  idle: <circle cx="6" cy="6" r="3.2" fill="none" strokeWidth="1.600" stroke="currentColor" />,
  busy: <path d="M6 1 11 6 6 11 1 6Z" />,
};

export function Mark({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className="mark" data-tone={tone}>
      <svg viewBox="0 0 12 12" width="12" height="12" fill="currentColor" aria-hidden="true">
        {SHAPES[tone]}
      </svg>
      <span>{children}</span>
    </span>
  );
}
