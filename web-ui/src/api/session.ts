// Signing in and out.
import { queryOptions, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

import { api, body, type Schemas } from "./client.ts";

export type Session = Schemas["Session"];

export const session = queryOptions({
  queryKey: ["session"],
  queryFn: () => body(api.GET("/api/v1/session")),
  staleTime: 0,
  retry: false,
});

/** Ends the session here and at the hub, and forgets what was read in it. */
export function useSignOut(): () => void {
  const queries = useQueryClient();
  const navigate = useNavigate();
  return () => {
    void (async () => {
      await api.DELETE("/api/v1/session").catch(() => undefined);
      queries.clear();
      await navigate({ to: "/sign-in" });
    })();
  };
}

const PLACE = "place";

/** Where to go on once the provider has sent the browser back, which it does to the first page. */
export function rememberPlace(place: string): void {
  sessionStorage.setItem(PLACE, place);
}

/** The place that was remembered; once. */
export function rememberedPlace(): string | null {
  const place = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE);
  return place === "/" ? null : place;
}
