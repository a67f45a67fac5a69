// Who enrols boards on a line: stations with a certificate each, until it ends or is revoked.
import { Button } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { api } from "../../api/client.ts";
import { useMay } from "../../api/me.ts";
import { stations, type Station } from "../../api/stations.ts";
import { named, t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { Mark, type Tone } from "../../parts/Mark.tsx";
import { Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { Time } from "../../parts/Time.tsx";

const TONES: Readonly<Record<Station["state"], Tone>> = { active: "ok", expired: "idle", revoked: "bad" };

export function Stations() {
  const may = useMay();
  const list = useInfiniteQuery(stations);
  const [ask, asking] = useConfirm();
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]);
  const columns = useMemo<Column<Station>[]>(
    () => [
      { id: "name", name: t("station.name"), cell: (station) => station.name },
      { id: "tenant", name: t("board.tenant"), cell: (station) => station.tenant },
      { id: "batches", name: t("station.batches"), cell: (station) => station.batches.join(", ") },
      { id: "state", name: t("board.state"), cell: (station) => <Mark tone={TONES[station.state]}>{named("station-state", station.state)}</Mark> },
      { id: "issued", name: t("station.issued"), cell: (station) => <Time at={station.issued} as="date" /> },
      { id: "ends", name: t("station.ends"), cell: (station) => <Time at={station.not_after} as="date" /> },
      {
        id: "acts",
        name: t("action.acts"),
        align: "right",
        cell: (station) =>
          station.state === "active" &&
          may("batches:write", station.tenant) && (
            <Button
              size="compact-xs"
              variant="subtle"
              color="red"
              onClick={() =>
                ask({
                  title: t("station.revoke-title", { name: station.name }),
                  consequence: t("station.revoke-what"),
                  action: t("station.revoke-do"),
                  reason: true,
                  run: (reason) =>
                    act(
                      api.POST("/api/v1/stations/{station}/revoke", { params: { path: { station: station.id } }, body: { reason } }),
                      t("station.revoked", { name: station.name }),
                      "stations",
                    ),
                })
              }
            >
              {t("station.revoke")}
            </Button>
          ),
      },
    ],
    [may, ask],
  );
  return (
    <Section title={t("station.all")} note={t("station.note")} flush>
      <DataTable
        name={t("station.all")}
        rows={rows}
        columns={columns}
        idOf={(station) => station.id}
        error={list.error}
        again={() => void list.refetch()}
        more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        empty={
          <Empty title={t("station.none")}>
            {t("station.how")}
            <pre className="mono">cellular-hub station issue line-1 --tenant acme --batch spring --out line-1.pem --key line-1.key.pem</pre>
          </Empty>
        }
      />
      {asking}
    </Section>
  );
}
