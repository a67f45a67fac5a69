// How an upstream is, in words, and since when.
import type { Upstream } from "../../api/routes.ts";
import { t } from "../../i18n/index.ts";
import { Mark } from "../../parts/Mark.tsx";
import { Time } from "../../parts/Time.tsx";

export function addressOf(upstream: Upstream): string {
  return upstream.kind === "mqtt" ? upstream.url : t("upstream.discards");
}

export function UpstreamState({ of }: { of: Upstream }) {
  const { status } = of;
  if (status == null) return <Mark tone="idle">{t("upstream.no-connection")}</Mark>;
  return (
    <Mark tone={status.up ? "ok" : "bad"}>
      {status.up ? t("upstream.up") : t("upstream.down")}{" "}
      <span className="faint">
        <Time at={status.since} as="since" />
      </span>
      {status.trouble != null && <div className="tone-bad">{status.trouble.detail}</div>}
    </Mark>
  );
}
