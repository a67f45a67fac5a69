// Where readings go: upstreams, which are tenants' brokers, and routes, which lead to them.
import { t } from "../../i18n/index.ts";
import { Page } from "../../parts/Page.tsx";
import { RouteList } from "./RouteList.tsx";
import { UpstreamList } from "./UpstreamList.tsx";

export default function Routes() {
  return (
    <Page title={t("place.routes")} lead={t("routes.lead")}>
      <UpstreamList />
      <RouteList />
    </Page>
  );
}
