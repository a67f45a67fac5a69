// One release: how far it is in words, what is in it, and the way from a draft to what boards take.
import { Anchor, Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { firmwareKeys, release, type Release as Seen } from "../../api/firmware.ts";
import { api } from "../../api/client.ts";
import { useMay } from "../../api/me.ts";
import { named, t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { bytes } from "../../parts/Figures.tsx";
import { Facts, Page, Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { Time } from "../../parts/Time.tsx";
import { Waiting } from "../../parts/Waiting.tsx";
import { AskToSign } from "./AskToSign.tsx";
import { Attach } from "./Attach.tsx";
import { EditNotes } from "./EditNotes.tsx";
import { ReleaseMark } from "./ReleaseMark.tsx";

/** Whether they may do this with it: one of every tenant's takes who may everywhere. */
const scope = (of: Seen) => of.tenant ?? null;

export default function Release() {
  const { release: id } = useParams({ from: "/signed-in/firmware/$release" });
  const may = useMay();
  const navigate = useNavigate();
  const seen = useQuery(release(Number(id)));
  const [open, setOpen] = useState<"notes" | "sign" | "attach" | null>(null);
  const over = <Link to="/firmware">{t("place.firmware")}</Link>;
  if (seen.error !== null || seen.data === undefined) {
    return (
      <Page title={t("release.title", { number: id })} over={over}>
        {seen.error === null ? <Waiting /> : <FaultNote error={seen.error} again={() => void seen.refetch()} />}
      </Page>
    );
  }
  const of = seen.data;
  const close = () => setOpen(null);
  const signs = may("firmware:sign", scope(of));
  return (
    <Page
      title={`${of.product} ${of.version}`}
      over={over}
      lead={
        <>
          <ReleaseMark state={of.state} /> {named("release-means", of.state)}
          {of.since != null && <> · <Time at={of.since} /></>}
          {of.why != null && <> · {t("board.because", { reason: of.why })}</>}
        </>
      }
      actions={
        <>
          {of.state === "draft" && signs && <Button onClick={() => setOpen("sign")}>{t("release.ask")}</Button>}
          {of.state === "approved" && signs && <Button onClick={() => setOpen("attach")}>{t("release.attach")}</Button>}
          {of.state === "signed" && may("rollouts:write") && (
            <Button onClick={() => void navigate({ to: "/rollouts/new", search: { release: String(of.id), ...(of.tenant == null ? {} : { tenant: [of.tenant] }) } })}>
              {t("rollout.add")}
            </Button>
          )}
          <Withdraw of={of} />
        </>
      }
    >
      <Section title={t("release.about")}>
        <Facts
          of={[
            [t("release.number"), of.id],
            [t("board.tenant"), of.tenant ?? t("tenant.everywhere")],
            [t("release.hardware"), of.hardware.length === 0 ? t("release.hardware-all") : of.hardware.join(", ")],
            [t("release.counter"), of.security_counter],
            [t("release.needs"), of.needs ?? t("release.needs-nothing")],
            [
              t("release.image"),
              <span key="image">
                {bytes(of.size)} · <Anchor href={`/api/v1/firmware/${of.id}/image`} download={`${of.product}-${of.version}.bin`}>{t("release.download")}</Anchor>
              </span>,
            ],
            [t("release.added"), <span key="added"><Time at={of.added} /> · {of.by}</span>],
            [t("release.digest"), <code key="digest">{of.digest}</code>, "long"],
            [t("release.file"), <code key="file">{of.file}</code>, "long"],
            [t("release.key"), of.key == null ? t("release.key-none") : <SignedBy key="key" id={of.key} />, "long"],
            ...(of.sbom == null ? [] : ([[t("release.sbom"), <code key="sbom">{of.sbom}</code>, "long"]] as const)),
          ]}
        />
      </Section>
      <Section
        title={t("release.notes")}
        actions={
          may("firmware:write", scope(of)) && (
            <Button size="compact-xs" variant="default" onClick={() => setOpen("notes")}>
              {t("release.notes-edit")}
            </Button>
          )
        }
      >
        {of.notes === "" ? <p className="faint">{t("release.notes-none")}</p> : <p className="as-written">{of.notes}</p>}
      </Section>
      {open === "notes" && <EditNotes of={of} close={close} />}
      {open === "sign" && <AskToSign of={of} close={close} />}
      {open === "attach" && <Attach of={of} close={close} />}
    </Page>
  );
}

function SignedBy({ id }: { id: string }) {
  const keys = useQuery(firmwareKeys);
  const name = keys.data?.find((key) => key.id === id)?.name;
  return (
    <>
      {name !== undefined && <>{name} · </>}
      <code>{id}</code>
    </>
  );
}

function Withdraw({ of }: { of: Seen }) {
  const may = useMay();
  const [ask, asking] = useConfirm();
  if (of.state === "withdrawn" || !may("firmware:write", scope(of))) return null;
  return (
    <>
      <Button
        color="red"
        variant="light"
        onClick={() =>
          ask({
            title: t("release.withdraw-title", { name: `${of.product} ${of.version}` }),
            consequence: t("release.withdraw-what"),
            action: t("release.withdraw-do"),
            reason: true,
            typed: of.version,
            run: (reason) =>
              act(api.POST("/api/v1/firmware/{release}/withdraw", { params: { path: { release: of.id } }, body: { reason } }), t("release.withdrawn"), "firmware", "rollouts"),
          })
        }
      >
        {t("release.withdraw")}
      </Button>
      {asking}
    </>
  );
}
