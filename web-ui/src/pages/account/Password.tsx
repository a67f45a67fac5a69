import { Button, PasswordInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useState } from "react";

import { api } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";

const PASSWORD_MIN = 12;

/** `known`: whether they have one; who comes by the provider has none here. */
export function Password({ known }: { known: boolean }) {
  const [changing, setChanging] = useState(false);
  const change = known && (
    <Button size="compact-sm" variant="default" onClick={() => setChanging(true)}>
      {t("password.change")}
    </Button>
  );
  return (
    <Section title={t("sign-in.password")} actions={change}>
      <p className="soft">{known ? t("password.note") : t("password.none")}</p>
      {changing && <Change close={() => setChanging(false)} />}
    </Section>
  );
}

function Change({ close }: { close: () => void }) {
  const form = useForm({
    initialValues: { old: "", next: "", again: "" },
    validate: {
      next: (value) => (value.length < PASSWORD_MIN ? t("setup.password-rule", { n: PASSWORD_MIN }) : null),
      again: (value, values) => (value === values.next ? null : t("setup.again-rule")),
    },
  });
  function submit() {
    if (form.validate().hasErrors) return null;
    const { old, next } = form.getValues();
    return () => act(api.PUT("/api/v1/me/password", { body: { old, new: next } }), t("password.changed"), "logins");
  }
  return (
    <FormModal title={t("password.change")} action={t("password.change")} close={close} submit={submit}>
      <PasswordInput label={t("password.old")} autoComplete="current-password" required data-autofocus {...form.getInputProps("old")} />
      <PasswordInput label={t("password.new")} description={t("setup.password-rule", { n: PASSWORD_MIN })} autoComplete="new-password" required {...form.getInputProps("next")} />
      <PasswordInput label={t("setup.again")} autoComplete="new-password" required {...form.getInputProps("again")} />
    </FormModal>
  );
}
