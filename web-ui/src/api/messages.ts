// A board's messages as they pass: the last few, in this page's memory alone.
import { useEffect, useState } from "react";

import { board as boardOf } from "./boards.ts";
import { queries } from "./queries.ts";
import { SENML_CBOR, senml, type Reading } from "./senml.ts";

export type Message = {
  key: string;
  at: string;
  resource: string;
  size: number;
  outcome: string;
  took: number;
  /** What it says; nothing for who may not read it. */
  said: readonly Reading[] | string | null;
};

const KEPT = 100;

/** What is text is shown as text, everything else as hexadecimal bytes. */
export function readable(payload: Uint8Array): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
    // eslint-disable-next-line no-control-regex -- what cannot be printed is looked for
    if (!/[\u0000-\u0008\u000e-\u001f\u007f]/.test(text)) return text;
  } catch {
    // Not UTF-8.
  }
  return [...payload].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

export function parse(text: string, key: string): Message | null {
  try {
    const raw: unknown = JSON.parse(text);
    if (typeof raw !== "object" || raw === null) return null;
    const { at, resource, size, outcome, latency_ms: took, payload, content_format: format } = raw as Record<string, unknown>;
    if (typeof at !== "string" || typeof resource !== "string" || typeof size !== "number" || typeof outcome !== "string" || typeof took !== "number") return null;
    const bytes = typeof payload === "string" ? Uint8Array.from(atob(payload), (char) => char.charCodeAt(0)) : null;
    const said = bytes === null ? null : ((format === SENML_CBOR ? senml(bytes) : null) ?? readable(bytes));
    return { key, at, resource, size, outcome, took, said };
  } catch {
    // Neither JSON nor base64: not a message.
    return null;
  }
}

/** Each reading's newest value among these, which are the newest first. */
export function latest(messages: readonly Message[]): readonly Reading[] {
  const readings = new Map<string, Reading>();
  for (const { said } of messages) {
    if (said === null || typeof said === "string") continue;
    for (const reading of said) if (!readings.has(reading.name)) readings.set(reading.name, reading);
  }
  return [...readings.values()];
}

/** How good a signal is, by its RSRP in dBm: what modems draw as bars. */
export function signal(dbm: number): "good" | "fair" | "weak" | "poor" {
  if (dbm >= -95) return "good";
  if (dbm >= -108) return "fair";
  return dbm >= -120 ? "weak" : "poor";
}

/** Messages from now on, the newest first, while nobody has stopped them; and whether the hub is heard. */
export function useMessages(board: string, stopped: boolean): { messages: readonly Message[]; live: boolean } {
  const [messages, setMessages] = useState<readonly Message[]>([]);
  const [live, setLive] = useState(false);
  useEffect(() => {
    if (stopped) return undefined;
    let count = 0;
    const source = new EventSource(`/api/v1/boards/${encodeURIComponent(board)}/messages`);
    source.onopen = () => setLive(true);
    source.onerror = () => setLive(false);
    source.addEventListener("message", (event: MessageEvent<string>) => {
      count += 1;
      const message = parse(event.data, `${Date.now()}-${count}`);
      if (message === null) return;
      setMessages((before) => [message, ...before].slice(0, KEPT));
      // The hub writes down every little while when a board was heard; this is newer.
      queries.setQueryData(boardOf(board).queryKey, (seen) => seen && { ...seen, last_seen: message.at });
    });
    return () => {
      source.close();
      setLive(false);
    };
  }, [board, stopped]);
  return { messages, live };
}
