import { expect, test } from "vitest";

import { boardsAt, boardsMeant, groupText, whoIsSaid, type RolloutGroup } from "./rollouts.ts";

const group: RolloutGroup = {
  name: "canary", success_percent: 90, may_fail: 1, boards: 20,
  waiting: 1, offered: 2, fetching: 3, held: 1, restarting: 1, on_trial: 2, succeeded: 5, failed: 3, skipped: 2,
};

test("a group is written as the hub reads it", () => {
  const base = { name: "canary", success: 95, errors: 2, errorsIn: "percent" } as const;
  expect(groupText({ ...base, who: "percent", value: "5" })).toBe("canary:5%:95%:2%");
  expect(groupText({ ...base, who: "count", value: "100", errors: 20, errorsIn: "boards" })).toBe("canary:100:95%:20");
  expect(groupText({ ...base, who: "label", value: "site=lab" })).toBe("canary:label:site=lab:95%:2%");
  expect(groupText({ ...base, who: "rest", value: "" })).toBe("canary:rest:95%:2%");
});

test("whom a group is for is checked before it is sent", () => {
  expect(whoIsSaid({ who: "percent", value: "0" })).toBe(false);
  expect(whoIsSaid({ who: "percent", value: "101" })).toBe(false);
  expect(whoIsSaid({ who: "percent", value: "5" })).toBe(true);
  expect(whoIsSaid({ who: "count", value: "" })).toBe(false);
  expect(whoIsSaid({ who: "label", value: "site" })).toBe(false);
  expect(whoIsSaid({ who: "label", value: "site=lab" })).toBe(true);
  expect(whoIsSaid({ who: "rest", value: "" })).toBe(true);
});

test("boards are counted by how far they are; skipped ones on neither side", () => {
  expect(boardsAt([group, group], "on-trial", "failed")).toBe(10);
  expect(boardsMeant([group])).toBe(18);
});
