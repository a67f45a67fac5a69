// The last hour as two pictures: readings, and handshakes where one may see all of them.
import { lazy, Suspense, useMemo } from "react";

import type { Schemas } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { Section } from "../../parts/Page.tsx";

type Point = Schemas["Point"];

// Drawn after the numbers are there.
const Plot = lazy(() => import("../../parts/Plot.tsx"));

export function LastHour({ of }: { of: readonly Point[] }) {
  const times = useMemo(() => of.map((point) => Date.parse(point.at) / 1000), [of]);
  const messages = useMemo(() => [{ name: t("overview.messages"), values: of.map((point) => point.messages), colour: "--accent" }], [of]);
  const handshakes = useMemo(
    () => [
      { name: t("overview.handshakes"), values: of.map((point) => point.handshakes ?? null), colour: "--accent" },
      { name: t("overview.refused"), values: of.map((point) => point.refused ?? null), colour: "--bad" },
    ],
    [of],
  );
  const all = of.some((point) => point.handshakes != null);
  if (of.length < 2) {
    return (
      <Section title={t("overview.rate")} note={t("overview.last-hour")}>
        <div className="plot plot-soon">{t("overview.soon")}</div>
      </Section>
    );
  }
  return (
    <>
      <Section title={t("overview.rate")} note={t("overview.last-hour")}>
        <Suspense fallback={<div className="plot" />}>
          <Plot name={t("overview.rate")} unit={t("unit.per-second")} times={times} lines={messages} />
        </Suspense>
      </Section>
      {all && (
        <Section title={t("overview.handshake-rate")} note={t("overview.last-hour")}>
          <Suspense fallback={<div className="plot" />}>
            <Plot name={t("overview.handshake-rate")} unit={t("unit.per-second")} times={times} lines={handshakes} height={130} />
          </Suspense>
          <ul className="legend">
            {handshakes.map((line) => (
              <li key={line.name}>
                <i style={{ ["--swatch" as string]: `var(${line.colour})` }} />
                {line.name}
              </li>
            ))}
          </ul>
        </Section>
      )}
    </>
  );
}
