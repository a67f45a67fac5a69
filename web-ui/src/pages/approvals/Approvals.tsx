// What waits for a second person: what will happen, who asked for it, until when.
import { Button, Group } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { api } from "../../api/client.ts";
import { useMe } from "../../api/me.ts";
import { approvals, type Approval } from "../../api/people.ts";
import { named, t } from "../../i18n/index.ts";
import { useConfirm, type Question } from "../../parts/Confirm.tsx";
import { Waiting } from "../../parts/Waiting.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { Mark, type Tone } from "../../parts/Mark.tsx";
import { Page, Section } from "../../parts/Page.tsx";
import { act, complain } from "../../parts/said.ts";
import { Time } from "../../parts/Time.tsx";

const TONES: Readonly<Record<string, Tone>> = { pending: "warn", done: "ok", failed: "bad", rejected: "bad", expired: "idle", withdrawn: "idle" };

export default function Approvals() {
  const list = useQuery(approvals);
  const [ask, asking] = useConfirm();
  const all = list.data?.items ?? [];
  const waiting = all.filter((approval) => approval.state === "pending");
  const decided = all.filter((approval) => approval.state !== "pending");
  return (
    <Page title={t("place.approvals")} lead={t("approvals.lead")}>
      {list.error !== null && <FaultNote error={list.error} again={() => void list.refetch()} />}
      <Section title={t("approvals.waiting")} note={t("approvals.count", { n: waiting.length })} flush>
        {list.data === undefined && list.error === null && <Waiting />}
        {list.data !== undefined && waiting.length === 0 && <Empty title={t("approvals.none")}>{t("approvals.none-why")}</Empty>}
        <ul className="attention">
          {waiting.map((approval) => (
            <One key={approval.id} of={approval}>
              <Decide of={approval} ask={ask} />
            </One>
          ))}
        </ul>
      </Section>
      {decided.length > 0 && (
        <Section title={t("approvals.decided")} flush>
          <ul className="attention">
            {decided.map((approval) => (
              <One key={approval.id} of={approval} />
            ))}
          </ul>
        </Section>
      )}
      {asking}
    </Page>
  );
}

/** What it is done to; what has to be typed before it is allowed. */
function subject(act: Approval["act"]): string {
  switch (act.kind) {
    case "remove-tenant":
      return act.tenant;
    case "sign-firmware":
      return String(act.release);
    case "start-rollout":
    case "change-rollout":
      return String(act.rollout);
  }
}

function consequence(act: Approval["act"]): string {
  switch (act.kind) {
    case "remove-tenant":
      return t("approvals.remove-tenant", { tenant: act.tenant });
    case "sign-firmware":
      return t("approvals.sign-firmware", { release: String(act.release), whose: act.tenant ?? t("tenant.everywhere") });
    case "start-rollout":
      return t("approvals.start-rollout", { rollout: String(act.rollout), release: String(act.release), whose: act.tenant ?? t("tenant.everywhere") });
    case "change-rollout":
      return t("approvals.change-rollout", { rollout: String(act.rollout), release: String(act.release), whose: act.tenant ?? t("tenant.everywhere") });
  }
}

function One({ of, children }: { of: Approval; children?: ReactNode }) {
  return (
    <li className="approval">
      <div>
        <Mark tone={TONES[of.state] ?? "idle"}>
          <strong>{named("approval-action", of.act.kind)}</strong> <code>{subject(of.act)}</code>
        </Mark>
        <p>“{of.reason}”</p>
        {of.why != null && <p className="tone-bad">{of.why}</p>}
        <p className="faint">
          {t("approvals.asked", { who: of.requester })} <Time at={of.requested} /> · {named("approval-state", of.state)}
          {of.state === "pending" && (
            <>
              {" "}
              · {t("approvals.until")} <Time at={of.expires} />
            </>
          )}
        </p>
      </div>
      {children}
    </li>
  );
}

function Decide({ of, ask }: { of: Approval; ask: (question: Question) => void }) {
  const who = useMe();
  const path = { params: { path: { approval: of.id } } };
  if (of.requester === who.user) {
    return (
      <Group gap="xs">
        <span className="faint">{t("approvals.own")}</span>
        <Button
          size="compact-sm"
          variant="default"
          onClick={() => {
            act(api.POST("/api/v1/approvals/{approval}/withdraw", path), t("approvals.withdrawn"), "approvals").catch(complain);
          }}
        >
          {t("approvals.withdraw")}
        </Button>
      </Group>
    );
  }
  if (!of.may_decide) return null;
  return (
    <Group gap="xs" wrap="nowrap">
      <Button
        size="compact-sm"
        color="red"
        onClick={() =>
          ask({
            title: t("approvals.approve-title", { what: named("approval-action", of.act.kind) }),
            consequence: (
              <>
                <p>{t("approvals.asks", { who: of.requester, reason: of.reason })}</p>
                <p>{consequence(of.act)}</p>
                {of.act.kind === "sign-firmware" && <code>{of.act.digest}</code>}
              </>
            ),
            action: t("approvals.approve-do"),
            typed: subject(of.act),
            run: () => act(api.POST("/api/v1/approvals/{approval}/approve", path), t("approvals.approved"), "approvals", "tenants", "authorities", "boards"),
          })
        }
      >
        {t("approvals.approve")}
      </Button>
      <Button
        size="compact-sm"
        variant="default"
        onClick={() =>
          ask({
            title: t("approvals.reject-title", { what: named("approval-action", of.act.kind) }),
            consequence: t("approvals.reject-what"),
            action: t("approvals.reject"),
            reason: true,
            calm: true,
            run: (reason) => act(api.POST("/api/v1/approvals/{approval}/reject", { ...path, body: { reason } }), t("approvals.rejected"), "approvals"),
          })
        }
      >
        {t("approvals.reject")}
      </Button>
    </Group>
  );
}
