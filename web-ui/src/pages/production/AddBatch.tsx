import { NumberInput, SegmentedControl, TextInput, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";

import { api, body, once } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { act } from "../../parts/said.ts";
import { TenantSelect } from "../../parts/TenantSelect.tsx";

const ID = /^[A-Za-z0-9._:-]{1,32}$/;

/** One id a line, as a label printer's file has them. */
const listed = (text: string) => text.split(/[\s,;]+/).filter((id) => id !== "");

export function AddBatch({ close }: { close: () => void }) {
  const form = useForm({
    initialValues: { tenant: "", name: "", by: "prefix", prefix: "", max: 1000, ids: "", days: 60, years: 20 },
    validate: {
      tenant: (of) => (of === "" ? t("tenant.choose") : null),
      name: (name) => (/^[a-z0-9][a-z0-9-]{0,31}$/.test(name) ? null : t("batch.name-rule")),
      prefix: (prefix, { by }) => (by === "list" || ID.test(prefix) ? null : t("board.id-rule")),
      max: (max, { by }) => (by === "list" || max >= 1 ? null : t("batch.max-rule")),
      ids: (ids, { by }) => (by === "prefix" || (listed(ids).length > 0 && listed(ids).every((id) => ID.test(id))) ? null : t("batch.ids-rule")),
    },
  });
  const { by, ids } = form.values;
  function submit() {
    if (form.validate().hasErrors) return null;
    const { tenant, name, prefix, max, days, years } = form.getValues();
    const which = by === "list" ? { ids: listed(ids) } : { prefix, max };
    const batch = { tenant, name, ...which, again: false, certificate_years: years, expires_in_days: days };
    return () => act(body(api.POST("/api/v1/batches", { body: batch, headers: once() })), t("batch.added", { name }), "batches");
  }
  return (
    <FormModal title={t("batch.add")} action={t("batch.add")} close={close} submit={submit}>
      <TenantSelect value={form.values.tenant} onChange={(of) => form.setFieldValue("tenant", of ?? "")} error={form.errors["tenant"]} />
      <TextInput label={t("batch.name")} description={t("batch.name-rule")} required spellCheck={false} data-autofocus {...form.getInputProps("name")} />
      <SegmentedControl
        aria-label={t("batch.which")}
        value={by}
        onChange={(value) => form.setFieldValue("by", value)}
        data={[
          { value: "prefix", label: t("batch.by-prefix") },
          { value: "list", label: t("batch.by-list") },
        ]}
      />
      {by === "prefix" ? (
        <>
          <TextInput label={t("batch.prefix")} description={t("batch.prefix-note")} required spellCheck={false} {...form.getInputProps("prefix")} />
          <NumberInput label={t("batch.max")} min={1} allowDecimal={false} required {...form.getInputProps("max")} />
        </>
      ) : (
        <Textarea label={t("batch.ids")} description={t("batch.ids-note", { n: listed(ids).length })} rows={6} required spellCheck={false} {...form.getInputProps("ids")} />
      )}
      <NumberInput label={t("batch.days")} min={1} max={3650} allowDecimal={false} required {...form.getInputProps("days")} />
      <NumberInput label={t("batch.years")} description={t("batch.years-note")} min={0} max={1000} allowDecimal={false} required {...form.getInputProps("years")} />
    </FormModal>
  );
}
