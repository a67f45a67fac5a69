import { infiniteQueryOptions } from "@tanstack/react-query";

import { api, body, type Schemas } from "./client.ts";

export type Station = Schemas["Station"];

export const stations = infiniteQueryOptions({
  queryKey: ["stations"],
  queryFn: ({ pageParam }) => body(api.GET("/api/v1/stations", { params: { query: { limit: 100, ...(pageParam === "" ? {} : { after: pageParam }) } } })),
  initialPageParam: "",
  getNextPageParam: (page) => page.next ?? undefined,
});
