import { infiniteQueryOptions } from "@tanstack/react-query";

import { api, body, type Schemas } from "./client.ts";

export type Batch = Schemas["Batch"];

export const batches = infiniteQueryOptions({
  queryKey: ["batches"],
  queryFn: ({ pageParam }) => body(api.GET("/api/v1/batches", { params: { query: { limit: 100, ...(pageParam === "" ? {} : { after: pageParam }) } } })),
  initialPageParam: "",
  getNextPageParam: (page) => page.next ?? undefined,
  refetchInterval: 10_000,
});
