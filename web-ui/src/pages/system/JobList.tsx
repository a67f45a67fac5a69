// Work on many boards: what runs, what waits, and what came of the last ones.
import { Progress } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { jobs, outcome, type Job } from "../../api/jobs.ts";
import { named, t } from "../../i18n/index.ts";
import { Empty } from "../../parts/Empty.tsx";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { Mark, type Tone } from "../../parts/Mark.tsx";
import { Section } from "../../parts/Page.tsx";
import { Time } from "../../parts/Time.tsx";

function toneOf(job: Job): Tone {
  if (job.failed > 0) return "warn";
  return job.state === "done" ? "ok" : job.state === "cancelled" ? "idle" : "busy";
}

export function JobList() {
  const list = useQuery(jobs);
  const items = list.data?.items ?? [];
  return (
    <Section title={t("jobs.title")} note={t("jobs.note")} flush>
      {list.error !== null && <FaultNote error={list.error} again={() => void list.refetch()} />}
      {list.error === null && items.length === 0 && <Empty title={t("jobs.none")}>{t("jobs.none-why")}</Empty>}
      <ul className="attention">
        {items.map((job) => (
          <li key={job.id} className="approval">
            <div>
              <Mark tone={toneOf(job)}>
                <strong>{named("job-work", job.work)}</strong> {named("job-state", job.state)}
                {" · "}
                {job.state === "running" ? t("jobs.progress", { done: job.done, total: job.total }) : outcome(job)}
              </Mark>
              <p className="faint">
                {job.by} · <Time at={job.created} /> · <code>{job.filter}</code>
              </p>
              {job.state === "running" && <Progress value={(100 * job.done) / Math.max(1, job.total)} aria-label={named("job-work", job.work)} />}
              {job.faults.length > 0 && (
                <details>
                  <summary>{t("jobs.faults")}</summary>
                  <ul className="plain">
                    {job.faults.map((fault) => (
                      <li key={fault.board}>
                        <code>{fault.board}</code> {fault.why}
                      </li>
                    ))}
                  </ul>
                </details>
              )}
            </div>
          </li>
        ))}
      </ul>
    </Section>
  );
}
