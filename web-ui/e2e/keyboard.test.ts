// An admin's morning without a mouse.
import { afterAll, beforeAll, expect, test } from "vitest";

import { PASSWORD, setUp } from "./rig/acts.ts";
import { People } from "./rig/browser.ts";
import { Site } from "./rig/site.ts";

/** Presses keys one upon the other, before any timer or frame; a click is what Enter is to a button. */
async function quickly(keys: readonly string[]) {
  for (const key of keys) {
    const at = document.activeElement as HTMLElement;
    at.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    if (key === "Enter") at.click();
    await Promise.resolve();
  }
}

let site: Site;
let people: People;

beforeAll(async () => {
  site = await Site.start(2, 1);
  site.command("tenant", "add", "leaving", "--name", "Leaving Ltd");
  people = await People.start(site.pin);
});

afterAll(async () => {
  await people.end();
  await site.end();
});

test("signing in, finding a tenant and asking to delete it takes a keyboard alone", async () => {
  const first = await people.person(site.url);
  await setUp(first, site);
  const page = await people.person(site.url);
  const { keyboard } = page;
  await page.goto("/tenants");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  const focus = async () => await page.evaluate(() => document.activeElement?.getAttribute("autocomplete") ?? "");
  for (let tabs = 0; tabs < 6 && !(await focus()).startsWith("username"); tabs += 1) await keyboard.press("Tab");
  await keyboard.type("anna");
  for (let tabs = 0; tabs < 6 && !(await focus()).startsWith("current-password"); tabs += 1) await keyboard.press("Tab");
  await keyboard.type(PASSWORD);
  await keyboard.press("Enter");
  // Back where one wanted to be.
  await page.getByRole("heading", { level: 1, name: "Tenants" }).waitFor();
  await page.getByRole("link", { name: "Leaving Ltd" }).waitFor();

  await keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });

  // The list, and what can be done to what it leads to.
  await keyboard.press("j");
  await page.locator("tr[data-here=true]").getByText("Leaving Ltd").waitFor();
  await keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Leaving Ltd" }).waitFor();
  const name = async () => await page.evaluate(() => document.activeElement?.textContent ?? "");
  for (let tabs = 0; tabs < 40 && (await name()) !== "More"; tabs += 1) await keyboard.press("Tab");
  await keyboard.press("Enter");
  for (let downs = 0; downs < 4 && (await name()) !== "Delete"; downs += 1) await keyboard.press("ArrowDown");
  expect(await name()).toBe("Delete");
  await keyboard.press("Enter");
  await page.getByRole("dialog", { name: /Leaving|leaving/ }).waitFor();
  await keyboard.type("the contract has ended");
  expect(await page.getByLabel("Reason").inputValue()).toBe("the contract has ended");
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  expect(await name(), "the focus is where it was").toBe("More");

  // No key of somebody quick is lost: none waits for what the one before it has opened.
  await page.evaluate(quickly, ["Enter", "ArrowDown", "Enter"]);
  await page.getByRole("dialog").getByText("Ask for approval to delete").waitFor();
  expect(await page.evaluate(() => document.activeElement?.closest("[role=dialog]") !== null)).toBe(true);
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });

  // By palette to a page, by two keys to another.
  await keyboard.press("Control+k");
  await expect.poll(async () => await page.evaluate(() => document.activeElement?.matches("[role=dialog] input"))).toBe(true);
  await keyboard.type("Audit");
  await page.getByRole("dialog").getByText("Audit log").waitFor();
  await keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Audit log" }).waitFor();
  // Two keys in a row within a second: on a machine that is busy, as often as it takes.
  await expect
    .poll(async () => {
      await keyboard.press("g");
      await keyboard.press("u");
      return await page.getByRole("heading", { level: 1, name: "Users" }).isVisible();
    })
    .toBe(true);
  expect(people.faults).toEqual([]);
});
