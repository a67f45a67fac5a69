import { Alert } from "@mantine/core";

import { t } from "../../i18n/index.ts";

/** More than one seems to have what only this board has: what was seen, and the way out. */
export function Held({ board, reason }: { board: string; reason: string }) {
  return (
    <Alert className="fault" color="yellow" variant="light" title={t("board.held-title")} mb="md">
      <p>{reason}</p>
      <p className="soft">{t("board.held-way-out")}</p>
      <pre className="mono">cellular-hub board release {board}</pre>
    </Alert>
  );
}
