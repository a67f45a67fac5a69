// The sheet of keys.
import { Kbd } from "@mantine/core";

import { t } from "../i18n/index.ts";
import { Dialog } from "../parts/Dialog.tsx";
import type { Place } from "./places.ts";

export default function Keys({ places, close }: { places: readonly Place[]; close: () => void }) {
  const general: readonly (readonly [string, string])[] = [
    ["Ctrl K", t("keys.palette")],
    ["/", t("keys.search")],
    ["?", t("keys.help")],
    ["Esc", t("keys.close")],
    ["j", t("keys.down")],
    ["k", t("keys.up")],
    ["Enter", t("keys.open")],
  ];
  const rows = [...general, ...places.map((place) => [place.keys, t(place.name)] as const)];
  return (
    <Dialog title={t("keys.title")} size="lg" close={close}>
      <dl className="keys">
        {rows.map(([keys, does]) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <Kbd key={key}>{key}</Kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
