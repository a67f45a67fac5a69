import { expect, test } from "vitest";

import { relative, since, utc } from "./Time.tsx";

const now = new Date("2026-03-01T12:00:00Z");
const ago = (seconds: number) => relative(new Date(now.getTime() - seconds * 1000), now, "en");

test("a moment is said in the largest unit that is full", () => {
  expect(ago(3)).toBe("now");
  expect(ago(59)).toBe("59 seconds ago");
  expect(ago(3599)).toBe("59 minutes ago");
  expect(ago(86400)).toBe("yesterday");
  expect(ago(-400 * 86400)).toBe("next year");
  expect(relative(new Date(now.getTime() - 7200_000), now, "de")).toBe("vor 2 Stunden");
});

test("pointed at, it is in UTC", () => {
  expect(utc(now)).toBe("2026-03-01 12:00:00 UTC");
});

test("since when is a time today, and a date before", () => {
  expect(since(new Date(now.getTime() - 60_000), now, "en-GB")).toMatch(/^since \d\d:\d\d$/);
  expect(since(new Date("2026-02-01T12:00:00Z"), now, "en-GB")).toBe("since 1 Feb");
  expect(since(new Date("2025-02-01T12:00:00Z"), now, "en-GB")).toBe("since 1 Feb 2025");
});
