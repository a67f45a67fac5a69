// What a board runs, and its radio and battery, as it last reported.
import { useQuery } from "@tanstack/react-query";

import { boardFirmware } from "../../api/boards.ts";
import { signal } from "../../api/messages.ts";
import { named, t } from "../../i18n/index.ts";
import { Facts, Section } from "../../parts/Page.tsx";
import { Time } from "../../parts/Time.tsx";

export function Runs({ board }: { board: string }) {
  const of = useQuery(boardFirmware(board)).data;
  // Most boards of old have never said: nothing is then shown.
  if (of == null) return null;
  return (
    <Section title={t("runs.title")} note={<Time at={of.reported} />}>
      <Facts
        of={[
          [t("runs.firmware"), `${of.product} ${of.version}${of.on_trial ? ` · ${t("runs.on-trial")}` : ""}`],
          [t("release.hardware"), of.hardware],
          ...(of.rsrp_dbm == null ? [] : ([[t("runs.signal"), `${of.rsrp_dbm} dBm · ${named("signal", signal(of.rsrp_dbm))}`]] as const)),
          ...(of.battery_percent == null ? [] : ([[t("runs.battery"), t("campaign.percent", { percent: of.battery_percent })]] as const)),
          [t("release.counter"), of.floor],
          ...(of.fault == null ? [] : ([[t("runs.fault"), <code key="fault">{of.fault}</code>, "long"]] as const)),
        ]}
      />
    </Section>
  );
}
