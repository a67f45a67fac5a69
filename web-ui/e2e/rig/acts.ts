// What people do over and over: set up, sign in, invite each other.
import { expect } from "vitest";
import type { Page } from "playwright-core";

import type { Site } from "./site.ts";

export const PASSWORD = "a sentence that only the tests know";

/** The first person, from the link that the hub printed. */
export async function setUp(page: Page, site: Site, user = "anna"): Promise<void> {
  expect(site.setupLink, site.hubSaid).not.toBe("");
  await chooseAccount(page, site.setupLink.slice(site.setupLink.indexOf("/setup")), user, "Anna Berg");
}

/** A one-time link, followed to its end. */
export async function chooseAccount(page: Page, link: string, user: string | null, name: string): Promise<void> {
  await page.goto(link);
  if (user !== null) {
    await page.getByLabel("User name").fill(user);
    await page.getByLabel("Your name").fill(name);
  }
  await page.getByLabel(/^Password/).fill(PASSWORD);
  await page.getByLabel("The password again").fill(PASSWORD);
  await page.getByRole("button", { name: "Set up and sign in" }).click();
  await page.getByRole("navigation", { name: "Places" }).waitFor();
}

export async function signIn(page: Page, user: string): Promise<void> {
  await page.goto("/sign-in");
  await page.getByLabel("User name").fill(user);
  await page.getByLabel(/^Password/).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("navigation", { name: "Places" }).waitFor();
}

/** Adds somebody with one role; the link to hand over. */
export async function invite(admin: Page, user: string, role: string, tenant?: string): Promise<string> {
  await admin.goto("/users");
  await admin.getByRole("button", { name: "Add a user" }).click();
  const dialog = admin.getByRole("dialog");
  await dialog.getByLabel("User name").fill(user);
  await dialog.getByLabel("Your name").fill(`The ${role}`);
  await choose(admin, "Role", role);
  if (tenant !== undefined) await choose(admin, "Where", tenant);
  await dialog.getByRole("button", { name: "Add a user" }).click();
  const shown = admin.getByRole("dialog", { name: "Hand over this link" });
  const link = await shown.locator("code").innerText();
  await shown.getByRole("button", { name: "I have it" }).click();
  return link.slice(link.indexOf("/setup"));
}

/** Chooses from a list of the open dialogue. */
export async function choose(page: Page, label: string, option: string): Promise<void> {
  await page.getByRole("dialog").getByRole("combobox", { name: label }).click();
  await page.getByRole("option", { name: option, exact: true }).click();
}

/** What stands in the rail. */
export async function places(page: Page): Promise<string[]> {
  return await page.getByRole("navigation", { name: "Places" }).getByRole("link").allInnerTexts();
}
