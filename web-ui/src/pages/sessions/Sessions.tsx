// Sessions that are awake: whose, from where, since when.
import { Button, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { api, type Schemas } from "../../api/client.ts";
import { useMay } from "../../api/me.ts";
import { sessions } from "../../api/sessions.ts";
import { t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { Page, Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { Time } from "../../parts/Time.tsx";

type Awake = Schemas["Awake"];

export default function Sessions() {
  const may = useMay();
  const [typed, setTyped] = useState("");
  const [q] = useDebouncedValue(typed.trim(), 200);
  const list = useInfiniteQuery(sessions(q));
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]);
  const [ask, asking] = useConfirm();
  const columns = useMemo<Column<Awake>[]>(
    () => [
      {
        id: "board",
        name: t("session.board"),
        cell: (session) => (
          <Link to="/boards/$board" params={{ board: session.board }} className="row-link mono">
            {session.board}
          </Link>
        ),
      },
      { id: "tenant", name: t("board.tenant"), cell: (session) => session.tenant },
      {
        id: "address",
        name: t("session.address"),
        cell: (session) => (
          <>
            <code>{session.address}</code> {!session.secured && <span className="tone-warn">{t("session.plain")}</span>}
          </>
        ),
      },
      { id: "cid", name: t("session.cid"), cell: (session) => (session.cid == null ? <span className="faint">–</span> : <code>{session.cid}</code>), minor: true },
      { id: "since", name: t("session.since"), cell: (session) => <Time at={session.since} /> },
      { id: "heard", name: t("session.heard"), cell: (session) => <Time at={session.last_heard} /> },
      {
        id: "end",
        name: t("action.acts"),
        align: "right",
        cell: (session) =>
          may("boards:block", session.tenant) && (
            <Button
              size="compact-xs"
              variant="default"
              onClick={() =>
                ask({
                  title: t("session.end-title", { id: session.board }),
                  consequence: t("session.end-what"),
                  action: t("session.end"),
                  calm: true,
                  run: () => act(api.DELETE("/api/v1/sessions/{board}", { params: { path: { board: session.board } } }), t("session.ended"), "sessions"),
                })
              }
            >
              {t("session.end")}
            </Button>
          ),
      },
    ],
    [may, ask],
  );
  return (
    <Page title={t("place.sessions")} lead={t("sessions.lead")}>
      <div className="filters">
        <TextInput className="grow" type="search" label={t("sessions.search")} leftSection={<IconSearch size={16} />} value={typed} onChange={(event) => setTyped(event.currentTarget.value)} />
      </div>
      <Section title={t("sessions.list")} flush>
        <DataTable
          name={t("sessions.list")}
          rows={rows}
          columns={columns}
          idOf={(session) => session.board}
          error={list.error}
          again={() => void list.refetch()}
          more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
          empty={<Empty title={t("sessions.none")}>{t("sessions.none-why")}</Empty>}
        />
      </Section>
      {asking}
    </Page>
  );
}
