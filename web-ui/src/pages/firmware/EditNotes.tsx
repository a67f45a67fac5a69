import { Textarea } from "@mantine/core";
import { useState } from "react";

import { api } from "../../api/client.ts";
import type { Release } from "../../api/firmware.ts";
import { t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { act } from "../../parts/said.ts";

/** What is new, for people; a bill of materials that is there stays. */
export function EditNotes({ of, close }: { of: Release; close: () => void }) {
  const [notes, setNotes] = useState(of.notes);
  const keep = () => () => act(api.PUT("/api/v1/firmware/{release}/notes", { params: { path: { release: of.id } }, body: { notes } }), t("release.notes-kept"), "firmware");
  return (
    <FormModal title={t("release.notes-edit")} action={t("action.keep")} close={close} submit={keep} size="lg">
      <Textarea label={t("release.notes")} rows={10} maxLength={16384} value={notes} data-autofocus onChange={(event) => setNotes(event.currentTarget.value)} />
    </FormModal>
  );
}
