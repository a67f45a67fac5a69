import { expect, test } from "vitest";

import { groupTexts, windowTexts } from "./campaigns.ts";

test("groups are said as the hub reads them, and no first group is all boards at once", () => {
  expect(groupTexts({ firstPercent: 5, firstSuccess: 100 })).toEqual(["first:5%:100%", "others:rest:90%"]);
  expect(groupTexts({ firstPercent: 0, firstSuccess: 100 })).toEqual([]);
});

test("windows are written with commas or spaces between", () => {
  expect(windowTexts(" mon-fri/22:00/6h,sat/00:00/24h ")).toEqual(["mon-fri/22:00/6h", "sat/00:00/24h"]);
  expect(windowTexts("")).toEqual([]);
});
