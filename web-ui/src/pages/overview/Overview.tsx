// Whether the fleet is well, at a glance: one sentence, six numbers, what to do, who is down, the last hour.
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { overview, useLive, type Overview as Seen } from "../../api/overview.ts";
import { useMay } from "../../api/me.ts";
import { t } from "../../i18n/index.ts";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { Figures, type Figure } from "../../parts/Figures.tsx";
import { Page, Section } from "../../parts/Page.tsx";
import { Waiting } from "../../parts/Waiting.tsx";
import { Attention } from "./Attention.tsx";
import { FirstSteps } from "./FirstSteps.tsx";
import { LastHour } from "./LastHour.tsx";
import { Upstreams } from "./Upstreams.tsx";

export default function Overview() {
  const seen = useQuery(overview);
  const { live, rates } = useLive();
  if (seen.data === undefined) {
    return (
      <Page title={t("place.overview")}>{seen.error === null ? <Waiting /> : <FaultNote error={seen.error} again={() => void seen.refetch()} />}</Page>
    );
  }
  const at = seen.data;
  return (
    <Page
      title={t("place.overview")}
      lead={inWords(at)}
      actions={
        <span className="live faint" data-on={live}>
          {live ? t("live.on") : t("live.off")}
        </span>
      }
    >
      {/* What was read before stays where the hub is away for a moment. */}
      {seen.error !== null && <FaultNote error={seen.error} again={() => void seen.refetch()} />}
      {at.boards.total === 0 ? <FirstSteps /> : <Fleet of={rates === null ? at : { ...at, rates }} />}
    </Page>
  );
}

function inWords({ boards, upstreams }: Seen): string {
  if (boards.total === 0) return t("overview.no-boards");
  const heard = t("overview.heard", { n: boards.active_1h, total: boards.total });
  if (upstreams.length === 0) return heard;
  const down = upstreams.filter((upstream) => upstream.state !== "up").length;
  return `${heard} ${down === 0 ? t("overview.all-up") : t("overview.some-down", { n: down })}`;
}

function figures({ boards, rates }: Seen): readonly Figure[] {
  return [
    { name: t("overview.boards"), value: boards.total, note: <Link to="/boards">{t("overview.see-all")}</Link> },
    { name: t("overview.online"), value: boards.online, note: t("overview.online-note") },
    { name: t("overview.messages"), value: rates.messages, unit: t("unit.per-second") },
    ...(rates.handshakes == null ? [] : [{ name: t("overview.handshakes"), value: rates.handshakes, unit: t("unit.per-second") }]),
    { name: t("overview.silent"), value: boards.silent_24h, note: t("overview.silent-note", { n: boards.unheard }) },
    {
      name: t("overview.shut-out"),
      value: boards.blocked + boards.held + boards.revoked,
      note: (
        <Link to="/boards" search={{ state: ["blocked", "held", "revoked"] }}>
          {t("overview.see-which")}
        </Link>
      ),
    },
  ];
}

function Fleet({ of }: { of: Seen }) {
  const may = useMay();
  return (
    <>
      <Figures name={t("overview.figures")} of={figures(of)} />
      <div className="columns">
        <div className={may("routes:read") ? "two-thirds" : undefined}>
          <Section title={t("overview.attention")} flush>
            <Attention of={of.attention} />
          </Section>
          <LastHour of={of.series} />
        </div>
        {may("routes:read") && (
          <div className="third">
            <Section title={t("overview.upstreams")} flush>
              <Upstreams of={of.upstreams} />
            </Section>
          </div>
        )}
      </div>
    </>
  );
}
