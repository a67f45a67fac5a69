// The second factor: a code that changes each half minute.
import { Button, PinInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { encode } from "uqr";

import { api, body } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { FormModal } from "../../parts/FormModal.tsx";
import { Mark } from "../../parts/Mark.tsx";
import { Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { Secret } from "../../parts/Secret.tsx";

/** `left`: recovery codes that were not used. */
export function Totp({ on, left }: { on: boolean; left: number }) {
  const [adding, setAdding] = useState(false);
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const [ask, asking] = useConfirm();
  const off = () =>
    ask({
      title: t("totp.off-title"),
      consequence: t("totp.off-what"),
      action: t("totp.off"),
      run: () => act(api.DELETE("/api/v1/me/totp"), t("totp.is-off"), "me"),
    });
  return (
    <Section
      title={t("totp.title")}
      actions={
        <Button size="compact-sm" variant={on ? "default" : "filled"} onClick={on ? off : () => setAdding(true)}>
          {on ? t("totp.off") : t("totp.on")}
        </Button>
      }
    >
      <Mark tone={on ? "ok" : "idle"}>{on ? t("totp.is-on") : t("totp.is-off")}</Mark>
      {on && <p className="faint">{t("totp.left", { n: left })}</p>}
      {adding && <Add made={setCodes} close={() => setAdding(false)} />}
      {codes !== null && <Secret title={t("totp.recovery")} note={t("totp.recovery-note")} secret={codes.join("\n")} close={() => setCodes(null)} />}
      {asking}
    </Section>
  );
}

function Add({ made, close }: { made: (codes: readonly string[]) => void; close: () => void }) {
  const begun = useQuery({ queryKey: ["totp-begin"], queryFn: () => body(api.POST("/api/v1/me/totp/begin", {})), gcTime: 0, staleTime: Infinity, refetchOnWindowFocus: false });
  const [code, setCode] = useState("");
  async function add() {
    const answer = await body(api.POST("/api/v1/me/totp", { body: { code } }));
    await act(Promise.resolve(), t("totp.is-on"), "me");
    made(answer.recovery_codes);
  }
  return (
    <FormModal title={t("totp.on")} action={t("totp.on")} close={close} submit={() => (code.length === 6 ? add : null)}>
      <p>{t("totp.scan")}</p>
      {begun.error !== null && <FaultNote error={begun.error} />}
      {begun.data !== undefined && (
        <>
          <Picture of={begun.data.uri} />
          <p className="faint">
            {t("totp.or-type")} <code>{begun.data.secret}</code>
          </p>
        </>
      )}
      <PinInput length={6} type="number" oneTimeCode value={code} onChange={setCode} aria-label={t("sign-in.code")} getInputProps={(index) => ({ "aria-label": t("sign-in.digit", { n: index + 1 }) })} />
    </FormModal>
  );
}

function Picture({ of }: { of: string }) {
  const { size, data } = useMemo(() => encode(of, { border: 3 }), [of]);
  const path = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join("");
  return (
    <svg className="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={t("totp.picture")}>
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" shapeRendering="crispEdges" />
    </svg>
  );
}
