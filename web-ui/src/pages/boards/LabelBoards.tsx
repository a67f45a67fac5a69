import { TagsInput, TextInput } from "@mantine/core";
import { useState } from "react";

import type { Schemas } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { parseLabels } from "../../parts/labels.ts";

type Props = { total: number; begin: (job: Schemas["JobWork"]) => Promise<unknown>; close: () => void };

/** Labels that all boards that fit are given, and keys of those they lose. */
export default function LabelBoards({ total, begin, close }: Props) {
  const [typed, setTyped] = useState("");
  const [remove, setRemove] = useState<string[]>([]);
  const set = parseLabels(typed);
  function submit() {
    if (set === null || (Object.keys(set).length === 0 && remove.length === 0)) return null;
    return () => begin({ work: "label", set, remove });
  }
  return (
    <FormModal title={t("bulk.label-title", { n: total })} action={t("bulk.label-do", { n: total })} close={close} submit={submit}>
      <TextInput
        label={t("bulk.label-set")}
        description={t("board.labels-rule")}
        value={typed}
        error={set === null ? t("board.labels-rule") : null}
        spellCheck={false}
        data-autofocus
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      <TagsInput label={t("bulk.label-remove")} description={t("bulk.label-remove-note")} value={remove} onChange={setRemove} acceptValueOnBlur clearable={false} />
    </FormModal>
  );
}
