// What was fetched: kept half a minute, asked for again when one comes back; a refusal is not retried.
import { QueryClient } from "@tanstack/react-query";

import { Fault } from "./fault.ts";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      retry: (failures, error) => failures < 2 && error instanceof Fault && (error.status === 0 || error.status >= 500),
      refetchOnWindowFocus: true,
    },
    mutations: { retry: false },
  },
});
