// Signing in: a passkey by Chromium's virtual authenticator, a second factor, and the way out of both.
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Page } from "playwright-core";

import { PASSWORD, setUp } from "./rig/acts.ts";
import { People } from "./rig/browser.ts";
import { Site } from "./rig/site.ts";

let site: Site;
let people: People;
let anna: Page;

beforeAll(async () => {
  site = await Site.start(2, 1);
  people = await People.start(site.pin);
  anna = await people.person(site.url);
  await setUp(anna, site);
});

afterAll(async () => {
  await people.end();
  await site.end();
});

async function signOut(page: Page) {
  await page.locator("aside").getByRole("button", { name: "anna" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}

test("a passkey is added, and signs in without name and password", async () => {
  const device = await anna.context().newCDPSession(anna);
  await device.send("WebAuthn.enable");
  await device.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  await anna.goto("/account");
  await anna.getByRole("button", { name: "Add a passkey" }).click();
  await anna.getByLabel("Name of the device").fill("Virtual");
  await anna.getByRole("dialog").getByRole("button", { name: "Add a passkey" }).click();
  await anna.getByText("Virtual", { exact: true }).waitFor();
  await signOut(anna);
  await anna.getByRole("button", { name: "With a passkey" }).click();
  await anna.getByRole("navigation", { name: "Places" }).waitFor();
  expect(people.faults).toEqual([]);
});

/** RFC 6238 as an authenticator does it. */
function code(secret: string, at: number): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = Array.from(secret.replace(/=|\s/g, ""), (char) => alphabet.indexOf(char).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const digest = createHmac("sha1", key).update(counter).digest();
  const offset = (digest[19] ?? 0) & 15;
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

test("with a second factor the password alone lets nobody in, and a recovery code does once", async () => {
  await anna.goto("/account");
  await anna.getByRole("button", { name: "Switch on" }).click();
  const dialog = anna.getByRole("dialog");
  const secret = await dialog.locator("code").innerText();
  await dialog.getByLabel("Digit 1").click();
  await anna.keyboard.type(code(secret, Date.now()));
  await dialog.getByRole("button", { name: "Switch on" }).click();
  const codes = await anna.getByRole("dialog", { name: "Recovery codes" }).locator("code").innerText();
  await anna.getByRole("button", { name: "I have it" }).click();
  await signOut(anna);

  await anna.getByLabel("User name").fill("anna");
  await anna.getByLabel(/^Password/).fill(PASSWORD);
  await anna.getByRole("button", { name: "Sign in", exact: true }).click();
  await anna.getByRole("heading", { name: "One more step" }).waitFor();
  await anna.getByRole("button", { name: "I have lost my authenticator" }).click();
  await anna.getByLabel("Recovery code").fill(codes.split("\n")[0] ?? "");
  await anna.getByRole("button", { name: "Sign in", exact: true }).click();
  await anna.getByRole("navigation", { name: "Places" }).waitFor();
});

test("a wrong password is refused in words that do not say whether the name exists", async () => {
  const somebody = await people.person(site.url);
  const said: string[] = [];
  for (const user of ["anna", "nobody"]) {
    await somebody.goto("/sign-in");
    await somebody.getByLabel("User name").fill(user);
    await somebody.getByLabel(/^Password/).fill("not the password at all");
    await somebody.getByRole("button", { name: "Sign in", exact: true }).click();
    said.push(await somebody.getByRole("alert").innerText());
  }
  expect(said[0]).toBe(said[1]);
});
