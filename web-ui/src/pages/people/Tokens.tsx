// Tokens for programs: what each may, for how long, when it was last used.
import { Button, MultiSelect, NumberInput, TextInput } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { api, body, once } from "../../api/client.ts";
import { useMe } from "../../api/me.ts";
import { tokens, type Token } from "../../api/people.ts";
import { t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { FormModal } from "../../parts/FormModal.tsx";
import { Page, Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { Secret } from "../../parts/Secret.tsx";
import { TenantSelect } from "../../parts/TenantSelect.tsx";
import { Time } from "../../parts/Time.tsx";

export default function Tokens() {
  const list = useQuery(tokens);
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const [ask, asking] = useConfirm();
  const columns = useMemo<Column<Token>[]>(
    () => [
      { id: "label", name: t("token.label"), cell: (token) => <strong>{token.label}</strong> },
      { id: "owner", name: t("token.owner"), cell: (token) => token.owner },
      { id: "scopes", name: t("token.scopes"), cell: (token) => token.scopes.map((scope) => <span key={scope} className="tag">{scope}</span>) },
      { id: "tenant", name: t("user.where"), cell: (token) => token.tenant ?? <span className="faint">{t("tenant.everywhere")}</span> },
      { id: "used", name: t("token.used"), cell: (token) => <Time at={token.last_used} /> },
      { id: "expires", name: t("token.expires"), cell: (token) => <Time at={token.expires} as="date" /> },
      {
        id: "acts",
        name: t("action.acts"),
        align: "right",
        cell: (token) => (
          <Button
            size="compact-xs"
            variant="subtle"
            color="red"
            onClick={() =>
              ask({
                title: t("token.revoke-title", { name: token.label }),
                consequence: t("token.revoke-what"),
                action: t("token.revoke"),
                run: () => act(api.DELETE("/api/v1/tokens/{token}", { params: { path: { token: token.id } } }), t("token.revoked"), "tokens"),
              })
            }
          >
            {t("token.revoke")}
          </Button>
        ),
      },
    ],
    [ask],
  );
  const add = <Button onClick={() => setAdding(true)}>{t("token.add")}</Button>;
  return (
    <Page title={t("place.tokens")} lead={t("tokens.lead")} actions={add}>
      <Section title={t("tokens.list")} flush>
        <DataTable
          name={t("tokens.list")}
          rows={list.data?.items}
          columns={columns}
          idOf={(token) => token.id}
          error={list.error}
          again={() => void list.refetch()}
          empty={
            <Empty title={t("tokens.none")} action={add}>
              {t("tokens.none-why")}
            </Empty>
          }
        />
      </Section>
      {adding && <AddToken made={setSecret} close={() => setAdding(false)} />}
      {secret !== null && <Secret title={t("token.made")} note={t("token.made-note")} secret={secret} close={() => setSecret(null)} />}
      {asking}
    </Page>
  );
}

function AddToken({ made, close }: { made: (token: string) => void; close: () => void }) {
  const who = useMe();
  const theirs = [...new Set(who.powers.flatMap((power) => power.permissions))].sort();
  const form = useForm({
    initialValues: { label: "", scopes: [] as string[], tenant: "", days: 90 },
    validate: {
      label: (label) => (label.trim() === "" ? t("token.label-rule") : null),
      scopes: (scopes) => (scopes.length === 0 ? t("token.scopes-rule") : null),
    },
  });
  function submit() {
    if (form.validate().hasErrors) return null;
    const { label, scopes, tenant, days } = form.getValues();
    return async () => {
      const answer = await body(api.POST("/api/v1/tokens", { body: { label, scopes, days, ...(tenant === "" ? {} : { tenant }) }, headers: once() }));
      await act(Promise.resolve(), t("token.made"), "tokens");
      made(answer.token);
    };
  }
  return (
    <FormModal title={t("token.add")} action={t("token.add")} close={close} submit={submit}>
      <TextInput label={t("token.label")} description={t("token.label-note")} required data-autofocus {...form.getInputProps("label")} />
      <MultiSelect label={t("token.scopes")} data={theirs} searchable required {...form.getInputProps("scopes")} />
      <TenantSelect label={t("user.where")} everywhere value={form.values.tenant === "" ? null : form.values.tenant} onChange={(of) => form.setFieldValue("tenant", of ?? "")} />
      <NumberInput label={t("token.days")} min={1} max={365} allowDecimal={false} required {...form.getInputProps("days")} />
    </FormModal>
  );
}
