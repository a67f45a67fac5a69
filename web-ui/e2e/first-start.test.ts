// From the hub's first start to the first reading seen: the link that it printed makes the first admin, and
// works once.
import { afterAll, beforeAll, expect, test } from "vitest";

import { chooseAccount, invite, places, setUp, signIn } from "./rig/acts.ts";
import { People } from "./rig/browser.ts";
import { run } from "./rig/process.ts";
import { Site } from "./rig/site.ts";

let site: Site;
let people: People;

beforeAll(async () => {
  site = await Site.start(4, 2);
  people = await People.start(site.pin);
});

afterAll(async () => {
  await people.end();
  await site.end();
});

test("who opens the hub before its first admin is told what is missing", async () => {
  const somebody = await people.person(site.url);
  await somebody.goto("/");
  await somebody.getByRole("heading", { name: "A set-up link is needed" }).waitFor();
  await somebody.getByText("cellular-hub user setup-link").waitFor();
});

test("the printed link sets up the first admin, who sees everything, and the first readings", async () => {
  const anna = await people.person(site.url);
  await setUp(anna, site);
  expect(await places(anna)).toEqual(["Overview", "Boards", "Sessions", "Tenants", "Routes and upstreams", "Certificates", "Production", "Firmware", "Rollouts", "Users", "API tokens", "Approvals", "Audit log", "System health"]);
  await anna.getByText("Heard from 0 of 4 boards within the hour.", { exact: false }).waitFor();
  const heard = await site.subscribe("#");
  site.boards(4);
  await heard.says(/tenant-0\/CB-00000000\/telemetry/);
  await anna.getByText("Heard from 4 of 4 boards within the hour. Every upstream is up.").waitFor({ timeout: 60_000 });
  expect(people.faults).toEqual([]);
});

test("a board's readings are seen as they pass, what they say by who may read them", async () => {
  const anna = await people.person(site.url);
  await signIn(anna, "anna");
  const link = await invite(anna, "otto", "Operator", "Tenant 0");
  const otto = await people.person(site.url);
  await chooseAccount(otto, link, null, "");
  for (const [who, sees] of [
    [anna, "not for your role"],
    [otto, "temperature"],
  ] as const) {
    await who.goto("/boards/CB-00000000");
    const passing = who.getByRole("region", { name: "Messages as they pass" });
    await passing.getByText("at the broker").first().waitFor();
    await passing.getByText(sees, { exact: false }).first().waitFor();
  }
  await otto.getByText(/(good|fair|weak|hardly any) signal/).waitFor();
  await otto.getByRole("button", { name: "Stop" }).click();
  await otto.getByText("stopped", { exact: true }).waitFor();
  expect(people.faults).toEqual([]);
});

test("the link works once", async () => {
  const other = await people.person(site.url);
  await other.goto(site.setupLink.slice(site.setupLink.indexOf("/setup")));
  await other.getByRole("alert").waitFor();
  expect(await other.getByRole("button", { name: "Set up and sign in" }).count()).toBe(0);
});

test("a token is shown once, and acts in its owner's name", async () => {
  const anna = await people.person(site.url);
  await signIn(anna, "anna");
  await anna.goto("/tokens");
  await anna.getByRole("button", { name: "Make a token" }).first().click();
  const dialog = anna.getByRole("dialog");
  await dialog.getByLabel("What for").fill("nightly report");
  await dialog.getByRole("combobox", { name: "May" }).click();
  await anna.getByRole("option", { name: "tenants:read" }).click();
  await dialog.getByRole("heading").first().click();
  await dialog.getByRole("button", { name: "Make a token" }).click();
  const token = await anna.getByRole("dialog", { name: "Your new token" }).locator("code").innerText();
  const curl = ["-s", "--cacert", `${site.dir}/pki/root.pem`, "-H", `Authorization: Bearer ${token}`];
  expect(run("curl", [...curl, `${site.url}/api/v1/tenants`])).toContain("tenant-1");
  await anna.getByRole("button", { name: "I have it" }).click();
  await anna.getByRole("cell", { name: "nightly report" }).waitFor();
  expect(await anna.content()).not.toContain(token);
});
