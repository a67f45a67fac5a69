// Routes: which resource of a board leads to which topic of which upstream.
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { api, removed } from "../../api/client.ts";
import { useMay } from "../../api/me.ts";
import { routes, type Route } from "../../api/routes.ts";
import { named, t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { AddRoute } from "./AddRoute.tsx";

export function RouteList({ tenant }: { tenant?: string }) {
  const may = useMay();
  const list = useQuery(routes);
  const [adding, setAdding] = useState(false);
  const [ask, asking] = useConfirm();
  const rows = useMemo(() => list.data?.items.filter((route) => tenant === undefined || route.tenant === tenant), [list.data, tenant]);
  const columns = useMemo<Column<Route>[]>(() => {
    const remove = (route: Route) =>
      ask({
        title: t("route.remove-title", { name: route.resource }),
        consequence: t("route.remove-what", { tenant: route.tenant }),
        action: t("route.remove-do"),
        run: () =>
          act(
            removed(
              (path) => api.GET("/api/v1/tenants/{tenant}/routes/{resource}", { params: { path } }),
              (path, header) => api.DELETE("/api/v1/tenants/{tenant}/routes/{resource}", { params: { path, header } }),
              { tenant: route.tenant, resource: route.resource },
            ),
            t("route.removed"),
            "routes",
          ),
      });
    const all: (Column<Route> | null)[] = [
      { id: "resource", name: t("route.resource"), cell: (route) => <code>/{route.resource}</code> },
      tenant !== undefined ? null : { id: "tenant", name: t("board.tenant"), cell: (route) => route.tenant },
      { id: "upstream", name: t("upstream.name"), cell: (route) => route.upstream },
      { id: "topic", name: t("route.topic"), cell: (route) => <code>{route.topic}</code>, clip: true },
      { id: "acknowledge", name: t("route.acknowledge"), cell: (route) => named("acknowledge", route.acknowledge) },
      {
        id: "acts",
        name: t("action.acts"),
        align: "right",
        cell: (route) =>
          may("routes:write", route.tenant) && (
            <Button size="compact-xs" variant="subtle" color="red" onClick={() => remove(route)}>
              {t("action.remove")}
            </Button>
          ),
      },
    ];
    return all.filter((column) => column !== null);
  }, [may, ask, tenant]);
  const add = may("routes:write", tenant) && (
    <Button size="compact-sm" onClick={() => setAdding(true)}>
      {t("route.add")}
    </Button>
  );
  return (
    <Section title={t("route.list")} note={t("route.note")} actions={add} flush>
      <DataTable
        name={t("route.list")}
        rows={rows}
        columns={columns}
        idOf={(route) => `${route.tenant}/${route.resource}`}
        error={list.error}
        again={() => void list.refetch()}
        empty={<Empty title={t("route.none")}>{t("route.none-why")}</Empty>}
      />
      {adding && <AddRoute {...(tenant === undefined ? {} : { tenant })} close={() => setAdding(false)} />}
      {asking}
    </Section>
  );
}
