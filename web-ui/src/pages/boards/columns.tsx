import { Link } from "@tanstack/react-router";

import type { Board } from "../../api/boards.ts";
import { t } from "../../i18n/index.ts";
import { BoardState, Labels } from "../../parts/BoardState.tsx";
import type { Column } from "../../parts/DataTable.tsx";
import { Time } from "../../parts/Time.tsx";

export function columns(): Column<Board>[] {
  return [
    {
      id: "id",
      name: t("board.id"),
      sort: "id",
      cell: (board) => (
        <Link to="/boards/$board" params={{ board: board.id }} className="row-link mono">
          {board.id}
        </Link>
      ),
    },
    { id: "state", name: t("board.state"), cell: (board) => <BoardState state={board.state} heard={board.last_seen != null} /> },
    { id: "tenant", name: t("board.tenant"), cell: (board) => board.tenant },
    { id: "seen", name: t("board.last-seen"), sort: "last_seen", cell: (board) => <Time at={board.last_seen} /> },
    { id: "labels", name: t("board.labels"), cell: (board) => <Labels of={board.labels} />, clip: true },
    { id: "created", name: t("board.created"), sort: "created", cell: (board) => <Time at={board.created} as="date" />, minor: true },
  ];
}
