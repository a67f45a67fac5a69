// Work at the hub that goes on while one does something else.
import { Button, Progress } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { api, body } from "../../api/client.ts";
import { jobs, outcome, type Job } from "../../api/jobs.ts";
import { named, t } from "../../i18n/index.ts";
import { act, complain, say } from "../../parts/said.ts";

const ends = (job: Job) => job.state !== "running" && job.state !== "waiting";

export function Jobs() {
  const queries = useQueryClient();
  const list = useQuery(jobs);
  const active = (list.data?.items ?? []).filter((job) => !ends(job));
  // A job may be over before it was ever seen to run.
  const over = useRef<ReadonlySet<string> | null>(null);
  useEffect(() => {
    if (list.data === undefined) return;
    const ended = list.data.items.filter(ends);
    const fresh = over.current === null ? [] : ended.filter((job) => over.current?.has(job.id) === false);
    for (const job of fresh) say(`${named("job-work", job.work)}: ${outcome(job)}`);
    if (fresh.length > 0) void queries.invalidateQueries({ queryKey: ["boards"] });
    over.current = new Set(ended.map((job) => job.id));
  }, [list.data, queries]);
  return (
    <>
      {active.map((job) => (
        <section key={job.id} className="section" aria-label={t("jobs.one")}>
          <div className="section-head">
            <h2>{named("job-work", job.work)}</h2>
            <span className="faint">{t("jobs.progress", { done: job.done, total: job.total })}</span>
            <div className="section-actions">
              <Button
                size="compact-xs"
                variant="default"
                onClick={() => {
                  const stop = body(api.POST("/api/v1/jobs/{job}/cancel", { params: { path: { job: job.id } } }));
                  act(stop, t("jobs.stopped"), "jobs").catch(complain);
                }}
              >
                {t("jobs.stop")}
              </Button>
            </div>
          </div>
          <div className="section-body">
            <Progress value={job.total === 0 ? 0 : (100 * job.done) / job.total} aria-label={named("job-work", job.work)} />
            <p className="faint">{t("jobs.leave")}</p>
          </div>
        </section>
      ))}
    </>
  );
}
