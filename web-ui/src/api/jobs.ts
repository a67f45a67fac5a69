import { queryOptions } from "@tanstack/react-query";

import { t } from "../i18n/index.ts";
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

/** What came of it, in words. */
export function outcome(job: Job): string {
  const parts = [t("jobs.done", { n: job.done })];
  if (job.kept > 0) parts.push(t("jobs.kept", { n: job.kept }));
  if (job.failed > 0) parts.push(t("jobs.failed", { n: job.failed }));
  return parts.join(", ");
}
