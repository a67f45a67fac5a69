// Keys that do something wherever one is: single ones ("?") and two in a row ("g b"). They are out of
// force while somebody types, and while a dialogue is open.
import { useEffect, useRef } from "react";

export type Shortcuts = Readonly<Record<string, () => void>>;

const WITHIN_MS = 900;

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable], [role=dialog]") !== null;
}

/** What Enter itself does something to. */
function isPressed(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest("a, button, summary, [role=menu]") !== null;
}

/** What a key press leads to: the keys so far, and whether that is a shortcut. */
export function follow(shortcuts: Shortcuts, before: string, key: string): { keys: string; run?: () => void } {
  const pair = before === "" ? key : `${before} ${key}`;
  for (const keys of [pair, key]) {
    const run = shortcuts[keys];
    if (run !== undefined) return { keys: "", run };
    if (Object.keys(shortcuts).some((known) => known.startsWith(`${keys} `))) return { keys };
  }
  return { keys: "" };
}

export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  useEffect(() => {
    let before = "";
    let at = 0;
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.key === "Enter" && isPressed(event.target)) return;
      if (document.querySelector("[role=dialog]") !== null) return;
      if (event.timeStamp - at > WITHIN_MS) before = "";
      at = event.timeStamp;
      const { keys, run } = follow(latest.current, before, event.key);
      before = keys;
      if (run === undefined) return;
      event.preventDefault();
      run();
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}
