// What a rollout would mean before there is one: how many boards fetch it, bytes, time and energy.
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";

import { preview, type RolloutWanted } from "../../api/rollouts.ts";
import { locale, t } from "../../i18n/index.ts";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { amount, bytes, duration, Figures } from "../../parts/Figures.tsx";
import { Waiting } from "../../parts/Waiting.tsx";

export function Preview({ of }: { of: RolloutWanted }) {
  const [asked] = useDebouncedValue(JSON.stringify(of), 300);
  const seen = useQuery(preview(asked));
  const would = seen.data;
  if (seen.error !== null) return <FaultNote error={seen.error} again={() => void seen.refetch()} />;
  if (would === undefined) return <Waiting />;
  const effort = ({ seconds_each, joules_each }: typeof would.lte_m) => t("preview.effort", { time: duration(seconds_each), joules: joules_each.toLocaleString(locale(), { maximumFractionDigits: 1 }) });
  return (
    <>
      <Figures
        name={t("rollout.step-look")}
        of={[
          { name: t("preview.fetching"), value: would.fetching, note: t("preview.of", { all: amount(would.boards) }) },
          { name: t("rollout.image-each"), value: bytes(would.bytes_each), note: t("preview.bytes-all", { bytes: bytes(would.bytes) }) },
          { name: t("preview.lte-m"), value: duration(would.lte_m.seconds), note: effort(would.lte_m) },
          { name: t("preview.nb-iot"), value: duration(would.nb_iot.seconds), note: effort(would.nb_iot) },
        ]}
      />
      <p className="soft">
        {t("preview.skipped", { same: amount(would.same), newer: amount(would.newer), other: amount(would.other) })} {would.unknown > 0 && t("preview.unknown", { n: would.unknown })} {t("preview.estimates")}
      </p>
    </>
  );
}
