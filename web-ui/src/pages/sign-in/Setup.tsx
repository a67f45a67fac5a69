// From a one-time link: the hub's first person, or one who was invited, chooses name and password. The
// token is behind the #, which no server and no log sees.
import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { api, body } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { Gate } from "./Gate.tsx";

const PASSWORD_MIN = 12;

export default function Setup() {
  const [token] = useState(() => location.hash.slice(1));
  const whose = useQuery({
    queryKey: ["setup", token],
    queryFn: () => body(api.POST("/api/v1/setup/link", { body: { token } })),
    enabled: token !== "",
    retry: false,
    staleTime: Infinity,
  });
  const invited = whose.data?.user;
  const navigate = useNavigate();
  const queries = useQueryClient();
  const form = useForm({
    mode: "uncontrolled",
    initialValues: { user: "", full_name: "", password: "", again: "" },
    validate: {
      user: (value) => (invited != null || /^[a-z0-9][a-z0-9._@+-]{0,63}$/.test(value) ? null : t("setup.user-rule")),
      password: (value) => (value.length < PASSWORD_MIN ? t("setup.password-rule", { n: PASSWORD_MIN }) : null),
      again: (value, values) => (value === values.password ? null : t("setup.again-rule")),
    },
  });
  const act = useMutation({
    mutationFn: ({ user, full_name, password }: { user: string; full_name: string; password: string }) =>
      body(api.POST("/api/v1/setup", { body: { token, password, ...(invited == null ? { user, full_name } : {}) } })),
    onSuccess: () => {
      // Not the link: it is used up, and would be asked for again.
      queries.removeQueries({ predicate: (query) => query.queryKey[0] !== "setup" });
      void navigate({ to: "/", replace: true });
    },
  });
  if (token === "") {
    return (
      <Gate title={t("setup.needed")} lead={t("setup.needed-lead")}>
        <pre className="mono">cellular-hub user setup-link</pre>
      </Gate>
    );
  }
  if (whose.error !== null) {
    return (
      <Gate title={t("setup.needed")}>
        <FaultNote error={whose.error} />
      </Gate>
    );
  }
  return (
    <Gate title={t("setup.title")} lead={invited == null ? t("setup.lead") : t("setup.lead-invited", { user: invited })}>
      <form onSubmit={form.onSubmit((values) => act.mutate(values))}>
        <Stack gap="sm">
          {act.error !== null && <FaultNote error={act.error} />}
          {invited == null && (
            <>
              <TextInput label={t("sign-in.user")} description={t("setup.user-note")} autoComplete="username" autoCapitalize="none" spellCheck={false} required {...form.getInputProps("user")} />
              <TextInput label={t("setup.full-name")} autoComplete="name" required {...form.getInputProps("full_name")} />
            </>
          )}
          <PasswordInput label={t("sign-in.password")} description={t("setup.password-rule", { n: PASSWORD_MIN })} autoComplete="new-password" required {...form.getInputProps("password")} />
          <PasswordInput label={t("setup.again")} autoComplete="new-password" required {...form.getInputProps("again")} />
          <Button type="submit" loading={act.isPending}>
            {t("setup.do")}
          </Button>
        </Stack>
      </form>
    </Gate>
  );
}
