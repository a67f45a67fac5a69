// Boards' certificates, those that end first in front; each may be revoked.
import { Button, SegmentedControl } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { certificates, type Certificate } from "../../api/certificates.ts";
import { api } from "../../api/client.ts";
import { useMay } from "../../api/me.ts";
import { t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { Time, useNow } from "../../parts/Time.tsx";

const DAY_MS = 86_400_000;

export function OfBoards() {
  const may = useMay();
  const [days, setDays] = useState("365");
  const now = useNow();
  // To the day, so that the list is not another one each second.
  const midnight = Math.ceil(now.getTime() / DAY_MS) * DAY_MS;
  const before = days === "" ? "" : new Date(midnight + Number(days) * DAY_MS).toISOString();
  const list = useInfiniteQuery(certificates(before));
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]);
  const [ask, asking] = useConfirm();
  const columns = useMemo<Column<Certificate>[]>(
    () => [
      {
        id: "board",
        name: t("certificate.board"),
        cell: (certificate) => (
          <Link to="/boards/$board" params={{ board: certificate.board }} className="row-link mono">
            {certificate.board}
          </Link>
        ),
      },
      { id: "tenant", name: t("board.tenant"), cell: (certificate) => certificate.tenant },
      { id: "end", name: t("board.certificate-end"), cell: (certificate) => <Time at={certificate.not_after} as="date" /> },
      { id: "print", name: t("certificate.fingerprint"), cell: (certificate) => <code>{certificate.fingerprint.slice(0, 16)}…</code> },
      {
        id: "acts",
        name: t("action.acts"),
        align: "right",
        cell: (certificate) =>
          may("certificates:write", certificate.tenant) && (
            <Button
              size="compact-xs"
              variant="subtle"
              color="red"
              onClick={() =>
                ask({
                  title: t("certificate.revoke-title", { id: certificate.board }),
                  consequence: t("certificate.revoke-what"),
                  action: t("certificate.revoke-do"),
                  reason: true,
                  typed: certificate.board,
                  run: (reason) =>
                    act(
                      api.POST("/api/v1/certificates/{fingerprint}/revoke", { params: { path: { fingerprint: certificate.fingerprint } }, body: { reason } }),
                      t("certificate.revoked"),
                      "certificates",
                      "boards",
                    ),
                })
              }
            >
              {t("certificate.revoke")}
            </Button>
          ),
      },
    ],
    [may, ask],
  );
  return (
    <Section
      title={t("certificates.of-boards")}
      actions={
        <SegmentedControl
          size="xs"
          aria-label={t("forecast.within")}
          value={days}
          onChange={setDays}
          data={[
            ...[30, 90, 365].map((n) => ({ value: String(n), label: t("forecast.days", { n }) })),
            { value: "", label: t("forecast.any") },
          ]}
        />
      }
      flush
    >
      <DataTable
        name={t("certificates.of-boards")}
        rows={rows}
        columns={columns}
        idOf={(certificate) => certificate.fingerprint}
        error={list.error}
        again={() => void list.refetch()}
        more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
        empty={<Empty title={t("certificates.none")}>{t("certificates.none-why")}</Empty>}
      />
      {asking}
    </Section>
  );
}
