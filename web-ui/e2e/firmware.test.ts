// A signed image comes in, boards are chosen for it, and the rollout of it is seen to begin.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { setUp } from "./rig/acts.ts";
import { People, violations } from "./rig/browser.ts";
import { ROOT, run } from "./rig/process.ts";
import { Site } from "./rig/site.ts";

const IMGTOOL = `${process.env["CARGO_TARGET_DIR"] ?? `${ROOT}target`}/imgtool/bin/imgtool`;

let site: Site;
let people: People;
const at = (name: string) => join(site.folder, name);

beforeAll(async () => {
  site = await Site.start(8, 1);
  people = await People.start(site.pin);
  run("openssl", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", at("own.pem")]);
  run("openssl", ["pkey", "-in", at("own.pem"), "-pubout", "-out", at("own.pub.pem")]);
  site.command("firmware", "trust", "own", "--public-key", at("own.pub.pem"));
  writeFileSync(at("raw.bin"), Buffer.alloc(20_000, "what a compiler might have made"));
  const how = ["sign", "--header-size", "0x200", "--pad-header", "--align", "4", "--slot-size", "0x70000", "--version", "1.4.0", "--security-counter", "3"];
  run(IMGTOOL, [...how, "--key", at("own.pem"), at("raw.bin"), at("app.bin")]);
});

afterAll(async () => {
  await people.end();
  await site.end();
});

test("a signed image is taken in, what is none is refused in words, and a rollout of it is made, started, paused and ended", async () => {
  const anna = await people.person(site.url);
  await setUp(anna, site);
  await anna.goto("/firmware");
  await anna.getByRole("button", { name: "Upload an image" }).first().click();
  const dialog = anna.getByRole("dialog");
  await dialog.getByLabel("Product").fill("valve");
  await dialog.locator("input[type=file]").setInputFiles(at("raw.bin"));
  await dialog.getByRole("button", { name: "Upload an image" }).click();
  await dialog.getByText("the image is refused", { exact: false }).waitFor();
  await dialog.locator("input[type=file]").setInputFiles(at("app.bin"));
  await dialog.getByRole("button", { name: "Upload an image" }).click();
  await anna.getByRole("heading", { level: 1, name: "valve 1.4.0" }).waitFor();
  await anna.getByText("ready to be rolled out", { exact: false }).waitFor();
  expect(await violations(anna), "a release").toEqual([]);

  await anna.getByRole("button", { name: "New rollout" }).click();
  await anna.getByText("8 boards fit.").waitFor();
  await anna.getByLabel("Name").fill("spring");
  const first = anna.getByRole("group", { name: "Group 1" });
  await first.getByLabel("Who").selectOption("count");
  await first.getByLabel("How many").fill("2");
  expect(await violations(anna), "a new rollout").toEqual([]);
  await anna.getByRole("button", { name: "Make the rollout" }).click();
  await anna.getByRole("heading", { level: 1, name: "spring" }).waitFor();
  await anna.getByText("0 / 2").waitFor();
  await anna.getByText("0 / 6").waitFor();
  expect(await violations(anna), "a rollout").toEqual([]);

  await anna.getByRole("button", { name: "Start" }).click();
  await anna.getByLabel("Reason").fill("fixes the leak");
  await anna.getByRole("dialog").getByRole("button", { name: "Start" }).click();
  await anna.getByRole("button", { name: "Pause" }).click();
  await anna.getByText("the 8 boards that do not run it yet", { exact: false }).waitFor();
  await anna.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  await anna.getByText(/paused by .*anna/).waitFor();
  await anna.getByRole("button", { name: "End it" }).click();
  await anna.getByLabel("Type spring to confirm").fill("spring");
  await anna.getByRole("button", { name: "End it for good" }).click();
  await anna.getByText("boards that have it keep it", { exact: false }).waitFor();
  expect(people.faults).toEqual([]);
});
