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
