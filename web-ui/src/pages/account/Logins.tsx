import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { logins } from "../../api/account.ts";
import { api, type Schemas } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { Section } from "../../parts/Page.tsx";
import { act, complain } from "../../parts/said.ts";
import { Time } from "../../parts/Time.tsx";

type Login = Schemas["MySession"];

const columns = (): Column<Login>[] => [
  { id: "agent", name: t("login.agent"), cell: (login) => login.agent, clip: true },
  { id: "source", name: t("audit.source"), cell: (login) => <code>{login.source ?? "–"}</code> },
  { id: "since", name: t("login.since"), cell: (login) => <Time at={login.begun} /> },
  { id: "used", name: t("token.used"), cell: (login) => <Time at={login.last_used} /> },
  {
    id: "acts",
    name: t("action.acts"),
    align: "right",
    cell: (login) =>
      login.is_this ? (
        <span className="faint">{t("login.this")}</span>
      ) : (
        <Button
          size="compact-xs"
          variant="default"
          onClick={() => {
            act(api.DELETE("/api/v1/me/sessions/{session}", { params: { path: { session: login.id } } }), t("login.ended"), "logins").catch(complain);
          }}
        >
          {t("login.end")}
        </Button>
      ),
  },
];

export function Logins() {
  const list = useQuery(logins);
  const shown = useMemo(() => columns(), []);
  return (
    <Section title={t("login.title")} flush>
      <DataTable name={t("login.title")} rows={list.data} columns={shown} idOf={(login) => login.id} error={list.error} empty={<Empty title={t("login.none")} />} />
    </Section>
  );
}
