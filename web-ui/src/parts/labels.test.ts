import { expect, test } from "vitest";

import { parseLabels, writeLabels } from "./labels.ts";

test("labels read back as they were written, and what is none is refused", () => {
  const labels = { site: "north", line: "2" };
  expect(parseLabels(writeLabels(labels))).toEqual(labels);
  expect(parseLabels("")).toEqual({});
  for (const bad of ["site", "site=", "=north", "a=b=c"]) expect(parseLabels(bad), bad).toBeNull();
});
