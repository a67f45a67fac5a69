// What a board says, while one looks: the hub keeps none of it, and neither does this page.
import { Button } from "@mantine/core";
import { useState } from "react";

import { latest, signal, useMessages, type Message } from "../../api/messages.ts";
import { locale, named, t } from "../../i18n/index.ts";
import { Empty } from "../../parts/Empty.tsx";
import { bytes, Figures, type Figure } from "../../parts/Figures.tsx";
import { Mark } from "../../parts/Mark.tsx";
import { Section } from "../../parts/Page.tsx";
import { Time } from "../../parts/Time.tsx";

export function Messages({ board }: { board: string }) {
  const [stopped, setStopped] = useState(false);
  const { messages, live } = useMessages(board, stopped);
  return (
    <Section
      title={t("messages.title")}
      note={
        <span className="live" data-on={live}>
          {live ? t("messages.live") : stopped ? t("messages.still") : t("messages.connecting")}
        </span>
      }
      actions={
        <Button size="compact-xs" variant="default" onClick={() => setStopped(!stopped)}>
          {stopped ? t("messages.go-on") : t("messages.stop")}
        </Button>
      }
      flush
    >
      <Latest messages={messages} />
      {messages.length === 0 ? (
        <Empty title={t("messages.none")}>{t("messages.none-why")}</Empty>
      ) : (
        <div className="table-scroll log" role="group" aria-label={t("messages.title")} tabIndex={0}>
          <table className="table stacked">
            <thead>
              <tr>
                <th scope="col">{t("history.when")}</th>
                <th scope="col">{t("messages.resource")}</th>
                <th scope="col">{t("messages.outcome")}</th>
                <th scope="col" data-align="right">
                  {t("messages.size")}
                </th>
                <th scope="col">{t("messages.payload")}</th>
              </tr>
            </thead>
            <tbody>
              {messages.map((message) => (
                <tr key={message.key}>
                  <td>
                    <Time at={message.at} as="full" />
                  </td>
                  <td data-name={t("messages.resource")}>
                    <code>/{message.resource}</code>
                  </td>
                  <td data-name={t("messages.outcome")}>
                    <Mark tone={message.outcome === "accepted" ? "ok" : "bad"}>
                      {named("outcome", message.outcome)} <span className="faint">{t("unit.ms", { n: message.took })}</span>
                    </Mark>
                  </td>
                  <td data-align="right" data-name={t("messages.size")}>
                    {bytes(message.size)}
                  </td>
                  <td data-name={t("messages.payload")}>
                    <Said of={message.said} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  );
}

/** Radio, battery and whatever else it measures, as it last said: signal in words as well. */
function Latest({ messages }: { messages: readonly Message[] }) {
  const figures = latest(messages).map(({ name, value, unit }): Figure => {
    // In a pack names begin with the board's own.
    const what = name.slice(name.lastIndexOf("/") + 1);
    const number = value === "" ? NaN : Number(value);
    const note = what === "rsrp" && Number.isFinite(number) ? { note: named("signal", signal(number)) } : {};
    return { name: what, value: Number.isFinite(number) ? number.toLocaleString(locale()) : value, unit, ...note };
  });
  return figures.length === 0 ? null : <Figures name={t("messages.latest")} of={figures} />;
}

function Said({ of }: { of: Message["said"] }) {
  if (of === null) return <span className="faint">{t("messages.not-yours")}</span>;
  if (typeof of === "string") return <code>{of}</code>;
  return (
    <span>
      {of.map((reading) => (
        <span key={reading.name} className="tag">
          {reading.name} <b>{reading.value}</b> {reading.unit}
        </span>
      ))}
    </span>
  );
}
