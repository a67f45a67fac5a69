// Who did what, the newest first, and whether the log is whole.
import { TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { audit, verification, type AuditFilter, type Entry } from "../../api/people.ts";
import { locale, t } from "../../i18n/index.ts";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { Mark } from "../../parts/Mark.tsx";
import { Page, Section } from "../../parts/Page.tsx";
import { Time } from "../../parts/Time.tsx";

/** What was before and after, in one line. */
function inWords(detail: Entry["detail"]): string {
  return said(detail).join("; ");
}

/** What is nothing is not said. */
const said = (of: object): string[] =>
  Object.entries(of)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}: ${flat(value)}`);

function flat(value: unknown): string {
  if (Array.isArray(value)) return value.map((each) => (isGrant(each) ? Object.values(each).filter((part) => part !== null).join("@") : flat(each))).join(", ");
  if (typeof value === "object" && value !== null) return said(value).join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A role with where it counts is written as at the command line. */
const isGrant = (value: unknown): value is Record<"role" | "tenant", string | null> => typeof value === "object" && value !== null && "role" in value;

const columns = (): Column<Entry>[] => [
  { id: "number", name: t("audit.number"), align: "right", cell: (entry) => entry.number.toLocaleString(locale()) },
  { id: "at", name: t("history.when"), cell: (entry) => <Time at={entry.at} as="full" /> },
  { id: "who", name: t("audit.who"), cell: (entry) => entry.who },
  { id: "action", name: t("audit.action"), cell: (entry) => <code>{entry.what}</code> },
  { id: "subject", name: t("audit.subject"), cell: (entry) => <code>{entry.subject}</code>, clip: true },
  { id: "detail", name: t("audit.detail"), cell: (entry) => inWords(entry.detail), clip: true },
  { id: "source", name: t("audit.source"), cell: (entry) => (entry.source == null ? <span className="faint">–</span> : <code>{entry.source}</code>) },
];

export default function Audit() {
  const [typed, setTyped] = useState({ who: "", what: "", subject: "" });
  const [asked] = useDebouncedValue(typed, 250);
  const filter = useMemo<AuditFilter>(() => {
    const entries = Object.entries(asked).map(([key, value]) => [key, value.trim()] as const);
    return Object.fromEntries(entries.filter(([, value]) => value !== ""));
  }, [asked]);
  const list = useInfiniteQuery(audit(filter));
  const whole = useQuery(verification);
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]);
  const shown = useMemo(() => columns(), []);
  const state = whole.data;
  const input = (key: keyof typeof typed, label: string) => (
    <TextInput label={label} value={typed[key]} spellCheck={false} onChange={(event) => setTyped({ ...typed, [key]: event.currentTarget.value })} />
  );
  return (
    <Page
      title={t("place.audit")}
      lead={
        state === undefined ? (
          t("audit.lead")
        ) : state.holds ? (
          <Mark tone="ok">{t("audit.whole", { n: state.entries ?? 0 })}</Mark>
        ) : (
          <Mark tone="bad">{t("audit.broken", { why: state.broken ?? "" })}</Mark>
        )
      }
    >
      <div className="filters" role="search">
        {input("who", t("audit.who"))}
        {input("what", t("audit.action"))}
        {input("subject", t("audit.subject"))}
      </div>
      <Section title={t("audit.list")} flush>
        <DataTable
          name={t("audit.list")}
          rows={rows}
          columns={shown}
          idOf={(entry) => String(entry.number)}
          error={list.error}
          again={() => void list.refetch()}
          more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
          empty={<Empty title={t("audit.none")}>{t("audit.none-why")}</Empty>}
        />
      </Section>
    </Page>
  );
}
