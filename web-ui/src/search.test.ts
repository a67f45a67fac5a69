import { expect, test } from "vitest";

import { placeHere, text } from "./search.ts";

test("one key of an address is text or nothing", () => {
  expect(text({ to: "/tenants" }, "to")).toEqual({ to: "/tenants" });
  expect([text({ to: 7 }, "to"), text({ to: "" }, "to"), text({ to: { deep: 1 } }, "to")]).toEqual([{ to: "7" }, {}, {}]);
});

test("after signing in one goes on to a place of the app, never elsewhere", () => {
  expect(placeHere("/boards?q=a")).toBe("/boards?q=a");
  for (const bad of [undefined, "", "https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]) {
    expect(placeHere(bad), bad).toBe("/");
  }
});
