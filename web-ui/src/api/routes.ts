import { queryOptions } from "@tanstack/react-query";

import { api, body, type Schemas } from "./client.ts";

export type Upstream = Schemas["Upstream"];
export type Route = Schemas["Route"];

export const upstreams = queryOptions({
  queryKey: ["upstreams"],
  queryFn: () => body(api.GET("/api/v1/upstreams", { params: { query: { limit: 500 } } })),
  refetchInterval: 15_000,
});

export const routes = queryOptions({
  queryKey: ["routes"],
  queryFn: () => body(api.GET("/api/v1/routes", { params: { query: { limit: 500 } } })),
});
