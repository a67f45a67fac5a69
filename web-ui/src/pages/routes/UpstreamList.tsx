// Upstreams with their state now, and a test that really publishes.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { api, removed } from "../../api/client.ts";
import { useMay } from "../../api/me.ts";
import { upstreams, type Upstream } from "../../api/routes.ts";
import { t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { UpstreamState, addressOf } from "./UpstreamState.tsx";
import { AddUpstream } from "./AddUpstream.tsx";
import { TestUpstream } from "./TestUpstream.tsx";

export function UpstreamList({ tenant }: { tenant?: string }) {
  const may = useMay();
  const list = useQuery(upstreams);
  const [adding, setAdding] = useState(false);
  const [testing, setTesting] = useState<Upstream | null>(null);
  const [ask, asking] = useConfirm();
  const rows = useMemo(() => list.data?.items.filter((upstream) => tenant === undefined || upstream.tenant === tenant), [list.data, tenant]);
  const columns = useMemo<Column<Upstream>[]>(() => {
    const remove = (upstream: Upstream) =>
      ask({
        title: t("upstream.remove-title", { name: upstream.name }),
        consequence: t("upstream.remove-what"),
        action: t("upstream.remove-do"),
        typed: upstream.name,
        run: () =>
          act(
            removed(
              (path) => api.GET("/api/v1/tenants/{tenant}/upstreams/{upstream}", { params: { path } }),
              (path, header) => api.DELETE("/api/v1/tenants/{tenant}/upstreams/{upstream}", { params: { path, header } }),
              { tenant: upstream.tenant, upstream: upstream.name },
            ),
            t("upstream.removed"),
            "upstreams",
          ),
      });
    const all: (Column<Upstream> | null)[] = [
      { id: "name", name: t("upstream.name"), cell: (upstream) => <strong>{upstream.name}</strong> },
      tenant !== undefined
        ? null
        : {
            id: "tenant",
            name: t("board.tenant"),
            cell: (upstream) => (
              <Link to="/tenants/$tenant" params={{ tenant: upstream.tenant }}>
                {upstream.tenant}
              </Link>
            ),
          },
      { id: "address", name: t("upstream.address"), cell: (upstream) => (upstream.kind === "mqtt" ? <code>{addressOf(upstream)}</code> : <span className="faint">{addressOf(upstream)}</span>), clip: true },
      {
        id: "state",
        name: t("board.state"),
        cell: (upstream) => <UpstreamState of={upstream} />,
      },
      {
        id: "acts",
        name: t("action.acts"),
        align: "right",
        cell: (upstream) =>
          may("routes:write", upstream.tenant) && (
            <>
              {upstream.kind === "mqtt" && (
                <Button size="compact-xs" variant="light" onClick={() => setTesting(upstream)}>
                  {t("upstream.test")}
                </Button>
              )}{" "}
              <Button size="compact-xs" variant="subtle" color="red" onClick={() => remove(upstream)}>
                {t("action.remove")}
              </Button>
            </>
          ),
      },
    ];
    return all.filter((column) => column !== null);
  }, [may, ask, tenant]);
  const add = may("routes:write", tenant) && (
    <Button size="compact-sm" onClick={() => setAdding(true)}>
      {t("upstream.add")}
    </Button>
  );
  return (
    <Section title={t("upstream.list")} actions={add} flush>
      <DataTable
        name={t("upstream.list")}
        rows={rows}
        columns={columns}
        idOf={(upstream) => `${upstream.tenant}/${upstream.name}`}
        error={list.error}
        again={() => void list.refetch()}
        empty={<Empty title={t("upstreams.none")}>{t("upstreams.none-why")}</Empty>}
      />
      {adding && <AddUpstream {...(tenant === undefined ? {} : { tenant })} close={() => setAdding(false)} />}
      {testing !== null && <TestUpstream upstream={testing} close={() => setTesting(null)} />}
      {asking}
    </Section>
  );
}
