// Boards: found among a million by what is typed and by facets.
import { Button } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useMemo, useState } from "react";

import { boards, facets, type BoardFilter } from "../../api/boards.ts";
import { useMay } from "../../api/me.ts";
import { t } from "../../i18n/index.ts";
import { DataTable } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { isOrder } from "../../search.ts";
import { Page, Section } from "../../parts/Page.tsx";
import { Bulk } from "./Bulk.tsx";
import { columns } from "./columns.tsx";
import { Facets } from "./Facets.tsx";
import { Filters } from "./Filters.tsx";
import { Jobs } from "./Jobs.tsx";
import { Views } from "./Views.tsx";

// What few open comes when it is opened.
const AddBoard = lazy(() => import("./AddBoard.tsx"));

export default function Boards() {
  const filter = useSearch({ from: "/signed-in/boards" });
  const navigate = useNavigate({ from: "/boards" });
  const may = useMay();
  const [afresh, setAfresh] = useState(0);
  const [adding, setAdding] = useState(false);
  const list = useInfiniteQuery(boards(filter));
  const counts = useQuery(facets(filter));

  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]);
  const shown = useMemo(() => columns(), []);
  const change = (next: BoardFilter) => {
    void navigate({ search: next, replace: true });
  };
  // What is typed follows the filter where something else changes it.
  const use = (next: BoardFilter) => {
    setAfresh((times) => times + 1);
    change(next);
  };
  const total = list.data?.pages[0]?.total ?? counts.data?.total;
  const narrowed = Object.keys(filter).some((key) => key !== "sort");

  return (
    <Page
      title={t("place.boards")}
      lead={total === undefined ? t("boards.lead") : narrowed ? t("boards.found", { n: total }) : t("boards.all", { n: total })}
      actions={
        <>
          <Views filter={filter} use={use} />
          {narrowed && <Bulk filter={filter} total={total ?? 0} />}
          {may("boards:write") && <Button onClick={() => setAdding(true)}>{t("boards.add")}</Button>}
        </>
      }
    >
      <Filters key={afresh} filter={filter} change={change} />
      {counts.data !== undefined && <Facets of={counts.data} filter={filter} change={change} />}
      <Jobs />
      <Section title={t("boards.list")} note={<span className="for-keys">{t("boards.list-note")}</span>} flush>
        <DataTable
          name={t("boards.list")}
          rows={rows}
          columns={shown}
          idOf={(board) => board.id}
          error={list.error}
          again={() => void list.refetch()}
          order={filter.sort ?? "id"}
          onOrder={(sort) => {
            if (isOrder(sort)) change({ ...filter, sort });
          }}
          more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
          open={(board) => void navigate({ to: "/boards/$board", params: { board: board.id } })}
          empty={
            narrowed ? (
              <Empty title={t("boards.none-found")} action={<Button variant="default" onClick={() => use({})}>{t("boards.clear")}</Button>}>
                {t("boards.none-found-why")}
              </Empty>
            ) : (
              <Empty title={t("boards.none")}>{t("boards.none-why")}</Empty>
            )
          }
        />
      </Section>
      <Suspense>{adding && <AddBoard close={() => setAdding(false)} />}</Suspense>
    </Page>
  );
}
