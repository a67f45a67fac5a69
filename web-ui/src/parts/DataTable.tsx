// A list of things of one kind: the server sorts and filters, this shows. Only rows in sight are in the
// page, further pages are fetched as one scrolls, and j, k and Enter move and open.
import { Button } from "@mantine/core";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { tableFeatures, useTable, type ColumnDef } from "@tanstack/react-table";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";

import { t } from "../i18n/index.ts";
import { FaultNote } from "./FaultNote.tsx";
import { useShortcuts } from "./shortcuts.ts";
import { Waiting } from "./Waiting.tsx";

export type Column<T> = {
  id: string;
  name: string;
  cell: (row: T) => ReactNode;
  /** The server's name for this order, where it has one. */
  sort?: string;
  align?: "right";
  clip?: boolean;
  /** Left out where there is little room. */
  minor?: boolean;
};

/** A server's order: its name, with a minus in front for the other way round. */
export type Order = string;

type Props<T> = {
  name: string;
  rows: readonly T[] | undefined;
  columns: readonly Column<T>[];
  idOf: (row: T) => string;
  empty: ReactNode;
  error?: unknown;
  again?: () => void;
  order?: Order | undefined;
  onOrder?: (order: Order) => void;
  more?: { has: boolean; busy: boolean; load: () => void };
  open?: (row: T) => void;
};

const features = tableFeatures({});

export function DataTable<T extends object>(props: Props<T>) {
  const { rows, columns, idOf, open, more } = props;
  const definitions = useMemo<ColumnDef<typeof features, T>[]>(
    () => columns.map((column) => ({ id: column.id, header: column.name, cell: ({ row }) => column.cell(row.original) })),
    [columns],
  );
  const data = useMemo(() => [...(rows ?? [])], [rows]);
  const table = useTable({
    features,
    columns: definitions,
    data,
    getRowId: idOf,
  });
  const all = table.getRowModel().rows;

  const body = useRef<HTMLTableSectionElement>(null);
  const [top, setTop] = useState(0);
  const waiting = rows === undefined;
  useEffect(() => {
    const measure = () => {
      if (body.current !== null) setTop(body.current.getBoundingClientRect().top + window.scrollY);
    };
    measure();
    window.addEventListener("resize", measure);
    return () => window.removeEventListener("resize", measure);
  }, [waiting]);
  const virtual = useWindowVirtualizer({
    count: all.length,
    estimateSize: () => (window.innerWidth <= 860 ? 132 : 37),
    overscan: 12,
    scrollMargin: top,
    getItemKey: (index) => all[index]?.id ?? index,
  });
  const items = virtual.getVirtualItems();
  const before = (items[0]?.start ?? top) - top;
  const after = virtual.getTotalSize() - ((items.at(-1)?.end ?? top) - top);

  // The last row is in sight: ask for more.
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more !== undefined && more.has && !more.busy && all.length > 0 && last >= all.length - 8) more.load();
  }, [last, all.length, more]);

  const [here, setHere] = useState(-1);
  const move = (by: number) => {
    const next = Math.max(0, Math.min(all.length - 1, here + by));
    setHere(next);
    virtual.scrollToIndex(next, { align: "auto" });
  };
  useShortcuts({
    j: () => move(1),
    k: () => move(-1),
    ...(open && here >= 0 ? { Enter: () => { const row = all[here]; if (row) open(row.original); } } : {}),
  });

  if (props.error !== undefined && props.error !== null) {
    return (
      <div className="section-body">
        <FaultNote error={props.error} {...(props.again ? { again: props.again } : {})} />
      </div>
    );
  }
  if (rows === undefined) return <Waiting />;
  if (rows.length === 0) return props.empty;
  return (
    <>
      <div className="table-scroll" role="group" aria-label={props.name} tabIndex={0}>
        <table className="table stacked" aria-rowcount={more?.has === true ? -1 : all.length}>
          <thead>
            <tr>
              {columns.map((column) => (
                <Head key={column.id} column={column} order={props.order} onOrder={props.onOrder} />
              ))}
            </tr>
          </thead>
          <tbody ref={body}>
            {before > 0 && <tr aria-hidden="true" style={{ height: before }} />}
            {items.map((item) => {
              const row = all[item.index];
              if (row === undefined) return null;
              return (
                <tr key={row.id} ref={virtual.measureElement} data-index={item.index} data-here={item.index === here} aria-rowindex={item.index + 1}>
                  {row.getAllCells().map((cell, index) => {
                    const column = columns[index];
                    const name = index === 0 ? {} : { "data-name": column?.name };
                    return (
                      <td key={cell.id} {...name} data-align={column?.align} data-minor={column?.minor} className={column?.clip ? "clip" : undefined}>
                        <span>
                          <table.FlexRender cell={cell} />
                        </span>
                      </td>
                    );
                  })}
                </tr>
              );
            })}
            {after > 0 && <tr aria-hidden="true" style={{ height: after }} />}
          </tbody>
        </table>
      </div>
      {more !== undefined && more.has && (
        <div className="more">
          <span>{t("table.so-far", { n: all.length })}</span>
          <Button size="compact-sm" variant="default" loading={more.busy} onClick={more.load}>
            {t("table.more")}
          </Button>
        </div>
      )}
    </>
  );
}

function Head<T>({ column, order, onOrder }: { column: Column<T>; order: Order | undefined; onOrder: ((order: Order) => void) | undefined }) {
  const key = column.sort;
  if (key === undefined || onOrder === undefined) {
    return (
      <th scope="col" data-align={column.align}>
        {column.name}
      </th>
    );
  }
  const up = order === key;
  const down = order === `-${key}`;
  return (
    <th scope="col" data-align={column.align} aria-sort={up ? "ascending" : down ? "descending" : "none"}>
      <button type="button" className="sorter" onClick={() => onOrder(up ? `-${key}` : key)}>
        {column.name}
        {up && <IconArrowUp size={13} aria-hidden="true" />}
        {down && <IconArrowDown size={13} aria-hidden="true" />}
      </button>
    </th>
  );
}
