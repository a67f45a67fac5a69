import { Link } from "@tanstack/react-router";

import { t } from "../i18n/index.ts";
import { Empty } from "../parts/Empty.tsx";
import { Page } from "../parts/Page.tsx";

export function NotFound() {
  return (
    <main>
      <Page title={t("not-found.title")}>
        <Empty title={t("not-found.said")} action={<Link to="/">{t("not-found.home")}</Link>}>
          {t("not-found.why")}
        </Empty>
      </Page>
    </main>
  );
}
