import { queryOptions } from "@tanstack/react-query";

import { api, body } from "./client.ts";

export const views = queryOptions({ queryKey: ["views"], queryFn: () => body(api.GET("/api/v1/views", {})) });
