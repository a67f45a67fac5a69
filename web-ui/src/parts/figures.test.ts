import { expect, test } from "vitest";

import { amount, bytes, duration } from "./Figures.tsx";

test("numbers are as long as they are worth", () => {
  expect([0, 0.25, 9.96, 1234.6].map(amount)).toEqual(["0", "0.3", "10", "1,235"]);
  expect([0, 999, 1000, 1_536_000, 2.5e12].map(bytes)).toEqual(["0 B", "999 B", "1 kB", "1.5 MB", "2.5 TB"]);
  expect([5, 90, 3 * 3600 + 60, 2 * 86400 + 3600].map(duration)).toEqual(["5 sec", "1 min", "3 hr 1 min", "2 days 1 hr"]);
});
