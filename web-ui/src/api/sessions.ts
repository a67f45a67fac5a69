import { infiniteQueryOptions } from "@tanstack/react-query";

import { api, body } from "./client.ts";

export const sessions = (q: string) =>
  infiniteQueryOptions({
    queryKey: ["sessions", q],
    queryFn: ({ pageParam }) =>
      body(api.GET("/api/v1/sessions", { params: { query: { limit: 100, ...(q === "" ? {} : { q }), ...(pageParam === "" ? {} : { after: pageParam }) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: 15_000,
  });
