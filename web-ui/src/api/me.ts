// Who has signed in, and what they may: decides what is shown. What is allowed, the hub decides.
import { queryOptions, useSuspenseQuery } from "@tanstack/react-query";

import { api, body, type Schemas } from "./client.ts";

export type Me = Schemas["Me"];

/** As the hub names them. */
export type Permission =
  | "approvals:decide"
  | "approvals:read"
  | "audit:read"
  | "authorities:write"
  | "batches:read"
  | "batches:write"
  | "boards:block"
  | "boards:read"
  | "boards:write"
  | "certificates:read"
  | "certificates:write"
  | "firmware:read"
  | "firmware:sign"
  | "firmware:write"
  | "messages:read"
  | "rollouts:read"
  | "rollouts:write"
  | "routes:read"
  | "routes:write"
  | "system:read"
  | "tenants:read"
  | "tenants:write"
  | "users:read"
  | "users:write";

export const me = queryOptions({
  queryKey: ["me"],
  queryFn: () => body(api.GET("/api/v1/me")),
  staleTime: 60_000,
  retry: false,
});

/** Whether they may do this: in this tenant, everywhere (`null`), or anywhere at all. */
export function may(who: Me, permission: Permission, where?: string | null): boolean {
  return who.powers.some(
    (power) =>
      power.permissions.includes(permission) &&
      (where === undefined || power.tenant == null || power.tenant === where),
  );
}

export function useMe(): Me {
  return useSuspenseQuery(me).data;
}

export function useMay(): (permission: Permission, where?: string | null) => boolean {
  const who = useMe();
  return (permission, where) => may(who, permission, where);
}
