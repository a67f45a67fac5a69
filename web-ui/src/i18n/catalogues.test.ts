import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { de } from "./de.ts";
import { en } from "./en.ts";
import { say, type Message } from "./index.ts";

const texts = (message: Message): string[] => (typeof message === "string" ? [message] : [message.one, message.other]);
const names = (message: Message): string[] =>
  [...new Set(texts(message).flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1] ?? "")))].sort();
const keys = Object.keys(en) as (keyof typeof en)[];

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes("i18n") && !name.includes(".test."))
    .map((name) => readFileSync(join(folder, name), "utf8"));
}

test("both catalogues have the same keys", () => {
  expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
});

test("each message names the same values in both languages, and says something", () => {
  for (const key of keys) {
    expect(names(de[key]), key).toEqual(names(en[key]));
    for (const text of [...texts(de[key]), ...texts(en[key])]) expect(text.trim(), key).not.toBe("");
  }
});

test("each message is used, and each that is used is there", () => {
  const all = sources(join(import.meta.dirname, "..")).join("\n");
  const asked = new Set([...all.matchAll(/\bt\(\s*"([^"]+)"/g)].map((found) => found[1] ?? ""));
  for (const key of asked) expect(keys).toContain(key);
  const prefixes = [...all.matchAll(/named\(\s*"([^"]+)"|\bt\(`([a-z-]+)\.\$/g)].map((found) => `${found[1] ?? found[2] ?? ""}.`);
  for (const key of keys) {
    const used = all.includes(`"${key}"`) || prefixes.some((prefix) => key.startsWith(prefix));
    expect(used, `${key} is used nowhere`).toBe(true);
  }
});

test("plurals and numbers follow the language", () => {
  const boards = { one: "{n} board", other: "{n} boards" };
  expect(say(boards, { n: 1 }, "en")).toBe("1 board");
  expect(say(boards, { n: 1234 }, "en")).toBe("1,234 boards");
  expect(say(boards, { n: 1234 }, "de")).toBe("1.234 boards");
});
