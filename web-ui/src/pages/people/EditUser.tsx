// A new person, or what one may: roles, each everywhere or for one tenant.
import { ActionIcon, Button, Group, Select, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconX } from "@tabler/icons-react";

import { api, body, once, tagged } from "../../api/client.ts";
import { ROLES, type User } from "../../api/people.ts";
import { named, t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { act } from "../../parts/said.ts";
import { TenantSelect } from "../../parts/TenantSelect.tsx";

type Grant = { role: string; tenant: string };
const written = ({ role, tenant }: Grant) => ({ role, tenant: tenant === "" ? null : tenant });

export function EditUser({ user, made, close }: { user?: User; made: (link: string) => void; close: () => void }) {
  const form = useForm({
    initialValues: {
      name: user?.name ?? "",
      full_name: user?.full_name ?? "",
      grants: user?.grants.map((grant) => ({ role: grant.role, tenant: grant.tenant ?? "" })) ?? [{ role: "operator", tenant: "" }],
    },
    validate: {
      name: (name) => (/^[a-z0-9][a-z0-9._@+-]{0,63}$/.test(name) ? null : t("setup.user-rule")),
      full_name: (name) => (name.trim() === "" ? t("tenant.name-rule") : null),
    },
  });
  function submit() {
    if (form.validate().hasErrors) return null;
    const { name, full_name, grants } = form.getValues();
    const roles = grants.map(written);
    if (user !== undefined) {
      const change = async () => {
        const { tag } = await tagged(api.GET("/api/v1/users/{user}", { params: { path: { user: name } } }));
        const params = { path: { user: name }, header: { "If-Match": tag } };
        await act(api.PATCH("/api/v1/users/{user}", { params, body: { grants: roles } }), t("user.changed"), "users", "me");
      };
      return change;
    }
    return async () => {
      const answer = await body(api.POST("/api/v1/users", { body: { name, full_name, grants: roles }, headers: once() }));
      await act(Promise.resolve(), t("user.added", { name }), "users");
      made(answer.setup.link);
    };
  }
  return (
    <FormModal title={user === undefined ? t("user.add") : t("user.edit")} action={user === undefined ? t("user.add") : t("action.keep")} close={close} submit={submit} size="lg">
      {user === undefined && (
        <>
          <TextInput label={t("sign-in.user")} description={t("setup.user-note")} required spellCheck={false} autoCapitalize="none" data-autofocus {...form.getInputProps("name")} />
          <TextInput label={t("setup.full-name")} required {...form.getInputProps("full_name")} />
        </>
      )}
      {form.values.grants.map((grant, index) => (
        <Group key={index} align="flex-end" wrap="nowrap" gap="xs">
          <Select
            label={t("user.role")}
            data={ROLES.map((role) => ({ value: role, label: named("role", role) }))}
            value={grant.role}
            allowDeselect={false}
            onChange={(role) => form.setFieldValue(`grants.${index}.role`, role ?? "operator")}
          />
          <TenantSelect label={t("user.where")} everywhere value={grant.tenant === "" ? null : grant.tenant} onChange={(of) => form.setFieldValue(`grants.${index}.tenant`, of ?? "")} />
          <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t("user.take-role")} onClick={() => form.removeListItem("grants", index)}>
            <IconX size={16} />
          </ActionIcon>
        </Group>
      ))}
      <Button variant="default" size="compact-sm" onClick={() => form.insertListItem("grants", { role: "auditor", tenant: "" })}>
        {t("user.give-role")}
      </Button>
    </FormModal>
  );
}
