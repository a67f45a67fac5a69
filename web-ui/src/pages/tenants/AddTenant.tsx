import { TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useNavigate } from "@tanstack/react-router";

import { api, body, once } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { act } from "../../parts/said.ts";

export default function AddTenant({ close }: { close: () => void }) {
  const navigate = useNavigate();
  const form = useForm({
    initialValues: { id: "", name: "" },
    validate: { id: (id) => (/^[a-z0-9][a-z0-9-]{0,31}$/.test(id) ? null : t("tenant.id-rule")) },
  });
  function submit() {
    if (form.validate().hasErrors) return null;
    const { id, name } = form.getValues();
    const tenant = { id, ...(name.trim() === "" ? {} : { name: name.trim() }) };
    return async () => {
      await act(body(api.POST("/api/v1/tenants", { body: tenant, headers: once() })), t("tenant.added", { id }), "tenants", "authorities");
      await navigate({ to: "/tenants/$tenant", params: { tenant: id } });
    };
  }
  return (
    <FormModal title={t("tenant.add")} action={t("tenant.add")} close={close} submit={submit}>
      <TextInput label={t("tenant.id")} description={t("tenant.id-note")} required spellCheck={false} autoCapitalize="none" data-autofocus {...form.getInputProps("id")} />
      <TextInput label={t("tenant.name")} description={t("tenant.name-note")} maxLength={100} {...form.getInputProps("name")} />
      <p className="faint">{t("tenant.add-note")}</p>
    </FormModal>
  );
}
