// What cannot be taken back takes two people.
import { afterAll, beforeAll, expect, test } from "vitest";

import { chooseAccount, invite, setUp } from "./rig/acts.ts";
import { People } from "./rig/browser.ts";
import { Site } from "./rig/site.ts";

let site: Site;
let people: People;

beforeAll(async () => {
  site = await Site.start(4, 1);
  site.command("tenant", "add", "leaving", "--name", "Leaving Ltd");
  people = await People.start(site.pin);
});

afterAll(async () => {
  await people.end();
  await site.end();
});

test("a tenant is deleted when a second admin approves, and not before", async () => {
  const anna = await people.person(site.url);
  await setUp(anna, site);
  const link = await invite(anna, "bo", "Platform admin");
  const bo = await people.person(site.url);
  await chooseAccount(bo, link, null, "");

  await anna.goto("/tenants/leaving");
  await anna.getByRole("button", { name: "More" }).click();
  await anna.getByRole("menuitem", { name: "Delete" }).click();
  const asked = anna.getByRole("dialog");
  await asked.getByLabel("Reason").fill("the contract has ended");
  await asked.getByLabel("Type leaving to confirm").fill("leaving");
  await asked.getByRole("button", { name: "Ask for approval to delete" }).click();
  await asked.waitFor({ state: "hidden" });

  await anna.goto("/approvals");
  await anna.getByText("yours: another person decides").waitFor();
  expect(await anna.getByRole("button", { name: "Approve" }).count()).toBe(0);

  await bo.goto("/approvals");
  await bo.getByText("asked by anna", { exact: false }).waitFor();
  await bo.getByRole("button", { name: "Approve" }).click();
  await bo.getByLabel("Type leaving to confirm").fill("leaving");
  await bo.getByRole("button", { name: "Approve and carry out now" }).click();
  await bo.getByText("approved and done", { exact: false }).first().waitFor();
  await bo.goto("/tenants");
  await bo.getByRole("link", { name: "Tenant 0" }).waitFor();
  expect(await bo.getByRole("link", { name: "Leaving Ltd" }).count()).toBe(0);

  await bo.goto("/audit");
  await bo.getByText("The log is whole", { exact: false }).waitFor();
  await bo.getByText("tenant.remove", { exact: false }).first().waitFor();
  expect(people.faults).toEqual([]);
});
