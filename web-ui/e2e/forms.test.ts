// What is entered is what the hub then has: each form with something in it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Page } from "playwright-core";

import { choose, chooseAccount, invite, setUp } from "./rig/acts.ts";
import { People, violations } from "./rig/browser.ts";
import { ROOT, run } from "./rig/process.ts";
import { Site } from "./rig/site.ts";

const IMGTOOL = `${process.env["CARGO_TARGET_DIR"] ?? `${ROOT}target`}/imgtool/bin/imgtool`;

let site: Site;
let people: People;
let anna: Page;
let bo: Page;
const at = (name: string) => join(site.folder, name);
const dialog = (page: Page) => page.getByRole("dialog");
const closed = (page: Page) => dialog(page).waitFor({ state: "hidden" });

beforeAll(async () => {
  site = await Site.start(4, 1);
  people = await People.start(site.pin);
  anna = await people.person(site.url);
  await setUp(anna, site);
  const link = await invite(anna, "bo", "Platform admin");
  bo = await people.person(site.url);
  await chooseAccount(bo, link, null, "");
});

afterAll(async () => {
  await people.end();
  await site.end();
});

test("a tenant is added, and has an authority for its boards at once", async () => {
  await anna.goto("/tenants");
  await anna.getByRole("button", { name: "Add a tenant" }).click();
  await dialog(anna).getByLabel("Id").fill("acme");
  await dialog(anna).getByLabel("Name").fill("Acme Pumps");
  await dialog(anna).getByRole("button", { name: "Add a tenant" }).click();
  await anna.getByRole("heading", { level: 1, name: "Acme Pumps" }).waitFor();
  expect(site.command("authority", "list")).toContain("acme/1");
});

test("a tenant's quota is changed, and what is not said stays the configuration's", async () => {
  await anna.goto("/tenants/tenant-0");
  const quota = anna.getByRole("region", { name: "Quota" });
  await quota.getByRole("button", { name: "Change" }).click();
  await dialog(anna).getByRole("group", { name: "Each board" }).getByLabel("Readings a minute").fill("120");
  await dialog(anna).getByLabel("Bytes a month of a board's data plan").fill("500000");
  await dialog(anna).getByRole("button", { name: "Save" }).click();
  await closed(anna);
  await quota.getByRole("row", { name: /Readings a minute/ }).getByText("120").waitFor();
  const now = site.command("tenant", "show", "tenant-0", "--json");
  expect(now).toMatch(/"messages_per_minute": ?120/);
  expect(now).toMatch(/"data_plan": ?500000/);
});

test("a batch is opened, its token is shown once, its station is revoked, and it is closed", async () => {
  await anna.goto("/production");
  await anna.getByRole("button", { name: "Open a batch" }).first().click();
  await choose(anna, "Tenant", "Tenant 0");
  await dialog(anna).getByLabel("Batch").fill("spring");
  await dialog(anna).getByLabel("Ids begin with").fill("CB-7");
  await dialog(anna).getByLabel("Boards at most").fill("2");
  await dialog(anna).getByRole("button", { name: "Open a batch" }).click();
  await anna.getByText("0 / 2").waitFor();
  await anna.getByRole("button", { name: "One-time token" }).click();
  const shown = anna.getByRole("dialog", { name: "A token for one board" });
  const token = await shown.locator("code").innerText();
  expect(token.length).toBeGreaterThan(20);
  await shown.getByRole("button", { name: "I have it" }).click();
  await closed(anna);
  expect(await anna.content()).not.toContain(token);
  // Who may enrol its boards, and then may not.
  site.command("station", "issue", "line-1", "--tenant", "tenant-0", "--batch", "spring", "--out", at("line.pem"), "--key", at("line.key.pem"));
  await anna.reload();
  const line = anna.getByRole("group", { name: "Stations" }).getByRole("row", { name: /line-1/ });
  await line.getByText("enrols").waitFor();
  await line.getByRole("button", { name: "Revoke" }).click();
  await dialog(anna).getByLabel("Reason").fill("the line is sold");
  await dialog(anna).getByRole("button", { name: "Revoke this station" }).click();
  await closed(anna);
  await line.getByText("revoked").waitFor();
  expect(site.command("station", "list")).toContain("revoked");
  const spring = anna.getByRole("group", { name: "Batches" }).getByRole("row", { name: /spring/ });
  await spring.getByRole("button", { name: "Close" }).click();
  await dialog(anna).getByText("2 more had room", { exact: false }).waitFor();
  await dialog(anna).getByLabel("Type spring to confirm").fill("spring");
  await dialog(anna).getByRole("button", { name: "Close", exact: true }).last().click();
  await anna.getByRole("cell", { name: "closed" }).waitFor();
});

