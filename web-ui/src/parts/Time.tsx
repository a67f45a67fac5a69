// A moment: how long ago, or the date in the viewer's zone; pointed at, in full and in UTC.
import { Tooltip } from "@mantine/core";
import { useSyncExternalStore } from "react";

import { locale, t } from "../i18n/index.ts";

const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["year", 365 * 86400],
  ["month", 30 * 86400],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

/** "3 minutes ago", "in 2 years". */
export function relative(at: Date, now: Date, language: string): string {
  const seconds = (at.getTime() - now.getTime()) / 1000;
  const step = STEPS.find(([, size]) => Math.abs(seconds) >= size);
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  if (step === undefined) return Math.abs(seconds) < 10 ? format.format(0, "second") : format.format(Math.round(seconds), "second");
  return format.format(Math.trunc(seconds / step[1]), step[0]);
}

export function local(at: Date, language: string): string {
  return at.toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });
}

export function utc(at: Date): string {
  return `${at.toISOString().replace("T", " ").slice(0, 19)} UTC`;
}

/** "since 14:03", "since 21 Nov". */
export function since(at: Date, now: Date, language: string): string {
  const sameDay = at.toDateString() === now.toDateString();
  const when = sameDay
    ? at.toLocaleTimeString(language, { timeStyle: "short" })
    : at.toLocaleDateString(language, { day: "numeric", month: "short", ...(at.getFullYear() === now.getFullYear() ? {} : { year: "numeric" }) });
  return t("time.since", { when });
}

/** One clock for all moments on a page. */
const clock = {
  now: Date.now(),
  heard: new Set<() => void>(),
  timer: 0,
  subscribe: (heard: () => void) => {
    clock.heard.add(heard);
    if (clock.timer === 0) {
      clock.timer = window.setInterval(() => {
        clock.now = Date.now();
        clock.heard.forEach((each) => each());
      }, 10_000);
    }
    return () => {
      clock.heard.delete(heard);
      if (clock.heard.size === 0) {
        window.clearInterval(clock.timer);
        clock.timer = 0;
      }
    };
  },
};

export function useNow(): Date {
  return new Date(useSyncExternalStore(clock.subscribe, () => clock.now));
}

/** Certificates say so that nobody knows their end (RFC 5280, 4.1.2.5). */
const NO_END = Date.UTC(9999, 0, 1);

const WAYS = {
  relative,
  since,
  date: (at: Date, _now: Date, language: string) => (at.getTime() >= NO_END ? t("time.no-end") : at.toLocaleDateString(language, { dateStyle: "medium" })),
  full: (at: Date, _now: Date, language: string) => local(at, language),
};
type Way = keyof typeof WAYS;

/** `at` is milliseconds since 1970, or a date as the API writes it. */
export function Time({ at, as = "relative" }: { at: number | string | null | undefined; as?: Way }) {
  const now = useNow();
  if (at === null || at === undefined) return <span className="faint">{t("time.never")}</span>;
  const when = new Date(at);
  const language = locale();
  const full = `${local(when, language)} · ${utc(when)}`;
  return (
    <Tooltip label={full}>
      <time dateTime={when.toISOString()}>{WAYS[as](when, now, language)}</time>
    </Tooltip>
  );
}
