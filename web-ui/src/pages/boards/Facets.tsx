// How many there are of each kind under what is asked for; pressed, a facet narrows to its kind.
import type { ReactNode } from "react";

import type { BoardFilter } from "../../api/boards.ts";
import type { Schemas } from "../../api/client.ts";
import { locale, named, t } from "../../i18n/index.ts";
import { without } from "./Filters.tsx";

type Props = { of: Schemas["Facets"]; filter: BoardFilter; change: (filter: BoardFilter) => void };

/** Kinds shown of each sort; the most frequent ones. */
const SHOWN_MAX = 6;

/** The filter with one more or one less of a kind. */
function toggled<K extends "state" | "tenant" | "label">(filter: BoardFilter, key: K, value: NonNullable<BoardFilter[K]>[number], on: boolean): BoardFilter {
  const now: readonly string[] = filter[key] ?? [];
  const next = on ? [...now, value] : now.filter((each) => each !== value);
  return next.length === 0 ? without(filter, key) : { ...filter, [key]: next };
}

export function Facets({ of, filter, change }: Props) {
  return (
    <div className="facets" role="group" aria-label={t("boards.facets")}>
      {of.states.map(({ value, boards }) => (
        <Facet key={value} count={boards} on={filter.state?.includes(value) ?? false} press={(on) => change(toggled(filter, "state", value, on))}>
          {named("board-state", value)}
        </Facet>
      ))}
      {of.tenants.length > 1 && <span className="facet-break" />}
      {(of.tenants.length > 1 || filter.tenant !== undefined) &&
        of.tenants.slice(0, SHOWN_MAX).map(({ value, boards }) => (
          <Facet key={value} count={boards} on={filter.tenant?.includes(value) ?? false} press={(on) => change(toggled(filter, "tenant", value, on))}>
            {value}
          </Facet>
        ))}
      {of.values.length > 0 && <span className="facet-break" />}
      {of.values.flatMap(({ key, values }) =>
        values.slice(0, SHOWN_MAX).map(({ value, boards }) => {
          const label = `${key}=${value}`;
          return (
            <Facet key={label} count={boards} on={filter.label?.includes(label) ?? false} press={(on) => change(toggled(filter, "label", label, on))}>
              {label}
            </Facet>
          );
        }),
      )}
    </div>
  );
}

function Facet({ count, on, press, children }: { count: number; on: boolean; press: (on: boolean) => void; children: ReactNode }) {
  return (
    <button type="button" className="facet" aria-pressed={on} data-none={count === 0} onClick={() => press(!on)}>
      {children} <b>{count.toLocaleString(locale())}</b>
    </button>
  );
}