test("a session is ended, and a certificate is revoked", async () => {
  site.boards(1);
  await anna.goto("/sessions");
  await expect
    .poll(async () => {
      await anna.reload();
      await anna.getByRole("heading", { level: 1 }).waitFor();
      return await anna.getByRole("button", { name: "End session" }).count();
    })
    .toBe(1);
  await anna.getByRole("button", { name: "End session" }).click();
  await dialog(anna).getByRole("button", { name: "End session" }).click();
  await closed(anna);
  await expect.poll(() => site.command("audit", "export")).toContain("session.end");

  await anna.goto("/certificates?tab=boards");
  const row = anna.getByRole("row", { name: /CB-00000002/ });
  await anna.getByText("any time").click();
  await row.getByRole("button", { name: "Revoke" }).click();
  await dialog(anna).getByLabel("Reason").fill("the key was seen");
  await dialog(anna).getByLabel("Type CB-00000002 to confirm").fill("CB-00000002");
  await dialog(anna).getByRole("button", { name: "Revoke this certificate" }).click();
  await closed(anna);
  await row.waitFor({ state: "hidden" });
  expect(site.command("board", "show", "CB-00000002", "--json")).not.toContain("not_after");
});

/** An image without a signature, as a compiler and imgtool make one. */
function image(version: string): string {
  writeFileSync(at("raw.bin"), Buffer.alloc(20_000, version));
  const how = ["sign", "--header-size", "0x200", "--pad-header", "--align", "4", "--slot-size", "0x70000", "--version", version, "--security-counter", "3"];
  run(IMGTOOL, [...how, at("raw.bin"), at(`${version}.bin`)]);
  return at(`${version}.bin`);
}

async function ask(version: string, key: string | null) {
  await anna.goto("/firmware");
  await anna.getByRole("button", { name: "Upload an image" }).first().click();
  await dialog(anna).getByLabel("Product").fill("valve");
  await dialog(anna).locator("input[type=file]").setInputFiles(image(version));
  await dialog(anna).getByRole("button", { name: "Upload an image" }).click();
  await anna.getByRole("heading", { level: 1, name: `valve ${version}` }).waitFor();
  const release = new URL(anna.url()).pathname;
  await anna.getByRole("button", { name: "Ask for signing" }).click();
  if (key !== null) await choose(anna, "With which key", key);
  await dialog(anna).getByLabel("Reason").fill("tested for a week");
  await dialog(anna).getByRole("button", { name: "Ask for signing" }).click();
  await anna.getByRole("heading", { level: 1, name: "Approvals" }).waitFor();

  await bo.goto("/approvals");
  await bo.getByRole("button", { name: "Approve" }).click();
  const typed = dialog(bo).getByRole("textbox");
  const what = ((await dialog(bo).innerText()).match(/Type (\S+) to confirm/) ?? [])[1];
  if (what !== undefined) await typed.fill(what);
  await dialog(bo).getByRole("button", { name: "Approve and carry out now" }).click();
  await closed(bo);
  await bo.getByText("approved and done", { exact: false }).first().waitFor();
  await anna.goto(release);
  return release;
}

test("what boards run in the field is counted, and those that never said so are named", async () => {
  await anna.goto("/firmware");
  await anna.getByRole("region", { name: "In the field" }).getByText("4 of 4 boards have never said what they run.").waitFor();
});

