import { queryOptions } from "@tanstack/react-query";

import { api, body, type Schemas } from "./client.ts";

export type Job = Schemas["Job"];

/** Asked for often while one runs, seldom else. */
export const jobs = queryOptions({
  queryKey: ["jobs"],
  queryFn: () => body(api.GET("/api/v1/jobs", { params: { query: { limit: 20 } } })),
  refetchInterval: (query) => {
    const running = query.state.data?.items.some((job) => job.state === "running" || job.state === "waiting");
    return running === true ? 1_000 : 30_000;
  },
});
