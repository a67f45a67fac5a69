// One tenant: whether it is served, where its readings go, and the dangerous things.
import { Button, Menu } from "@mantine/core";
import { IconChevronDown } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";

import { api, once } from "../../api/client.ts";
import { facets } from "../../api/boards.ts";
import { useMay } from "../../api/me.ts";
import { tenant, type Tenant as Seen } from "../../api/tenants.ts";
import { named, t } from "../../i18n/index.ts";
import { Choices } from "../../parts/Choices.tsx";
import { useConfirm } from "../../parts/Confirm.tsx";
import { Waiting } from "../../parts/Waiting.tsx";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { amount } from "../../parts/Figures.tsx";
import { Mark } from "../../parts/Mark.tsx";
import { Facts, Page, Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { Time } from "../../parts/Time.tsx";
import { RouteList } from "../routes/RouteList.tsx";
import { UpstreamList } from "../routes/UpstreamList.tsx";
import { Quota } from "./Quota.tsx";

export default function Tenant() {
  const { tenant: id } = useParams({ from: "/signed-in/tenants/$tenant" });
  const may = useMay();
  const seen = useQuery(tenant(id));
  const counted = useQuery({ ...facets({ tenant: [id] }), enabled: may("boards:read", id) });
  const over = <Link to="/tenants">{t("place.tenants")}</Link>;
  if (seen.error !== null || seen.data === undefined) {
    return (
      <Page title={id} over={over}>
        {seen.error === null ? <Waiting /> : <FaultNote error={seen.error} again={() => void seen.refetch()} />}
      </Page>
    );
  }
  const of = seen.data;
  const boards = counted.data?.total ?? 0;
  return (
    <Page
      title={of.name === "" ? of.id : of.name}
      over={over}
      lead={<Mark tone={of.state === "active" ? "ok" : "bad"}>{of.state === "active" ? t("tenant.serves", { n: boards }) : t("tenant.suspended", { n: boards })}</Mark>}
      actions={<Acts of={of} boards={boards} />}
    >
      <Section title={t("tenant.about")}>
        <Facts
          of={[
            [t("tenant.id"), <code key="id">{of.id}</code>],
            [t("board.state"), named("tenant-state", of.state)],
            [t("place.boards"), <Link key="boards" to="/boards" search={{ tenant: [of.id] }}>{amount(boards)}</Link>],
            [t("board.created"), <Time key="created" at={of.created} as="date" />],
          ]}
        />
      </Section>
      {may("routes:read", of.id) && (
        <>
          <UpstreamList tenant={of.id} />
          <RouteList tenant={of.id} />
        </>
      )}
      <Quota tenant={of.id} />
    </Page>
  );
}

function Acts({ of, boards }: { of: Seen; boards: number }) {
  const may = useMay();
  const [ask, asking] = useConfirm();
  const path = { params: { path: { tenant: of.id } } };
  if (!may("tenants:write", of.id)) return null;
  return (
    <>
      {of.state === "suspended" && (
        <Button
          onClick={() =>
            ask({
              title: t("tenant.resume-title", { name: of.id }),
              consequence: t("tenant.resume-what", { n: boards }),
              action: t("tenant.resume"),
              calm: true,
              run: () => act(api.POST("/api/v1/tenants/{tenant}/resume", path), t("tenant.resumed"), "tenants"),
            })
          }
        >
          {t("tenant.resume")}
        </Button>
      )}
      <Choices
        target={
          <Button variant="default" rightSection={<IconChevronDown size={15} />}>
            {t("action.more")}
          </Button>
        }
      >
        {of.state === "active" && (
          <Menu.Item
            color="red"
            onClick={() =>
              ask({
                title: t("tenant.suspend-title", { name: of.id }),
                consequence: t("tenant.suspend-what", { n: boards }),
                action: t("tenant.suspend-do", { n: boards }),
                reason: true,
                typed: of.id,
                run: (reason) => act(api.POST("/api/v1/tenants/{tenant}/suspend", { ...path, body: { reason } }), t("tenant.suspended-now"), "tenants"),
              })
            }
          >
            {t("tenant.suspend")}
          </Menu.Item>
        )}
        <Menu.Item
          color="red"
          onClick={() =>
            ask({
              title: t("tenant.remove-title", { name: of.id }),
              consequence: t("tenant.remove-what"),
              action: t("tenant.remove-do"),
              typed: of.id,
              reason: true,
              run: (reason) =>
                act(
                  api.POST("/api/v1/approvals", { body: { act: { kind: "remove-tenant", tenant: of.id }, reason }, headers: once() }),
                  t("tenant.remove-asked"),
                  "tenants",
                  "approvals",
                ),
            })
          }
        >
          {t("tenant.remove")}
        </Menu.Item>
      </Choices>
      {asking}
    </>
  );
}