test("firmware is signed by two people, or by a key elsewhere once two have allowed it; notes are kept", async () => {
  site.command("key", "new", "firmware");
  await ask("1.4.0", null);
  await anna.getByText("ready to be rolled out", { exact: false }).waitFor();
  await anna.getByRole("button", { name: "Edit notes" }).click();
  await dialog(anna).getByLabel("What is new").fill("Closes the valve in time.");
  await dialog(anna).getByRole("button", { name: "Save" }).click();
  await closed(anna);
  await anna.getByText("Closes the valve in time.").waitFor();

  run("openssl", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", at("own.pem")]);
  run("openssl", ["pkey", "-in", at("own.pem"), "-pubout", "-out", at("own.pub.pem")]);
  site.command("firmware", "trust", "own", "--public-key", at("own.pub.pem"));
  const release = await ask("1.5.0", "One that is elsewhere: the signature is brought afterwards");
  await anna.getByRole("button", { name: "Bring the signature" }).click();
  site.command("firmware", "digest", release.slice(release.lastIndexOf("/") + 1), "--out", at("digest"));
  run("openssl", ["pkeyutl", "-sign", "-inkey", at("own.pem"), "-in", at("digest"), "-out", at("signature")]);
  await dialog(anna).getByLabel("Or the signature in base64").fill(Buffer.from(at("signature")).toString("base64"));
  await dialog(anna).getByRole("button", { name: "Bring the signature" }).click();
  await dialog(anna).getByRole("alert").waitFor();
  await dialog(anna).getByLabel("Or the signature in base64").fill(readFileSync(at("signature")).toString("base64"));
  await dialog(anna).getByRole("button", { name: "Bring the signature" }).click();
  await closed(anna);
  await anna.getByText("own ·", { exact: false }).waitFor();
});

test("a rollout that is paused goes on with another release, all boards anew", async () => {
  await anna.goto("/rollouts/new?release=1");
  await anna.getByText("4 boards fit.").waitFor();
  // What it would mean, before there is one.
  await anna.getByText("of 4 that fit").waitFor();
  await anna.getByText("4 have never said what they run", { exact: false }).waitFor();
  await anna.getByLabel("Name").fill("leak");
  await anna.getByRole("button", { name: "Make the rollout" }).click();
  await anna.getByRole("heading", { level: 1, name: "leak" }).waitFor();
  await anna.getByRole("button", { name: "Start" }).click();
  await dialog(anna).getByLabel("Reason").fill("fixes the leak");
  await dialog(anna).getByRole("button", { name: "Start" }).click();
  await closed(anna);
  await anna.getByRole("button", { name: "Pause" }).click();
  await dialog(anna).getByRole("button", { name: "Pause" }).click();
  await closed(anna);
  await anna.getByRole("button", { name: "With another release" }).click();
  await choose(anna, "Release", "valve 1.5.0");
  await dialog(anna).getByRole("button", { name: /4 boards/ }).click();
  await closed(anna);
  await anna.getByRole("region", { name: "This rollout" }).getByRole("link", { name: "2", exact: true }).waitFor();
});

test("a campaign that has boards renew under another authority, goes on after a pause, and is ended", async () => {
  site.command("authority", "add", "tenant-0");
  site.command("authority", "use", "tenant-0/2");
  await anna.goto("/certificates?tab=campaigns");
  await anna.getByRole("button", { name: "New campaign" }).click();
  await choose(anna, "Authority that is left", "tenant-0/1");
  await choose(anna, "Authority that boards go to", "tenant-0/2");
  await dialog(anna).getByLabel("Reason").fill("ends in spring");
  await dialog(anna).getByLabel("First group").fill("0");
  expect(await violations(anna), "a new campaign").toEqual([]);
  await dialog(anna).getByRole("button", { name: "Make the campaign" }).click();
  await anna.getByRole("heading", { level: 1, name: "tenant-0/1 to tenant-0/2" }).waitFor();
  await anna.getByRole("button", { name: "Start" }).click();
  await dialog(anna).getByRole("button", { name: "Start" }).click();
  await closed(anna);
  await anna.getByRole("button", { name: "Pause" }).click();
  await dialog(anna).getByRole("button", { name: "Pause" }).click();
  await closed(anna);
  expect(await violations(anna), "a campaign").toEqual([]);
  await anna.getByRole("link", { name: "Campaigns" }).click();
  await anna.getByRole("region", { name: "When certificates end" }).getByRole("link", { name: /tenant-0\/1 to tenant-0\/2/ }).click();
  await anna.getByRole("button", { name: "Go on" }).click();
  await dialog(anna).getByRole("button", { name: "Go on" }).click();
  await closed(anna);
  await anna.getByRole("button", { name: "End it" }).click();
  await dialog(anna).getByLabel("Type tenant-0/1 to confirm").fill("tenant-0/1");
  await dialog(anna).getByRole("button", { name: "End it for good" }).click();
  await anna.getByText("boards that have not renewed stay as they are", { exact: false }).waitFor();
  expect(people.faults).toEqual([]);
});
