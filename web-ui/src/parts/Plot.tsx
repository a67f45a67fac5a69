// A line over time, drawn on a canvas; beside it, for who does not see it, its last and largest value
// in words.
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { locale, t } from "../i18n/index.ts";

export type Line = { name: string; values: readonly (number | null)[]; colour: string };

/** Seconds that are shown at least, and at most. */
const [SPAN_MIN, SPAN_MAX] = [600, 3600];

type Props = { name: string; unit: string; /** Seconds since 1970. */ times: readonly number[]; lines: readonly Line[]; height?: number };

export default function Plot({ name, unit, times, lines, height = 180 }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme("light");
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const style = getComputedStyle(element);
    const colour = (token: string) => style.getPropertyValue(token).trim();
    const axis = {
      stroke: colour("--ink-faint"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: `11px ${style.fontFamily}`,
    };
    const options: uPlot.Options = {
      width: element.clientWidth,
      height,
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      scales: {
        // A hub that has just begun has little of its hour: it is not drawn as a line at the edge.
        x: { range: (_, first, last) => [last - Math.min(SPAN_MAX, Math.max(SPAN_MIN, last - first)), last] },
        y: { range: (_, __, most) => [0, Math.max(1, most * 1.15)] },
      },
      axes: [
        { ...axis, size: 28, values: (_, splits) => splits.map((at) => new Date(at * 1000).toLocaleTimeString(locale(), { timeStyle: "short" })) },
        { ...axis, size: 44, values: (_, splits) => splits.map((value) => value.toLocaleString(locale())) },
      ],
      series: [{}, ...lines.map((line) => ({ stroke: colour(line.colour), width: 1.6, fill: `${colour(line.colour)}14`, points: { show: false } }))],
    };
    const plot = new uPlot(options, [[...times], ...lines.map((line) => [...line.values])], element);
    const sized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    sized.observe(element);
    return () => {
      sized.disconnect();
      plot.destroy();
    };
  }, [times, lines, height, scheme]);
  const said = lines.map((line) => {
    const known = line.values.filter((value) => value !== null);
    return t("plot.said", { name: line.name, last: known.at(-1) ?? 0, most: Math.max(0, ...known), unit });
  });
  return (
    <figure className="plot-figure" style={{ margin: 0 }}>
      <div ref={place} className="plot" style={{ height }} role="img" aria-label={`${name}. ${said.join(" ")}`} />
    </figure>
  );
}
