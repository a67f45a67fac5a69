import { Button, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { passkeys } from "../../api/account.ts";
import { api, body } from "../../api/client.ts";
import { knowsPasskeys, makePasskey } from "../../api/passkey.ts";
import { t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { FormModal } from "../../parts/FormModal.tsx";
import { Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { Time } from "../../parts/Time.tsx";

export function Passkeys() {
  const list = useQuery(passkeys);
  const [adding, setAdding] = useState(false);
  const [ask, asking] = useConfirm();
  const items = list.data ?? [];
  return (
    <Section
      title={t("passkeys.title")}
      actions={
        knowsPasskeys() && (
          <Button size="compact-sm" onClick={() => setAdding(true)}>
            {t("passkeys.add")}
          </Button>
        )
      }
      flush
    >
      {items.length === 0 ? (
        <Empty title={t("passkeys.none")}>{t("passkeys.none-why")}</Empty>
      ) : (
        <ul className="attention">
          {items.map((passkey) => (
            <li key={passkey.id}>
              <div>
                <strong>{passkey.label}</strong>{" "}
                <span className="faint">
                  <Time at={passkey.created} as="date" />
                </span>
              </div>
              <Button
                size="compact-xs"
                variant="subtle"
                color="red"
                onClick={() =>
                  ask({
                    title: t("passkeys.remove-title", { name: passkey.label }),
                    consequence: t("passkeys.remove-what"),
                    action: t("action.remove"),
                    run: () => act(api.DELETE("/api/v1/me/passkeys/{passkey}", { params: { path: { passkey: passkey.id } } }), t("passkeys.removed"), "passkeys", "me"),
                  })
                }
              >
                {t("action.remove")}
              </Button>
            </li>
          ))}
        </ul>
      )}
      {adding && <AddPasskey close={() => setAdding(false)} />}
      {asking}
    </Section>
  );
}

function AddPasskey({ close }: { close: () => void }) {
  const [name, setName] = useState("");
  async function add() {
    const asked = await body(api.POST("/api/v1/me/passkeys/begin", {}));
    const credential = await makePasskey(asked);
    await act(body(api.POST("/api/v1/me/passkeys", { body: { label: name.trim(), credential } })), t("passkeys.added"), "passkeys");
  }
  return (
    <FormModal title={t("passkeys.add")} action={t("passkeys.add")} close={close} submit={() => (name.trim() === "" ? null : add)}>
      <p>{t("passkeys.add-note")}</p>
      <TextInput label={t("passkeys.name")} description={t("passkeys.name-note")} required maxLength={40} data-autofocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
    </FormModal>
  );
}
