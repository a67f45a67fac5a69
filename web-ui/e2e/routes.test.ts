// An upstream is tried out with a message that really arrives.
import { afterAll, beforeAll, expect, test } from "vitest";

import { choose, setUp } from "./rig/acts.ts";
import { People } from "./rig/browser.ts";
import { Site } from "./rig/site.ts";

let site: Site;
let people: People;

beforeAll(async () => {
  site = await Site.start(4, 1);
  people = await People.start(site.pin);
});

afterAll(async () => {
  await people.end();
  await site.end();
});

test("the test button publishes, a broker that is away is named, and a route is added", async () => {
  const anna = await people.person(site.url);
  await setUp(anna, site);
  await anna.goto("/routes");
  const heard = await site.subscribe("#");
  await anna.getByRole("button", { name: "Test", exact: true }).click();
  const dialog = anna.getByRole("dialog");
  await dialog.getByLabel("Topic").fill("tenant-0/hello");
  await dialog.getByRole("button", { name: "Publish a test message" }).click();
  await dialog.getByText("The broker acknowledged it.").waitFor();
  await heard.says(/tenant-0\/hello/);

  await site.stopBroker();
  await dialog.getByRole("button", { name: "Publish a test message" }).click();
  await dialog.getByText("It did not arrive.").waitFor({ timeout: 60_000 });
  await dialog.getByRole("button", { name: "Close" }).last().click();

  await anna.getByRole("button", { name: "Add a route" }).click();
  await choose(anna, "Tenant", "Tenant 0");
  await choose(anna, "Upstream", "broker");
  await anna.getByRole("dialog").getByLabel("Resource").fill("status");
  await anna.getByRole("dialog").getByRole("button", { name: "Add a route" }).click();
  await anna.getByText("/status", { exact: true }).waitFor();
  expect(people.faults).toEqual([]);
});
