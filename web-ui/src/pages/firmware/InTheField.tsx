// What boards run, as they said last: how many of each product and version, the most frequent first.
import { Progress } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { facets } from "../../api/boards.ts";
import { useMay } from "../../api/me.ts";
import { t } from "../../i18n/index.ts";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { amount } from "../../parts/Figures.tsx";
import { Section } from "../../parts/Page.tsx";
import { Waiting } from "../../parts/Waiting.tsx";

/** More kinds than these are summed up. */
const SHOWN = 12;

export function InTheField() {
  const may = useMay();
  const counted = useQuery({ ...facets({}), enabled: may("boards:read") });
  const of = counted.data;
  if (!may("boards:read")) return null;
  const shown = of?.firmware.kinds.slice(0, SHOWN) ?? [];
  const rest = (of?.firmware.others ?? 0) + (of?.firmware.kinds.slice(SHOWN) ?? []).reduce((sum, kind) => sum + kind.boards, 0);
  const line = (name: string, boards: number, total: number) => (
    <div key={name} className="share">
      <dt>{name}</dt>
      <dd>
        <Progress value={(100 * boards) / Math.max(1, total)} aria-label={name} />
        <span>{t("runs.boards", { n: boards })}</span>
      </dd>
    </div>
  );
  return (
    <Section title={t("runs.field")} note={t("runs.field-note")}>
      {counted.error !== null && <FaultNote error={counted.error} />}
      {of === undefined && counted.error === null && <Waiting />}
      {of !== undefined && (
        <>
          <dl className="shares">
            {shown.map(({ product, hardware, version, boards }) => line(`${product} ${version}${hardware === "" ? "" : ` · ${hardware}`}`, boards, of.total))}
            {rest > 0 && line(t("runs.others"), rest, of.total)}
          </dl>
          {of.firmware.unknown > 0 && <p className="soft">{t("runs.unknown", { n: of.firmware.unknown, all: amount(of.total) })}</p>}
        </>
      )}
    </Section>
  );
}
