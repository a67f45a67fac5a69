// What needs somebody, the worst first as the hub lists it, each with where to go.
import { Link } from "@tanstack/react-router";

import type { Schemas } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { Mark, type Tone } from "../../parts/Mark.tsx";

type Item = Schemas["Attention"];

const TONES: Record<Item["severity"], Tone> = { critical: "bad", warning: "warn", info: "busy" };

/** Where the hub's own words say more than ours. */
const DETAILED: ReadonlySet<Item["code"]> = new Set(["store-failed", "disk-low", "keys-unavailable", "certificate-of-hub-ends", "upstream-down"]);

export function Attention({ of }: { of: readonly Item[] }) {
  if (of.length === 0) {
    return (
      <div className="section-body">
        <Mark tone="ok">{t("attention.none")}</Mark>
      </div>
    );
  }
  return (
    <ul className="attention">
      {of.map((item) => (
        <li key={`${item.code}-${item.tenant ?? ""}-${item.subject ?? ""}`}>
          <Mark tone={TONES[item.severity]}>
            <strong>{t(`attention.${item.code}`, { n: item.count, tenant: item.tenant ?? "", subject: item.subject ?? "" })}</strong>
            {DETAILED.has(item.code) && <div className="soft" lang="en">{item.detail}</div>}
          </Mark>
          <Where of={item} />
        </li>
      ))}
    </ul>
  );
}

function Where({ of }: { of: Item }) {
  switch (of.code) {
    case "upstream-down":
    case "upstreams-down":
      return <Link to="/routes">{t("place.routes")}</Link>;
    case "certificates-ended":
    case "certificates-ending":
      return (
        <Link to="/boards" search={{ sort: "certificate_end" }}>
          {t("attention.which")}
        </Link>
      );
    case "boards-held":
      return (
        <Link to="/boards" search={{ state: ["held"] }}>
          {t("attention.which")}
        </Link>
      );
    case "boards-silent":
      return (
        <Link to="/boards" search={{ sort: "last_seen" }}>
          {t("attention.which")}
        </Link>
      );
    case "tenant-suspended":
      return (
        <Link to="/tenants/$tenant" params={{ tenant: of.tenant ?? "" }}>
          {of.tenant}
        </Link>
      );
    case "approvals-waiting":
      return <Link to="/approvals">{t("place.approvals")}</Link>;
    case "store-failed":
    case "disk-low":
    case "keys-unavailable":
    case "certificate-of-hub-ends":
      return <Link to="/system">{t("place.system")}</Link>;
  }
}
