// How each upstream is, those that are down first.
import { Link } from "@tanstack/react-router";

import type { Schemas } from "../../api/client.ts";
import { named, t } from "../../i18n/index.ts";
import { Empty } from "../../parts/Empty.tsx";
import { Mark, type Tone } from "../../parts/Mark.tsx";
import { Time } from "../../parts/Time.tsx";

type Upstream = Schemas["UpstreamHealth"];

const TONES: Record<Upstream["state"], Tone> = { down: "bad", connecting: "idle", up: "ok" };

export function Upstreams({ of }: { of: readonly Upstream[] }) {
  if (of.length === 0) {
    return (
      <Empty title={t("upstreams.none")} action={<Link to="/routes">{t("place.routes")}</Link>}>
        {t("upstreams.none-why")}
      </Empty>
    );
  }
  return (
    <ul className="attention">
      {of.map((upstream) => (
        <li key={`${upstream.tenant}/${upstream.name}`}>
          <Mark tone={TONES[upstream.state]}>
            <Link to="/tenants/$tenant" params={{ tenant: upstream.tenant }} className="row-link">
              {upstream.tenant}
            </Link>{" "}
            <span className="soft">
              {upstream.name} · {named("upstream-state", upstream.state)} <Time at={upstream.since} as="since" />
            </span>
            {upstream.error != null && <div className="tone-bad">{upstream.error}</div>}
          </Mark>
        </li>
      ))}
    </ul>
  );
}
