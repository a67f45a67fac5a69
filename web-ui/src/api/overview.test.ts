import { expect, test } from "vitest";

import { ratesOf } from "./overview.ts";

test("an event that tells no rates changes nothing", () => {
  for (const bad of ["", "{", "null", "[]", "{}", '{"messages":"1","bytes":2}']) expect(ratesOf(bad), bad).toBeNull();
  expect(ratesOf('{"at":"x","messages":1.5,"bytes":90,"handshakes":null}')).toEqual({ messages: 1.5, bytes: 90, handshakes: null, refused: null });
});
