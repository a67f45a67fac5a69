import { Alert, Button } from "@mantine/core";

import type { Board } from "../../api/boards.ts";
import { api } from "../../api/client.ts";
import { useMay } from "../../api/me.ts";
import { t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { act } from "../../parts/said.ts";

/** More than one seems to have what only this board has: what was seen, and the way out. */
export function Held({ of }: { of: Board }) {
  const may = useMay();
  const [ask, asking] = useConfirm();
  const release = () =>
    act(api.POST("/api/v1/boards/{board}/release", { params: { path: { board: of.id } } }), t("board.released", { id: of.id }), "boards");
  return (
    <Alert className="fault" color="yellow" variant="light" title={t("board.held-title")} mb="md">
      <p>{of.reason}</p>
      <p className="soft">{t("board.held-way-out")}</p>
      {may("boards:block", of.tenant) && (
        <Button
          mt="sm"
          variant="default"
          onClick={() => ask({ title: t("board.release-title", { id: of.id }), consequence: t("board.release-what"), action: t("board.release-do"), typed: of.id, run: release })}
        >
          {t("board.release")}
        </Button>
      )}
      {asking}
    </Alert>
  );
}
