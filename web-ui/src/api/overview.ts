// How the fleet is, and what changes in it while one looks: rates as they come, everything else when the hub
// says that it changed, and each quarter of a minute. What comes does not grow with the fleet.
import { queryOptions, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { api, body, type Schemas } from "./client.ts";

export type Overview = Schemas["Overview"];
type Rates = Schemas["Rates"];

export const overview = queryOptions({
  queryKey: ["overview"],
  queryFn: () => body(api.GET("/api/v1/overview")),
  refetchInterval: 15_000,
});

/** The rates that an event tells; nothing where it is none. */
export function ratesOf(text: string): Rates | null {
  try {
    const raw: unknown = JSON.parse(text);
    if (typeof raw !== "object" || raw === null) return null;
    const { messages, bytes, handshakes, refused } = raw as Record<string, unknown>;
    if (typeof messages !== "number" || typeof bytes !== "number") return null;
    const some = (rate: unknown) => (typeof rate === "number" ? rate : null);
    return { messages, bytes, handshakes: some(handshakes), refused: some(refused) };
  } catch {
    return null;
  }
}

/** What the hub tells while one looks: the rates now, where they come; what was read is read again when the
    hub says that it changed. Rates stay apart from it: each change of what was read puts its next reading off. */
export function useLive(): { live: boolean; rates: Rates | null } {
  const queries = useQueryClient();
  const [live, setLive] = useState(false);
  const [rates, setRates] = useState<Rates | null>(null);
  useEffect(() => {
    const events = new EventSource("/api/v1/events");
    events.onopen = () => setLive(true);
    events.onerror = () => {
      setLive(false);
      setRates(null);
    };
    events.addEventListener("rates", (event: MessageEvent<string>) => setRates(ratesOf(event.data)));
    const again = () => void queries.invalidateQueries({ queryKey: overview.queryKey });
    for (const name of ["upstream", "attention"]) events.addEventListener(name, again);
    return () => events.close();
  }, [queries]);
  return { live, rates };
}
