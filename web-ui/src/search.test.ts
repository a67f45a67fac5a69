import { expect, test } from "vitest";

import { boardFilter, filterOf, placeHere, queryOf } from "./search.ts";

test("an address gives a filter, and rubbish in it nothing", () => {
  expect(boardFilter({ q: "CB-", label: "site=north", state: ["blocked", "odd"], tenant: null, other: "x" })).toEqual({
    q: "CB-",
    label: ["site=north"],
    state: ["blocked"],
  });
  expect(boardFilter({ label: ["a", 1, ""], q: { deep: true } })).toEqual({ label: ["a"] });
});

test("after signing in one goes on to a place of the app, never elsewhere", () => {
  expect(placeHere("/boards?q=a")).toBe("/boards?q=a");
  for (const bad of [undefined, "", "https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]) {
    expect(placeHere(bad), bad).toBe("/");
  }
});

test("a filter is read back from the text that the hub keeps of it", () => {
  const filter = { q: "CB-0 a&b", tenant: ["acme", "north"], state: ["blocked" as const], label: ["site=a=b"], sort: "-last_seen" as const };
  expect(queryOf(filter)).toContain("label=site%3Da%3Db");
  expect(filterOf(queryOf(filter))).toEqual(filter);
  expect(filterOf("rubbish=1&state=odd")).toEqual({});
});
