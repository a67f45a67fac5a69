// How the hub itself is: store, disk, keys, ports, and the work that it does beside.
import { useQuery } from "@tanstack/react-query";

import { system, type System as Seen } from "../../api/system.ts";
import { named, t } from "../../i18n/index.ts";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { Figures, bytes, duration } from "../../parts/Figures.tsx";
import { Mark } from "../../parts/Mark.tsx";
import { Facts, Page, Section } from "../../parts/Page.tsx";
import { Time } from "../../parts/Time.tsx";
import { Waiting } from "../../parts/Waiting.tsx";
import { JobList } from "./JobList.tsx";

export default function System() {
  const seen = useQuery(system);
  if (seen.data === undefined) {
    return (
      <Page title={t("place.system")}>{seen.error === null ? <Waiting /> : <FaultNote error={seen.error} again={() => void seen.refetch()} />}</Page>
    );
  }
  const of = seen.data;
  const well = of.store.healthy && of.keys.ok && seen.error === null;
  return (
    <Page title={t("place.system")} lead={<Mark tone={well ? "ok" : "bad"}>{well ? t("system.well") : t("system.unwell")}</Mark>}>
      {seen.error !== null && <FaultNote error={seen.error} again={() => void seen.refetch()} />}
      <Figures
        name={t("place.system")}
        of={[
          { name: t("system.uptime"), value: duration(of.uptime_s) },
          { name: t("system.memory"), value: bytes(of.memory_bytes) },
          { name: t("system.store-size"), value: bytes(of.store.bytes) },
          { name: t("system.disk-free"), value: bytes(of.store.disk_free), note: t("system.of", { size: bytes(of.store.disk_total) }) },
        ]}
      />
      <div className="columns">
        <div className="half">
          <Health of={of} />
        </div>
        <div className="half">
          <Section title={t("system.about")}>
            <Facts
              of={[
                [t("system.version"), of.version],
                [t("system.openssl"), of.openssl],
                ...Object.entries(of.listen).map(([name, at]) => [named("listen", name), <code key={name}>{at}</code>] as const),
              ]}
            />
          </Section>
        </div>
      </div>
      <JobList />
    </Page>
  );
}

function Health({ of }: { of: Seen }) {
  const { store, keys } = of;
  return (
    <Section title={t("system.health")}>
      <Facts
        of={[
          [
            t("system.store"),
            <Mark key="store" tone={store.healthy ? "ok" : "bad"}>
              {store.healthy ? t("system.store-ok") : t("system.store-bad")} {store.failure}
            </Mark>,
          ],
          [
            t("system.lists"),
            <Mark key="lists" tone={store.lists_ready ? "ok" : "busy"}>
              {store.lists_ready ? t("system.lists-ok") : t("system.lists-made")}
            </Mark>,
          ],
          [
            t("system.keys"),
            <Mark key="keys" tone={keys.ok ? "ok" : "bad"}>
              {named("key-store", keys.store)} {keys.detail}
            </Mark>,
          ],
          [t("system.certificate"), of.certificate_end == null ? <Mark key="end" tone="bad">{t("system.certificate-unread")}</Mark> : <Time key="end" at={of.certificate_end} as="date" />],
        ]}
      />
    </Section>
  );
}
