// Who vouches for whom, and until when: the forecast as a picture, authorities, boards' certificates.
import { Tabs } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";

import { campaigns, isOver } from "../../api/campaigns.ts";
import { forecast, type Forecast } from "../../api/certificates.ts";
import { locale, t } from "../../i18n/index.ts";
import { Waiting } from "../../parts/Waiting.tsx";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { Figures, type Figure } from "../../parts/Figures.tsx";
import { Page, Section } from "../../parts/Page.tsx";
import { CampaignList } from "../campaigns/CampaignList.tsx";
import { CampaignMark } from "../campaigns/CampaignMark.tsx";
import { Authorities } from "./Authorities.tsx";
import { ForecastPicture } from "./ForecastPicture.tsx";
import { OfBoards } from "./OfBoards.tsx";

function figures(of: Forecast): readonly Figure[] {
  const hub = of.hub == null ? "–" : new Date(of.hub).toLocaleDateString(locale(), { month: "short", year: "numeric" });
  return [
    { name: t("forecast.ended"), value: of.ended, note: t("forecast.ended-note") },
    ...of.within.map((window) => ({ name: t("forecast.ending", { n: window.days }), value: window.boards, note: t("forecast.others", { n: window.authorities }) })),
    { name: t("forecast.hub"), value: hub },
  ];
}

export default function Certificates() {
  const seen = useQuery(forecast);
  const navigate = useNavigate();
  const { tab = "authorities" } = useSearch({ from: "/signed-in/certificates" });
  return (
    <Page title={t("place.certificates")} lead={t("certificates.lead")}>
      {seen.error !== null && <FaultNote error={seen.error} />}
      {seen.data === undefined && seen.error === null && <Waiting />}
      {seen.data !== undefined && (
        <>
          <Figures
            name={t("forecast.within")}
            of={figures(seen.data)}
          />
          <Section title={t("forecast.title")} note={t("forecast.note")}>
            <UnderWay />
            <ForecastPicture of={seen.data} />
          </Section>
        </>
      )}
      <Tabs value={tab} onChange={(to) => void navigate({ to: "/certificates", search: to === null ? {} : { tab: to }, replace: true })} keepMounted={false}>
        <Tabs.List>
          <Tabs.Tab value="authorities">{t("authorities.title")}</Tabs.Tab>
          <Tabs.Tab value="boards">{t("certificates.of-boards")}</Tabs.Tab>
          <Tabs.Tab value="campaigns">{t("campaigns.title")}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="authorities">
          <Authorities />
        </Tabs.Panel>
        <Tabs.Panel value="boards">
          <OfBoards />
        </Tabs.Panel>
        <Tabs.Panel value="campaigns">
          <CampaignList />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

/** What is being done about it: campaigns that are not over. */
function UnderWay() {
  const list = useInfiniteQuery(campaigns);
  const open = (list.data?.pages ?? []).flatMap((page) => page.items).filter((of) => !isOver(of));
  if (open.length === 0) return null;
  return (
    <ul className="plain">
      {open.map((of) => (
        <li key={of.id}>
          <CampaignMark state={of.state} />{" "}
          <Link to="/campaigns/$campaign" params={{ campaign: String(of.id) }}>
            {of.boards == null ? t("campaign.from-to", { from: of.from, to: of.to }) : t("campaigns.running", { from: of.from, to: of.to, n: of.boards.waiting })}
          </Link>
        </li>
      ))}
    </ul>
  );
}
