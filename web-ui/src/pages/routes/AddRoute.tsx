import { Select, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";

import { api, body, once } from "../../api/client.ts";
import { upstreams } from "../../api/routes.ts";
import { named, t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { act } from "../../parts/said.ts";
import { TenantSelect } from "../../parts/TenantSelect.tsx";

export function AddRoute({ tenant, close }: { tenant?: string; close: () => void }) {
  const known = useQuery(upstreams);
  const form = useForm({
    initialValues: { tenant: tenant ?? "", resource: "t", upstream: "", topic: "{tenant}/{board}/{resource}", acknowledge: "on-upstream" },
    validate: {
      tenant: (of) => (of === "" ? t("tenant.choose") : null),
      resource: (resource) => (/^[A-Za-z0-9._-]{1,32}$/.test(resource) ? null : t("route.resource-rule")),
      upstream: (name) => (name === "" ? t("route.upstream-rule") : null),
      topic: (topic) => (topic.trim() === "" || /[#+]/.test(topic) ? t("route.topic-rule") : null),
    },
  });
  const theirs = (known.data?.items ?? []).filter((upstream) => upstream.tenant === form.values.tenant).map((upstream) => upstream.name);
  function submit() {
    if (form.validate().hasErrors) return null;
    const { tenant: of, resource, ...entered } = form.getValues();
    const settings = { ...entered, acknowledge: entered.acknowledge === "on-receive" ? ("on-receive" as const) : ("on-upstream" as const) };
    const made = () => api.POST("/api/v1/tenants/{tenant}/routes", { params: { path: { tenant: of } }, body: { resource, settings }, headers: once() });
    return () => act(body(made()), t("route.added", { name: resource }), "routes");
  }
  return (
    <FormModal title={t("route.add")} action={t("route.add")} close={close} submit={submit}>
      {tenant === undefined && <TenantSelect value={form.values.tenant} onChange={(of) => form.setFieldValue("tenant", of ?? "")} error={form.errors["tenant"]} />}
      <TextInput label={t("route.resource")} description={t("route.resource-note")} required spellCheck={false} data-autofocus {...form.getInputProps("resource")} />
      <Select label={t("upstream.name")} data={theirs} required {...form.getInputProps("upstream")} />
      <TextInput label={t("route.topic")} description={t("route.topic-rule")} required spellCheck={false} {...form.getInputProps("topic")} />
      <Select
        label={t("route.acknowledge")}
        data={["on-upstream", "on-receive"].map((value) => ({ value, label: named("acknowledge", value) }))}
        allowDeselect={false}
        {...form.getInputProps("acknowledge")}
      />
    </FormModal>
  );
}
