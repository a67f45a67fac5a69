import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { api, body, tagged, type Schemas } from "./client.ts";

export type Tenant = Schemas["Tenant"];
export type ListedTenant = Schemas["ListedTenant"];

export const tenants = infiniteQueryOptions({
  queryKey: ["tenants"],
  queryFn: ({ pageParam }) => body(api.GET("/api/v1/tenants", { params: { query: { limit: 200, ...(pageParam === "" ? {} : { after: pageParam }) } } })),
  initialPageParam: "",
  getNextPageParam: (page) => page.next ?? undefined,
});

export const tenant = (id: string) =>
  queryOptions({
    queryKey: ["tenants", id],
    queryFn: () => body(api.GET("/api/v1/tenants/{tenant}", { params: { path: { tenant: id } } })),
  });

export const quota = (id: string) =>
  queryOptions({
    queryKey: ["tenants", id, "quota"],
    queryFn: () => tagged(api.GET("/api/v1/tenants/{tenant}/quota", { params: { path: { tenant: id } } })),
  });
