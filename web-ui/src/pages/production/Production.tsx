// Where boards are made: batches with how far they are, and one-time tokens for single boards.
import { Button, Progress } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { batches, type Batch } from "../../api/batches.ts";
import { api, body, once } from "../../api/client.ts";
import { useMay } from "../../api/me.ts";
import { named, t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { amount } from "../../parts/Figures.tsx";
import { Mark } from "../../parts/Mark.tsx";
import { Page, Section } from "../../parts/Page.tsx";
import { act, complain } from "../../parts/said.ts";
import { Secret } from "../../parts/Secret.tsx";
import { Time } from "../../parts/Time.tsx";
import { AddBatch } from "./AddBatch.tsx";
import { Stations } from "./Stations.tsx";

export default function Production() {
  const may = useMay();
  const list = useInfiniteQuery(batches);
  const [adding, setAdding] = useState(false);
  const [token, setToken] = useState<string | null>(null);
  const [ask, asking] = useConfirm();
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]);
  const columns = useMemo<Column<Batch>[]>(() => {
    const path = (batch: Batch) => ({ params: { path: { tenant: batch.tenant, name: batch.name } } });
    return [
      {
        id: "name",
        name: t("batch.name"),
        cell: (batch) => (
          <Link to="/boards" search={{ label: [`batch=${batch.name}`], tenant: [batch.tenant] }} className="row-link">
            {batch.name}
          </Link>
        ),
      },
      { id: "tenant", name: t("board.tenant"), cell: (batch) => batch.tenant },
      { id: "ids", name: t("batch.ids"), cell: (batch) => (batch.prefix == null ? t("batch.list", { n: batch.ids ?? batch.max }) : <code>{batch.prefix}…</code>) },
      {
        id: "progress",
        name: t("batch.progress"),
        cell: (batch) => (
          <div className="batch-progress">
            <Progress value={(100 * batch.enrolled) / Math.max(1, batch.max)} aria-label={t("batch.progress")} />
            <span>
              {amount(batch.enrolled)} / {amount(batch.max)}
            </span>
          </div>
        ),
      },
      { id: "state", name: t("board.state"), cell: (batch) => <Mark tone={batch.state === "open" ? "ok" : "idle"}>{named("batch-state", batch.state)}</Mark> },
      { id: "expires", name: t("batch.expires"), cell: (batch) => (batch.expires == null ? <span className="faint">{t("batch.no-end")}</span> : <Time at={batch.expires} as="date" />) },
      {
        id: "acts",
        name: t("action.acts"),
        align: "right",
        cell: (batch) =>
          batch.state === "open" &&
          may("batches:write", batch.tenant) && (
            <>
              <Button
                size="compact-xs"
                variant="light"
                onClick={() => {
                  body(api.POST("/api/v1/batches/{tenant}/{name}/tokens", { ...path(batch), headers: once() })).then((made) => setToken(made.token), complain);
                }}
              >
                {t("batch.token")}
              </Button>{" "}
              <Button
                size="compact-xs"
                variant="subtle"
                color="red"
                onClick={() =>
                  ask({
                    title: t("batch.close-title", { name: batch.name }),
                    consequence: t("batch.close-what", { n: Math.max(0, batch.max - batch.enrolled) }),
                    action: t("batch.close"),
                    typed: batch.name,
                    run: () => act(api.POST("/api/v1/batches/{tenant}/{name}/close", path(batch)), t("batch.closed"), "batches"),
                  })
                }
              >
                {t("batch.close")}
              </Button>
            </>
          ),
      },
    ];
  }, [may, ask]);
  const add = may("batches:write") && <Button onClick={() => setAdding(true)}>{t("batch.add")}</Button>;
  return (
    <Page title={t("place.production")} lead={t("production.lead")} actions={add}>
      <Section title={t("batch.all")} flush>
        <DataTable
          name={t("batch.all")}
          rows={rows}
          columns={columns}
          idOf={(batch) => `${batch.tenant}/${batch.name}`}
          error={list.error}
          again={() => void list.refetch()}
          more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
          empty={
            <Empty title={t("batch.none")} action={add}>
              {t("batch.none-why")}
            </Empty>
          }
        />
      </Section>
      <Stations />
      {adding && <AddBatch close={() => setAdding(false)} />}
      {token !== null && <Secret title={t("batch.token-title")} note={t("batch.token-note")} secret={token} close={() => setToken(null)} />}
      {asking}
    </Page>
  );
}
