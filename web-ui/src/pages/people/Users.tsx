// People, what they may, and letting them in or out.
import { Button, Menu } from "@mantine/core";
import { IconDots } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import { api, body } from "../../api/client.ts";
import { useMay, useMe } from "../../api/me.ts";
import { users, type User } from "../../api/people.ts";
import { named, t } from "../../i18n/index.ts";
import { Choices } from "../../parts/Choices.tsx";
import { useConfirm } from "../../parts/Confirm.tsx";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { Mark } from "../../parts/Mark.tsx";
import { Page, Section } from "../../parts/Page.tsx";
import { act, complain } from "../../parts/said.ts";
import { Secret } from "../../parts/Secret.tsx";
import { Time } from "../../parts/Time.tsx";
import { EditUser } from "./EditUser.tsx";

export default function Users() {
  const may = useMay();
  const who = useMe();
  const list = useQuery(users);
  const [editing, setEditing] = useState<User | "new" | null>(null);
  const [link, setLink] = useState<string | null>(null);
  const [ask, asking] = useConfirm();
  const columns = useMemo<Column<User>[]>(() => {
    const path = (user: User) => ({ params: { path: { user: user.name } } });
    const disable = (user: User) =>
      ask({
        title: t("user.disable-title", { name: user.name }),
        consequence: t("user.disable-what"),
        action: t("user.disable"),
        reason: true,
        run: (reason) => act(api.POST("/api/v1/users/{user}/disable", { ...path(user), body: { reason } }), t("user.disabled"), "users"),
      });
    const reset = (user: User) =>
      ask({
        title: t("user.reset-title", { name: user.name }),
        consequence: t("user.reset-what"),
        action: t("user.reset"),
        run: async () => {
          const made = await body(api.POST("/api/v1/users/{user}/reset", path(user)));
          setLink(made.link);
        },
      });
    return [
      { id: "name", name: t("user.name"), cell: (user) => <strong>{user.full_name === "" ? user.name : user.full_name}</strong> },
      { id: "user", name: t("sign-in.user"), cell: (user) => user.name },
      {
        id: "grants",
        name: t("user.roles"),
        cell: (user) =>
          user.grants.map((grant) => (
            <span key={`${grant.role}@${grant.tenant ?? ""}`} className="tag">
              {named("role", grant.role)}
              {grant.tenant != null && ` · ${grant.tenant}`}
            </span>
          )),
      },
      { id: "state", name: t("board.state"), cell: (user) => <Mark tone={user.state === "active" ? "ok" : "bad"}>{named("user-state", user.state)}</Mark> },
      { id: "created", name: t("board.created"), cell: (user) => <Time at={user.created} as="date" /> },
      {
        id: "acts",
        name: t("action.acts"),
        align: "right",
        cell: (user) =>
          may("users:write") && (
            <Choices
              target={
                <Button size="compact-xs" variant="subtle" aria-label={t("user.acts", { name: user.name })}>
                  <IconDots size={16} />
                </Button>
              }
            >
              <Menu.Item onClick={() => setEditing(user)}>{t("user.edit")}</Menu.Item>
              <Menu.Item onClick={() => reset(user)}>{t("user.reset")}</Menu.Item>
              {user.state === "active" ? (
                <Menu.Item color="red" disabled={user.name === who.user} onClick={() => disable(user)}>
                  {t("user.disable")}
                </Menu.Item>
              ) : (
                <Menu.Item
                  onClick={() => {
                    act(api.POST("/api/v1/users/{user}/enable", path(user)), t("user.enabled"), "users").catch(complain);
                  }}
                >
                  {t("user.enable")}
                </Menu.Item>
              )}
            </Choices>
          ),
      },
    ];
  }, [may, ask, who.user]);
  return (
    <Page title={t("place.users")} lead={t("users.lead")} actions={may("users:write") && <Button onClick={() => setEditing("new")}>{t("user.add")}</Button>}>
      <Section title={t("users.list")} flush>
        <DataTable
          name={t("users.list")}
          rows={list.data?.items}
          columns={columns}
          idOf={(user) => user.name}
          error={list.error}
          again={() => void list.refetch()}
          empty={<Empty title={t("users.none")} />}
        />
      </Section>
      {editing !== null && <EditUser {...(editing === "new" ? {} : { user: editing })} made={setLink} close={() => setEditing(null)} />}
      {link !== null && <Secret title={t("user.link-title")} note={t("user.link-note")} secret={link} close={() => setLink(null)} />}
      {asking}
    </Page>
  );
}
