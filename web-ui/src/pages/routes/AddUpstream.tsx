import { TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";

import { api, body, once } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { act } from "../../parts/said.ts";
import { TenantSelect } from "../../parts/TenantSelect.tsx";

export function AddUpstream({ tenant, close }: { tenant?: string; close: () => void }) {
  const form = useForm({
    initialValues: { tenant: tenant ?? "", name: "broker", url: "mqtts://", username: "" },
    validate: {
      tenant: (of) => (of === "" ? t("tenant.choose") : null),
      name: (name) => (/^[a-z0-9][a-z0-9-]{0,31}$/.test(name) ? null : t("tenant.id-rule")),
      url: (url) => (/^mqtts?:\/\/[^/\s]+$/.test(url) ? null : t("upstream.address-rule")),
    },
  });
  function submit() {
    if (form.validate().hasErrors) return null;
    const { tenant: of, name, url, username } = form.getValues();
    const settings = { url, ...(username === "" ? {} : { username }) };
    const made = () => api.POST("/api/v1/tenants/{tenant}/upstreams", { params: { path: { tenant: of } }, body: { name, settings }, headers: once() });
    return () => act(body(made()), t("upstream.added", { name }), "upstreams");
  }
  return (
    <FormModal title={t("upstream.add")} action={t("upstream.add")} close={close} submit={submit}>
      {tenant === undefined && <TenantSelect value={form.values.tenant} onChange={(of) => form.setFieldValue("tenant", of ?? "")} error={form.errors["tenant"]} />}
      <TextInput label={t("upstream.name")} description={t("tenant.id-rule")} required spellCheck={false} {...form.getInputProps("name")} />
      <TextInput label={t("upstream.address")} description={t("upstream.address-rule")} required spellCheck={false} data-autofocus {...form.getInputProps("url")} />
      <TextInput label={t("upstream.username")} autoComplete="off" spellCheck={false} {...form.getInputProps("username")} />
      <p className="faint">{t("upstream.files-note")}</p>
    </FormModal>
  );
}
