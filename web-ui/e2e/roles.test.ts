// Each role's day: what stands in the rail is what the role may, and a tenant's people see their tenant.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Page } from "playwright-core";

import { chooseAccount, invite, places, setUp } from "./rig/acts.ts";
import { People } from "./rig/browser.ts";
import { Site } from "./rig/site.ts";

let site: Site;
let people: People;
let anna: Page;

beforeAll(async () => {
  site = await Site.start(6, 2);
  people = await People.start(site.pin);
  anna = await people.person(site.url);
  await setUp(anna, site);
});

afterAll(async () => {
  await people.end();
  await site.end();
});

const EVERYBODY = ["Overview", "Boards", "Sessions", "Tenants", "API tokens"];

const DAYS: readonly (readonly [role: string, tenant: string | undefined, sees: readonly string[]])[] = [
  ["Tenant admin", "tenant-0", [...EVERYBODY, "Routes and upstreams", "Certificates", "Production", "Firmware", "Rollouts", "Users", "Approvals", "Audit log"]],
  ["Operator", "tenant-0", [...EVERYBODY, "Routes and upstreams", "Certificates", "Firmware", "Rollouts"]],
  ["Firmware signer", undefined, [...EVERYBODY, "Firmware", "Rollouts", "Approvals"]],
  ["Production", "tenant-1", [...EVERYBODY, "Certificates", "Production"]],
  ["Billing", undefined, EVERYBODY],
  ["Auditor", undefined, [...EVERYBODY, "Routes and upstreams", "Certificates", "Production", "Firmware", "Rollouts", "Users", "Approvals", "Audit log", "System health"]],
];

test.each(DAYS)("a %s of %s sees what the role may", async (role, tenant, sees) => {
  const user = role.toLowerCase().replace(" ", "-");
  const link = await invite(anna, user, role, tenant?.replace("tenant-", "Tenant "));
  const somebody = await people.person(site.url);
  await chooseAccount(somebody, link, null, "");
  expect((await places(somebody)).sort()).toEqual([...sees].sort());
  await somebody.getByText(`of ${tenant === undefined ? 6 : 3} boards within the hour`, { exact: false }).waitFor();
  await somebody.getByRole("link", { name: "Boards", exact: true }).click();
  await somebody.getByText(tenant === undefined ? "6 boards are registered." : "3 boards are registered.").waitFor();
  // Who may block sees how; who may not does not.
  await somebody.getByRole("link", { name: /CB-0000000/ }).first().click();
  await somebody.getByRole("heading", { name: "Identity" }).waitFor();
  await expect.poll(async () => await somebody.getByRole("button", { name: "Block" }).count()).toBe(["Tenant admin", "Operator"].includes(role) ? 1 : 0);
  // Each page that the role sees shows something, and no error.
  for (const place of sees) {
    await somebody.getByRole("navigation", { name: "Places" }).getByRole("link", { name: place, exact: true }).click();
    await somebody.getByRole("heading", { level: 1, name: place }).waitFor();
    await somebody.locator("[aria-busy=true]").first().waitFor({ state: "hidden" });
    expect(await somebody.locator("main [role=alert]").allInnerTexts(), place).toEqual([]);
  }
  await somebody.context().close();
  expect(people.faults).toEqual([]);
});
