// The numbers a page opens with.
import type { ReactNode } from "react";

import { locale } from "../i18n/index.ts";

export type Figure = { name: string; value: number | string; unit?: string; note?: ReactNode };

export function amount(value: number): string {
  return value.toLocaleString(locale(), { maximumFractionDigits: value < 10 ? 1 : 0 });
}

export function Figures({ of, name }: { of: readonly Figure[]; name: string }) {
  return (
    <dl className="figures" aria-label={name}>
      {of.map((figure) => (
        <div key={figure.name}>
          <dt>{figure.name}</dt>
          <dd>
            {typeof figure.value === "number" ? amount(figure.value) : figure.value}
            {figure.unit !== undefined && <small>{figure.unit}</small>}
            {figure.note !== undefined && <div className="note">{figure.note}</div>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

const STEPS = ["B", "kB", "MB", "GB", "TB"] as const;

export function bytes(value: number): string {
  const step = Math.min(STEPS.length - 1, value < 1 ? 0 : Math.floor(Math.log10(value) / 3));
  const shown = value / 1000 ** step;
  return `${shown.toLocaleString(locale(), { maximumFractionDigits: shown < 10 && step > 0 ? 1 : 0 })} ${STEPS[step] ?? ""}`;
}

export function duration(seconds: number): string {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const format = (value: number, unit: string) => value.toLocaleString(locale(), { style: "unit", unit, unitDisplay: "short" });
  if (days > 0) return `${format(days, "day")} ${format(hours, "hour")}`;
  if (hours > 0) return `${format(hours, "hour")} ${format(minutes, "minute")}`;
  return minutes > 0 ? format(minutes, "minute") : format(Math.floor(seconds), "second");
}
