// A board is blocked and seen refused, by the hub and by the board.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Page } from "playwright-core";

import { setUp } from "./rig/acts.ts";
import { People } from "./rig/browser.ts";
import { Site } from "./rig/site.ts";

let site: Site;
let people: People;
let anna: Page;

beforeAll(async () => {
  site = await Site.start(30, 1);
  people = await People.start(site.pin);
  anna = await people.person(site.url);
  await setUp(anna, site);
  site.boards(3, 3);
});

afterAll(async () => {
  await people.end();
  await site.end();
});

test("a board that is blocked is refused, and heard no more", async () => {
  expect(site.delivers(1)).toBe(true);
  await anna.goto("/boards/CB-00000001");
  await anna.getByText("heard", { exact: false }).first().waitFor();
  await anna.getByRole("button", { name: "Block" }).click();
  const asked = anna.getByRole("dialog");
  await asked.getByText("this one board", { exact: false }).waitFor();
  expect(await asked.getByRole("button", { name: "Block this board" }).isDisabled()).toBe(true);
  await asked.getByLabel("Reason").fill("lost at the depot");
  await asked.getByRole("button", { name: "Block this board" }).click();
  await anna.getByText("because: lost at the depot").waitFor();
  expect(site.delivers(1, 6)).toBe(false);

  await anna.getByRole("button", { name: "Unblock" }).click();
  await anna.getByRole("dialog").getByRole("button", { name: "Unblock this board" }).click();
  await anna.getByRole("button", { name: "Block", exact: true }).waitFor();
  expect(site.delivers(1)).toBe(true);
  expect(people.faults).toEqual([]);
});

test("all boards that fit are blocked as one job, and the view is kept", async () => {
  await anna.goto("/boards?q=CB-0000002");
  await anna.getByRole("button", { name: "All 10 that fit" }).click();
  await anna.getByRole("menuitem", { name: "Block", exact: true }).click();
  const asked = anna.getByRole("dialog");
  await asked.getByLabel("Reason").fill("recall");
  await asked.getByRole("button", { name: "Block 10 boards" }).click();
  await anna.getByRole("button", { name: /^blocked 10$/ }).waitFor({ timeout: 60_000 });
  await anna.getByRole("button", { name: /^blocked 10$/ }).click();
  await anna.getByRole("button", { name: "Views" }).click();
  await anna.getByRole("menuitem", { name: "Save this view" }).click();
  await anna.getByLabel("Name of the view").fill("recalled");
  await anna.getByRole("dialog").getByRole("button", { name: "Save this view" }).click();
  await anna.getByRole("dialog").waitFor({ state: "hidden" });
  await anna.goto("/boards");
  await anna.getByRole("button", { name: "Views" }).click();
  await anna.getByRole("menuitem", { name: "recalled", exact: true }).click();
  await anna.getByText("10 boards fit.").waitFor();
  expect(anna.url()).toContain("blocked");
  expect(people.faults).toEqual([]);
});

test("all boards that fit are given a label, which they are then found by", async () => {
  await anna.goto("/boards?q=CB-0000000");
  await anna.getByRole("button", { name: "All 10 that fit" }).click();
  await anna.getByRole("menuitem", { name: "Set labels" }).click();
  const asked = anna.getByRole("dialog");
  await asked.getByLabel("Labels that they get").fill("site=north");
  await asked.getByRole("button", { name: "Label 10 boards" }).click();
  await anna.getByText("Label boards: 10 boards changed").waitFor({ timeout: 60_000 });
  await anna.goto("/boards");
  await anna.getByRole("button", { name: /^site=north 10$/ }).click();
  await anna.getByText("10 boards fit.").waitFor();
  expect(people.faults).toEqual([]);
});

test("a filter is in the address, and found boards fit it", async () => {
  await anna.goto("/boards");
  await anna.getByLabel("Find boards").fill("CB-0000002");
  await anna.getByText("10 boards fit.").waitFor();
  await expect.poll(() => anna.url()).toContain("q=CB-0000002");
  await anna.reload();
  await anna.getByText("10 boards fit.").waitFor();
});
