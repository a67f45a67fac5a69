import { expect, test } from "vitest";

import { latest, parse, readable, signal } from "./messages.ts";

const bytes = (...of: number[]) => Uint8Array.from(of);

test("text is shown as text, and anything else as bytes", () => {
  expect(readable(new TextEncoder().encode('{"t":21.5}'))).toBe('{"t":21.5}');
  expect(readable(bytes(0x82, 0xa3, 0x00))).toBe("82 a3 00");
  expect(readable(bytes(0x41, 0x00))).toBe("41 00");
});

test("an event that is no message shows nothing", () => {
  const rest = '"resource":"t","size":2,"outcome":"accepted","latency_ms":3';
  for (const bad of ["", "{", "[]", "null", '{"at":1}', `{"at":1,${rest}}`, `{"at":"x",${rest},"payload":"*"}`]) expect(parse(bad, "1"), bad).toBeNull();
  expect(parse(`{"at":"2026-01-01T00:00:00Z",${rest},"payload":"aGk="}`, "1")?.said).toBe("hi");
  expect(parse(`{"at":"2026-01-01T00:00:00Z",${rest}}`, "1")?.said).toBeNull();
  const pack = parse(`{"at":"2026-01-01T00:00:00Z",${rest},"content_format":112,"payload":"gaIAYWECBw=="}`, "1");
  expect(pack?.said).toEqual([{ name: "a", value: "7", unit: "" }]);
});

test("of each reading the newest value is the latest, and what is no pack says none", () => {
  const message = (key: string, said: Parameters<typeof latest>[0][number]["said"]) => ({ key, at: "2026-01-01T00:00:00Z", resource: "t", size: 1, outcome: "accepted", took: 1, said });
  const rsrp = (value: string) => ({ name: "rsrp", value, unit: "dBm" });
  const battery = { name: "battery", value: "3.9", unit: "V" };
  expect(latest([message("3", "bytes"), message("2", [rsrp("-101")]), message("1", [rsrp("-90"), battery]), message("0", null)])).toEqual([rsrp("-101"), battery]);
  expect([-80, -100, -115, -125].map(signal)).toEqual(["good", "fair", "weak", "poor"]);
});
