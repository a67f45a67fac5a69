import { TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";

import { api, body, once } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { parseLabels } from "../../parts/labels.ts";
import { act } from "../../parts/said.ts";
import { TenantSelect } from "../../parts/TenantSelect.tsx";

export default function AddBoard({ close }: { close: () => void }) {
  const form = useForm({
    initialValues: { id: "", tenant: "", labels: "" },
    validate: {
      id: (id) => (/^[A-Za-z0-9._:-]{1,32}$/.test(id) ? null : t("board.id-rule")),
      tenant: (tenant) => (tenant === "" ? t("tenant.choose") : null),
      labels: (text) => (parseLabels(text) === null ? t("board.labels-rule") : null),
    },
  });
  function submit() {
    if (form.validate().hasErrors) return null;
    const { id, tenant, labels } = form.getValues();
    const board = { id, tenant, labels: parseLabels(labels) ?? {} };
    return () => act(body(api.POST("/api/v1/boards", { body: board, headers: once() })), t("boards.added", { id }), "boards");
  }
  return (
    <FormModal title={t("boards.add")} action={t("boards.add")} close={close} submit={submit}>
      <TextInput label={t("board.id")} description={t("board.id-note")} required data-autofocus spellCheck={false} {...form.getInputProps("id")} />
      <TenantSelect value={form.values.tenant} onChange={(tenant) => form.setFieldValue("tenant", tenant ?? "")} error={form.errors["tenant"]} />
      <TextInput label={t("board.labels")} description={t("board.labels-rule")} spellCheck={false} {...form.getInputProps("labels")} />
      <p className="faint">{t("boards.add-note")}</p>
    </FormModal>
  );
}
