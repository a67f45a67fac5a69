// Every page in both themes: nothing that axe finds, nothing that breaks the policy, nothing wider than the
// screen; and how it looks at 1440 and 390, left in target/ui-screenshots.
import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Page } from "playwright-core";

import { setUp, signIn } from "./rig/acts.ts";
import { People, violations } from "./rig/browser.ts";
import { ROOT } from "./rig/process.ts";
import { Site } from "./rig/site.ts";

const SHOTS = `${process.env["CARGO_TARGET_DIR"] ?? `${ROOT}target`}/ui-screenshots`;

const PAGES: Readonly<Record<string, string>> = {
  boards: "/boards",
  board: "/boards/CB-00000000",
  sessions: "/sessions",
  tenants: "/tenants",
  tenant: "/tenants/tenant-0",
  routes: "/routes",
  certificates: "/certificates",
  campaigns: "/certificates?tab=campaigns",
  production: "/production",
  firmware: "/firmware",
  rollouts: "/rollouts",
  "new-rollout": "/rollouts/new",
  users: "/users",
  tokens: "/tokens",
  approvals: "/approvals",
  audit: "/audit",
  system: "/system",
  account: "/account",
  "not-found": "/no/such/page",
  // Last: by then the hub has counted for a while.
  overview: "/",
};

let site: Site;
let people: People;
const open: { theme: string; width: number; page: Page }[] = [];

beforeAll(async () => {
  mkdirSync(SHOTS, { recursive: true });
  site = await Site.start(40, 2);
  site.boards(12);
  people = await People.start(site.pin);
  await setUp(await people.person(site.url), site);
  for (const theme of ["light", "dark"] as const) {
    for (const width of [1440, 390]) {
      const page = await people.person(site.url, { viewport: { width, height: 900 }, colorScheme: theme });
      await page.goto("/sign-in");
      await page.getByLabel("User name").waitFor();
      await look(page, "sign-in", theme, width);
      if (width === 390) await page.setViewportSize({ width: 1440, height: 900 });
      await signIn(page, "anna");
      await page.setViewportSize({ width, height: 900 });
      open.push({ theme, width, page });
    }
  }
});

afterAll(async () => {
  await people.end();
  await site.end();
});

async function look(page: Page, name: string, theme: string, width: number) {
  await page.screenshot({ path: `${SHOTS}/${name}-${width}-${theme}.png` });
  expect(await violations(page), `${name} ${theme} ${width}`).toEqual([]);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(wider, `${name} ${width} scrolls sideways`).toBeLessThanOrEqual(0);
}

test.each(Object.entries(PAGES))("%s", async (name, path) => {
  for (const { theme, width, page } of open) {
    await page.goto(path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.locator("[aria-busy=true]").first().waitFor({ state: "hidden" });
    if (name === "board") await page.getByText("at the broker").first().waitFor();
    if (name === "overview") await page.locator("canvas").last().waitFor();
    await look(page, name, theme, width);
    if (name !== "not-found") expect(await page.locator("main [role=alert]").allInnerTexts(), name).toEqual([]);
  }
  expect(people.faults).toEqual([]);
});

test("in German as in English", async () => {
  const page = open[0]?.page;
  if (page === undefined) throw new Error("no page is open");
  await page.goto("/account");
  await page.getByText("Deutsch").click();
  await page.getByRole("heading", { level: 1, name: "Ihr Konto" }).waitFor();
  await expect.poll(async () => await page.evaluate(() => document.documentElement.lang)).toBe("de");
  await page.goto("/tenants");
  await page.getByRole("heading", { level: 1, name: "Mandanten" }).waitFor();
  await look(page, "tenants-german", "light", 1440);
});
