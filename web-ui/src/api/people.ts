import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { api, body, type Schemas } from "./client.ts";

export type User = Schemas["User"];
export type Token = Schemas["Token"];
export type Approval = Schemas["Approval"];
export type Entry = Schemas["AuditEntry"];

export const ROLES = ["platform-admin", "tenant-admin", "operator", "firmware-signer", "production", "billing", "auditor"] as const;

export const users = queryOptions({ queryKey: ["users"], queryFn: () => body(api.GET("/api/v1/users", { params: { query: { limit: 500 } } })) });

export const tokens = queryOptions({ queryKey: ["tokens"], queryFn: () => body(api.GET("/api/v1/tokens", { params: { query: { limit: 500 } } })) });

export const approvals = queryOptions({
  queryKey: ["approvals"],
  queryFn: () => body(api.GET("/api/v1/approvals", { params: { query: { limit: 200 } } })),
  refetchInterval: 15_000,
});

export type AuditFilter = { who?: string; what?: string; subject?: string };

export const audit = (filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: ["audit", filter],
    queryFn: ({ pageParam }) => body(api.GET("/api/v1/audit", { params: { query: { ...filter, limit: 100, ...(pageParam === "" ? {} : { after: pageParam }) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
  });

export const verification = queryOptions({ queryKey: ["audit", "verification"], queryFn: () => body(api.GET("/api/v1/audit/verification", {})), staleTime: 300_000 });
