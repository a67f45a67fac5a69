import { expect, test } from "vitest";

import { senml } from "./senml.ts";

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

test("a pack says what was measured, with base name and units", () => {
  // [{-2: "CB-1/", 0: "seq", 2: 7}, {0: "temperature", 1: "Cel", 2: 21.5}, {0: "rsrp", 1: "dBm", 2: -97}, {0: "on", 4: true}]
  const pack = bytes("84a3216543422d312f0063736571" + "0207" + "a3006b74656d7065726174757265" + "016343656c" + "02f94d60" + "a30064727372700163" + "64426d" + "023860" + "a200626f6e04f5");
  expect(senml(pack)).toEqual([
    { name: "CB-1/seq", value: "7", unit: "" },
    { name: "CB-1/temperature", value: "21.5", unit: "Cel" },
    { name: "CB-1/rsrp", value: "-97", unit: "dBm" },
    { name: "CB-1/on", value: "true", unit: "" },
  ]);
});

test("what is cut off, too deep, too long or something else is no pack, and never more than that", () => {
  for (const bad of ["", "84", "9bffffffffffffffff", "a0", "818181818181818181", "f6", "8001", "81ff", "8162c328", "9f"]) expect(senml(bytes(bad)), bad).toBeNull();
  let state = 1;
  const random = () => (state = (state * 48271) % 2147483647) & 255;
  for (let round = 0; round < 20_000; round += 1) senml(Uint8Array.from({ length: random() % 40 }, random));
});
