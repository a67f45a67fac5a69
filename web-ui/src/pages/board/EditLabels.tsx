import { TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { labels, type Board } from "../../api/boards.ts";
import { api } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { parseLabels, writeLabels } from "../../parts/labels.ts";
import { act } from "../../parts/said.ts";

/** Changes the labels as they were read: where somebody was faster, the hub refuses, and they are read again. */
export function EditLabels({ board, close }: { board: Board; close: () => void }) {
  const read = useQuery(labels(board.id));
  const [typed, setTyped] = useState<string | null>(null);
  const text = typed ?? writeLabels(read.data?.labels ?? board.labels);
  const wanted = parseLabels(text);
  function submit() {
    const tag = read.data?.tag;
    if (wanted === null || tag === undefined) return null;
    const params = { path: { board: board.id }, header: { "If-Match": tag } };
    return () => act(api.PUT("/api/v1/boards/{board}/labels", { params, body: wanted }), t("board.labels-kept"), "boards");
  }
  return (
    <FormModal title={t("board.edit-labels")} action={t("action.keep")} close={close} submit={submit}>
      <TextInput
        label={t("board.labels")}
        description={t("board.labels-rule")}
        value={text}
        error={wanted === null ? t("board.labels-rule") : null}
        spellCheck={false}
        data-autofocus
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
    </FormModal>
  );
}
