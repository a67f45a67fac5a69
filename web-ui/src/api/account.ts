import { queryOptions } from "@tanstack/react-query";

import { api, body } from "./client.ts";

export const passkeys = queryOptions({ queryKey: ["passkeys"], queryFn: () => body(api.GET("/api/v1/me/passkeys", {})) });

export const logins = queryOptions({ queryKey: ["logins"], queryFn: () => body(api.GET("/api/v1/me/sessions", {})) });
