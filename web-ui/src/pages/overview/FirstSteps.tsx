// A hub without boards: what to do, in order.
import { Link } from "@tanstack/react-router";

import { useMay } from "../../api/me.ts";
import { t } from "../../i18n/index.ts";
import { Empty } from "../../parts/Empty.tsx";
import { Section } from "../../parts/Page.tsx";

export function FirstSteps() {
  const may = useMay();
  return (
    <Section title={t("first.title")}>
      <Empty title={t("first.said")}>
        <ol className="steps">
          <li>{may("tenants:write") ? <Link to="/tenants">{t("first.tenant")}</Link> : t("first.tenant")}</li>
          <li>{may("routes:write") ? <Link to="/routes">{t("first.route")}</Link> : t("first.route")}</li>
          <li>{may("batches:write") ? <Link to="/production">{t("first.batch")}</Link> : t("first.batch")}</li>
          <li>{t("first.reading")}</li>
        </ol>
      </Empty>
    </Section>
  );
}
