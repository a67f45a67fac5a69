import { expect, test } from "vitest";

import { follow } from "./shortcuts.ts";

const ran: string[] = [];
const shortcuts = {
  "?": () => ran.push("help"),
  "g b": () => ran.push("boards"),
  "/": () => ran.push("search"),
};

test("two keys in a row lead somewhere, and a wrong second key begins anew", () => {
  expect(follow(shortcuts, "", "g")).toEqual({ keys: "g" });
  follow(shortcuts, "g", "b").run?.();
  follow(shortcuts, "g", "?").run?.();
  expect(ran).toEqual(["boards", "help"]);
  expect(follow(shortcuts, "g", "x")).toEqual({ keys: "" });
  expect(follow(shortcuts, "g", "g")).toEqual({ keys: "g" });
});
