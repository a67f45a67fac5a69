// Signing in: a passkey, or name and password with a second factor where there is one, or the company's
// own sign-in.
import { Alert, Button, Divider, PasswordInput, PinInput, Stack, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { IconBuildingCommunity, IconFingerprint } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { api, body } from "../../api/client.ts";
import { knowsPasskeys, showPasskey } from "../../api/passkey.ts";
import { rememberPlace, session, type Session } from "../../api/session.ts";
import { named, t } from "../../i18n/index.ts";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { Waiting } from "../../parts/Waiting.tsx";
import { placeHere } from "../../search.ts";
import { Gate } from "./Gate.tsx";

export default function SignIn() {
  const { to, refused } = useSearch({ from: "/sign-in" });
  const navigate = useNavigate();
  const queries = useQueryClient();
  const now = useQuery(session);
  const [asked, setAsked] = useState(false);

  function next(answer: Session) {
    setAsked(answer.state === "second-factor");
    if (answer.state !== "signed-in") return;
    queries.clear();
    void navigate({ to: placeHere(to) });
  }

  if (asked || now.data?.state === "second-factor") {
    return (
      <Gate title={t("sign-in.second")} lead={t("sign-in.second-lead")}>
        <SecondFactor next={next} />
      </Gate>
    );
  }
  if (now.isPending) {
    return (
      <Gate title={t("sign-in.title")}>
        <Waiting />
      </Gate>
    );
  }
  if (now.data?.state === "setup-needed") {
    return (
      <Gate title={t("setup.needed")} lead={t("setup.needed-lead")}>
        <pre className="mono">cellular-hub user setup-link</pre>
      </Gate>
    );
  }
  const methods = now.data?.methods ?? [];
  const passkey = knowsPasskeys() && methods.includes("passkey");
  const provider = methods.includes("provider") ? now.data?.provider : null;
  return (
    <Gate title={t("sign-in.title")}>
      <Stack gap="md" mt="md">
        {refused !== undefined && <Refused code={refused} />}
        <WithPassword next={next} />
        {(passkey || provider != null) && <Divider label={t("sign-in.or")} labelPosition="center" />}
        {passkey && <WithPasskey next={next} />}
        {provider != null && (
          <Button component="a" href="/api/v1/session/provider" variant="default" leftSection={<IconBuildingCommunity size={17} />} onClick={() => rememberPlace(placeHere(to))}>
            {t("sign-in.provider", { name: provider })}
          </Button>
        )}
      </Stack>
    </Gate>
  );
}

/** The provider sent them back, and the hub does not let them in. */
function Refused({ code }: { code: string }) {
  const why = named("provider-refused", code);
  return (
    <Alert className="fault" role="alert" color="red" variant="light" title={t("sign-in.provider-refused")}>
      <p>{why === code ? t("provider-refused.provider-failed") : why}</p>
      <p className="faint mono">{code}</p>
    </Alert>
  );
}

type Next = { next: (answer: Session) => void };

function WithPassword({ next }: Next) {
  const form = useForm({ mode: "uncontrolled", initialValues: { user: "", password: "" } });
  const act = useMutation({
    mutationFn: (values: { user: string; password: string }) => body(api.POST("/api/v1/session", { body: values })),
    onSuccess: next,
    onError: () => form.setFieldValue("password", ""),
  });
  return (
    <form onSubmit={form.onSubmit((values) => act.mutate({ ...values, user: values.user.trim().toLowerCase() }))}>
      <Stack gap="sm">
        {act.error !== null && <FaultNote error={act.error} />}
        <TextInput label={t("sign-in.user")} autoComplete="username webauthn" autoCapitalize="none" spellCheck={false} required withAsterisk={false} {...form.getInputProps("user")} />
        <PasswordInput label={t("sign-in.password")} autoComplete="current-password" required withAsterisk={false} {...form.getInputProps("password")} />
        <Button type="submit" loading={act.isPending} fullWidth>
          {t("sign-in.do")}
        </Button>
      </Stack>
    </form>
  );
}

function WithPasskey({ next }: Next) {
  const act = useMutation({
    mutationFn: async () => {
      const asked = await body(api.POST("/api/v1/session/passkey/begin", {}));
      return body(api.POST("/api/v1/session/passkey/finish", { body: { credential: await showPasskey(asked) } }));
    },
    onSuccess: next,
  });
  return (
    <>
      {act.error !== null && <FaultNote error={act.error} />}
      <Button variant="default" leftSection={<IconFingerprint size={17} />} loading={act.isPending} onClick={() => act.mutate()}>
        {t("sign-in.passkey")}
      </Button>
    </>
  );
}

function SecondFactor({ next }: Next) {
  const [lost, setLost] = useState(false);
  const [code, setCode] = useState("");
  const act = useMutation({
    mutationFn: (entered: string) =>
      lost ? body(api.POST("/api/v1/session/recovery-code", { body: { code: entered } })) : body(api.POST("/api/v1/session/totp", { body: { code: entered } })),
    onSuccess: next,
    onError: () => setCode(""),
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        act.mutate(code.trim());
      }}
    >
      <Stack gap="sm">
        {act.error !== null && <FaultNote error={act.error} />}
        {lost ? (
          <TextInput label={t("sign-in.recovery")} autoComplete="off" value={code} onChange={(event) => setCode(event.currentTarget.value)} />
        ) : (
          <PinInput
            length={6}
            type="number"
            oneTimeCode
            autoFocus
            aria-label={t("sign-in.code")}
            getInputProps={(index) => ({ "aria-label": t("sign-in.digit", { n: index + 1 }) })}
            value={code}
            onChange={setCode}
            onComplete={(entered) => act.mutate(entered)}
          />
        )}
        <Button type="submit" loading={act.isPending} disabled={code === ""}>
          {t("sign-in.do")}
        </Button>
        <Button
          variant="subtle"
          size="compact-sm"
          onClick={() => {
            setCode("");
            setLost(!lost);
          }}
        >
          {lost ? t("sign-in.have-code") : t("sign-in.lost-code")}
        </Button>
      </Stack>
    </form>
  );
}
