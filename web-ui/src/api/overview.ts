// How the fleet is. Asked for as often as the hub counts; what comes does not grow with the fleet.
import { queryOptions } from "@tanstack/react-query";

import { api, body, type Schemas } from "./client.ts";

export type Overview = Schemas["Overview"];

export const overview = queryOptions({
  queryKey: ["overview"],
  queryFn: () => body(api.GET("/api/v1/overview")),
  refetchInterval: 10_000,
});
