import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { api, body, type Schemas } from "./client.ts";

export type Certificate = Schemas["Certificate"];
export type Authority = Schemas["Authority"];
export type Forecast = Schemas["Forecast"];

export const forecast = queryOptions({ queryKey: ["certificates", "forecast"], queryFn: () => body(api.GET("/api/v1/certificates/forecast", {})) });

export const authorities = infiniteQueryOptions({
  queryKey: ["authorities"],
  queryFn: ({ pageParam }) => body(api.GET("/api/v1/authorities", { params: { query: { limit: 100, ...(pageParam === "" ? {} : { after: pageParam }) } } })),
  initialPageParam: "",
  getNextPageParam: (page) => page.next ?? undefined,
});

export const certificates = (endsBefore: string) =>
  infiniteQueryOptions({
    queryKey: ["certificates", "list", endsBefore],
    queryFn: ({ pageParam }) =>
      body(
        api.GET("/api/v1/certificates", {
          params: { query: { limit: 100, ...(endsBefore === "" ? {} : { ends_before: endsBefore }), ...(pageParam === "" ? {} : { after: pageParam }) } },
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
  });
