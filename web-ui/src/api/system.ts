import { queryOptions } from "@tanstack/react-query";

import { api, body, type Schemas } from "./client.ts";

export type System = Schemas["System"];

export const system = queryOptions({ queryKey: ["system"], queryFn: () => body(api.GET("/api/v1/system", {})), refetchInterval: 10_000 });
