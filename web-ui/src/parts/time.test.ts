import { expect, test } from "vitest";

import { relative, utc } from "./Time.tsx";

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
