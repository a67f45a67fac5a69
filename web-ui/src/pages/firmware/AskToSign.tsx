import { Select, Textarea } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { api } from "../../api/client.ts";
import { firmwareKeys, type Release } from "../../api/firmware.ts";
import { t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { act } from "../../parts/said.ts";

const ELSEWHERE = "";

/** Asks a second person to allow that it is signed: in the key store at once, or by a key elsewhere afterwards. */
export function AskToSign({ of, close }: { of: Release; close: () => void }) {
  const navigate = useNavigate();
  const keys = useQuery(firmwareKeys);
  const here = (keys.data ?? []).filter((key) => key.in_key_store).map((key) => key.name);
  const [chosen, setChosen] = useState<string | null>(null);
  const [reason, setReason] = useState("");
  const [missing, setMissing] = useState(false);
  const key = chosen ?? here[0] ?? ELSEWHERE;
  function submit() {
    const why = reason.trim();
    setMissing(why === "");
    if (why === "") return null;
    return async () => {
      const signing = { reason: why, ...(key === ELSEWHERE ? {} : { key }) };
      await act(api.POST("/api/v1/firmware/{release}/sign", { params: { path: { release: of.id } }, body: signing }), t("release.asked"), "firmware", "approvals");
      await navigate({ to: "/approvals" });
    };
  }
  return (
    <FormModal title={t("release.ask-title", { name: `${of.product} ${of.version}` })} action={t("release.ask")} close={close} submit={submit}>
      <p>{t("release.ask-what")}</p>
      <code className="wrap">{of.digest}</code>
      <Select
        label={t("release.key-with")}
        data={[...here.map((name) => ({ value: name, label: name })), { value: ELSEWHERE, label: t("release.key-elsewhere") }]}
        value={key}
        onChange={setChosen}
        allowDeselect={false}
      />
      <Textarea
        label={t("confirm.reason")}
        description={t("release.ask-reason")}
        required
        maxLength={200}
        data-autofocus
        value={reason}
        error={missing && reason.trim() === "" ? t("release.ask-reason") : null}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </FormModal>
  );
}
