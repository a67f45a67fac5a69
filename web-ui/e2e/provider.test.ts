// The company's own sign-in, with a certified OpenID provider that is not ours.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Page } from "playwright-core";

import { setUp } from "./rig/acts.ts";
import { People } from "./rig/browser.ts";
import { peer, Running } from "./rig/process.ts";
import { Site } from "./rig/site.ts";

const SECRET = "a secret that the two share";
const PEOPLE = {
  otto: { email: "otto@example.com", email_verified: true, name: "Otto Blau", groups: ["acme"] },
  nora: { email: "nora@example.com", email_verified: true, name: "Nora Grün", groups: ["others"] },
};

let site: Site;
let people: People;
let provider: Running;

beforeAll(async () => {
  site = await Site.start(4, 2);
  const env = { CALLBACK: `${site.url}/api/v1/session/provider/callback`, SECRET, PEOPLE: JSON.stringify(PEOPLE) };
  provider = new Running("provider", process.execPath, [peer("oidc/provider.mjs")], env);
  const issuer = (await provider.says(/listening (\S+)/))[1] ?? "";
  people = await People.start(site.pin);
  const anna = await people.person(site.url);
  await setUp(anna, site);
  // What her browser asks of a hub that is away is not what is tried here.
  await anna.context().close();
  site.configure("provider", { enabled: true, issuer, name: "Acme", roles: "acme=operator@tenant-0" });
  await site.stopHub();
  site.commandWith(SECRET, "user", "provider-secret", "--file", "-");
  await site.startHub();
});

afterAll(async () => {
  await people.end();
  await provider.end();
  await site.end();
});

async function atTheProvider(page: Page, who: string) {
  await page.getByRole("link", { name: "With Acme" }).click();
  await page.locator("input[name=login]").fill(who);
  await page.locator("input[name=password]").fill("any");
  await page.getByRole("button").first().click();
  await page.getByRole("button", { name: "Continue" }).click();
}

test("who wanted a page gets there by way of the provider, with the roles of their groups", async () => {
  const otto = await people.person(site.url);
  await otto.goto("/tenants");
  await atTheProvider(otto, "otto");
  await otto.getByRole("heading", { level: 1, name: "Tenants" }).waitFor();
  await otto.getByRole("link", { name: "Tenant 0" }).waitFor();
  expect(await otto.getByRole("link", { name: "Tenant 1" }).count()).toBe(0);
  await otto.goto("/account");
  await otto.getByText("You have none at this hub", { exact: false }).waitFor();
  expect(await otto.getByRole("button", { name: "Change password" }).count()).toBe(0);
  expect(people.faults).toEqual([]);
});

test("who is in no group that has a role is told so", async () => {
  const nora = await people.person(site.url);
  await nora.goto("/sign-in");
  await atTheProvider(nora, "nora");
  await nora.getByRole("alert").getByText("none of your groups has a role", { exact: false }).waitFor();
  expect(people.faults).toEqual([]);
});
