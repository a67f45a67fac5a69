import { FileInput, Textarea } from "@mantine/core";
import { useState } from "react";

import { api } from "../../api/client.ts";
import { base64, type Release } from "../../api/firmware.ts";
import { t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { act } from "../../parts/said.ts";

/** The way with a key elsewhere: the digest out, the signature in. */
export function Attach({ of, close }: { of: Release; close: () => void }) {
  const [signature, setSignature] = useState("");
  const [file, setFile] = useState<File | null>(null);
  const [missing, setMissing] = useState(false);
  function submit() {
    const given = signature.replace(/\s/g, "");
    setMissing(given === "" && file === null);
    if (given === "" && file === null) return null;
    return async () => {
      const signed = file === null ? given : await base64(file);
      await act(api.POST("/api/v1/firmware/{release}/signature", { params: { path: { release: of.id } }, body: { signature: signed } }), t("release.attached"), "firmware");
    };
  }
  return (
    <FormModal title={t("release.attach")} action={t("release.attach")} close={close} submit={submit}>
      <p>{t("release.attach-what")}</p>
      <code className="wrap">{of.digest}</code>
      <FileInput label={t("release.signature-file")} placeholder={t("release.signature-choose")} clearable value={file} onChange={setFile} clearButtonProps={{ "aria-label": t("action.remove") }} />
      <Textarea
        label={t("release.signature")}
        spellCheck={false}
        maxLength={200}
        value={signature}
        error={missing ? t("release.signature-rule") : null}
        onChange={(event) => setSignature(event.currentTarget.value)}
      />
    </FormModal>
  );
}
