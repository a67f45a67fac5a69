// What happened to a board: sessions begun and ended, and why it was refused.
import { useQuery } from "@tanstack/react-query";

import { history, type BoardEvent } from "../../api/boards.ts";
import { named, t } from "../../i18n/index.ts";
import { Waiting } from "../../parts/Waiting.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { Mark, type Tone } from "../../parts/Mark.tsx";
import { Section } from "../../parts/Page.tsx";
import { Time } from "../../parts/Time.tsx";

const TONES: Record<BoardEvent["kind"], Tone> = { begun: "ok", resumed: "ok", ended: "idle", refused: "bad" };

export function History({ board }: { board: string }) {
  const list = useQuery(history(board));
  const events = list.data?.items;
  return (
    <Section title={t("history.title")} note={t("history.note")} flush>
      {list.error !== null && <FaultNote error={list.error} />}
      {events === undefined && list.error === null && <Waiting />}
      {events?.length === 0 && <Empty title={t("history.none")}>{t("history.none-why")}</Empty>}
      {events !== undefined && events.length > 0 && (
        <div className="table-scroll log" role="group" aria-label={t("history.title")} tabIndex={0}>
          <table className="table stacked">
            <thead>
              <tr>
                <th scope="col">{t("history.when")}</th>
                <th scope="col">{t("history.what")}</th>
                <th scope="col">{t("history.why")}</th>
              </tr>
            </thead>
            <tbody>
              {events.map((event, index) => (
                <tr key={`${event.at}-${index}`}>
                  <td>
                    <Time at={event.at} />
                  </td>
                  <td data-name={t("history.what")}>
                    <Mark tone={TONES[event.kind]}>{named("history-kind", event.kind)}</Mark>
                  </td>
                  <td data-name={t("history.why")}>
                    {event.detail} {event.count != null && event.count > 1 && event.first != null && (
                      <>
                        {t("history.often", { n: event.count })} <Time at={event.first} />{" "}
                      </>
                    )}
                    <code className="faint">{event.source}</code>
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
