// One board: how it is in words, who it is, and what can be done.
import { Menu, Button } from "@mantine/core";
import { IconChevronDown } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { board, type Board as Seen } from "../../api/boards.ts";
import { api } from "../../api/client.ts";
import { useMay } from "../../api/me.ts";
import { t } from "../../i18n/index.ts";
import { BoardState, Labels } from "../../parts/BoardState.tsx";
import { Choices } from "../../parts/Choices.tsx";
import { useConfirm } from "../../parts/Confirm.tsx";
import { Waiting } from "../../parts/Waiting.tsx";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { Facts, Page, Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { Time } from "../../parts/Time.tsx";
import { EditLabels } from "./EditLabels.tsx";
import { Held } from "./Held.tsx";
import { History } from "./History.tsx";
import { Messages } from "./Messages.tsx";
import { Runs } from "./Runs.tsx";

export default function Board() {
  const { board: id } = useParams({ from: "/signed-in/boards/$board" });
  const seen = useQuery(board(id));
  const over = <Link to="/boards">{t("place.boards")}</Link>;
  if (seen.error !== null) {
    return (
      <Page title={id} over={over}>
        <FaultNote error={seen.error} again={() => void seen.refetch()} />
      </Page>
    );
  }
  if (seen.data === undefined) {
    return (
      <Page title={id} over={over}>
        <Waiting />
      </Page>
    );
  }
  const of = seen.data;
  return (
    <Page title={of.id} over={over} lead={<InWords of={of} />} actions={<Acts of={of} />}>
      {of.state === "held" && <Held of={of} />}
      <Identity of={of} />
      <Runs board={of.id} />
      <Messages board={of.id} />
      <History board={of.id} />
    </Page>
  );
}

function InWords({ of }: { of: Seen }) {
  return (
    <>
      <BoardState state={of.state} heard={of.last_seen != null} />
      {" · "}
      {of.last_seen == null ? t("board.never-heard") : <>{t("board.heard")} <Time at={of.last_seen} /></>}
      {of.state !== "held" && of.reason != null && of.reason !== "" && <> · {t("board.because", { reason: of.reason })}</>}
    </>
  );
}

function Identity({ of }: { of: Seen }) {
  const may = useMay();
  const [editing, setEditing] = useState(false);
  const certificate = of.certificate;
  return (
    <Section
      title={t("board.identity")}
      actions={
        may("boards:write", of.tenant) && (
          <Button size="compact-xs" variant="default" onClick={() => setEditing(true)}>
            {t("board.edit-labels")}
          </Button>
        )
      }
    >
      <Facts
        of={[
          [t("board.tenant"), <Link key="tenant" to="/tenants/$tenant" params={{ tenant: of.tenant }}>{of.tenant}</Link>],
          [t("board.labels"), Object.keys(of.labels).length === 0 ? <span className="faint">{t("board.no-labels")}</span> : <Labels of={of.labels} />],
          [t("board.created"), <Time key="created" at={of.created} as="date" />],
          [t("board.first-seen"), <Time key="first" at={of.first_seen} />],
          ...(certificate == null
            ? ([[t("board.certificate"), t("board.no-certificate")]] as const)
            : ([
                ...(certificate.ends == null ? [] : ([[t("board.certificate-end"), <Time key="ends" at={certificate.ends} as="date" />]] as const)),
                ...(certificate.authority == null ? [] : ([[t("board.authority"), <code key="authority">{`${of.tenant}/${certificate.authority}`}</code>]] as const)),
                [t("certificate.fingerprint"), <code key="print">{certificate.fingerprint}</code>, "long"],
                ...(certificate.serial == null ? [] : ([[t("certificate.serial"), <code key="serial">{certificate.serial}</code>, "long"]] as const)),
              ] as const)),
        ]}
      />
      {editing && <EditLabels board={of} close={() => setEditing(false)} />}
    </Section>
  );
}

function Acts({ of }: { of: Seen & { tag: string } }) {
  const may = useMay();
  const navigate = useNavigate();
  const [ask, asking] = useConfirm();
  const path = { params: { path: { board: of.id } } };
  if (!may("boards:block", of.tenant) && !may("boards:write", of.tenant)) return null;
  const shut = of.state === "blocked";
  return (
    <>
      {may("boards:block", of.tenant) && !shut && of.state !== "revoked" && (
        <Button
          color="red"
          variant="light"
          onClick={() =>
            ask({
              title: t("board.block-title", { id: of.id }),
              consequence: t("board.block-what"),
              action: t("board.block-do"),
              reason: true,
              run: (reason) => act(api.POST("/api/v1/boards/{board}/block", { ...path, body: { reason } }), t("board.blocked", { id: of.id }), "boards"),
            })
          }
        >
          {t("board.block")}
        </Button>
      )}
      {may("boards:block", of.tenant) && shut && (
        <Button
          onClick={() =>
            ask({
              title: t("board.unblock-title", { id: of.id }),
              consequence: t("board.unblock-what"),
              action: t("board.unblock-do"),
              calm: true,
              run: () => act(api.POST("/api/v1/boards/{board}/unblock", path), t("board.unblocked", { id: of.id }), "boards"),
            })
          }
        >
          {t("board.unblock")}
        </Button>
      )}
      <Choices
        target={
          <Button variant="default" rightSection={<IconChevronDown size={15} />}>
            {t("action.more")}
          </Button>
        }
      >
        {may("boards:block", of.tenant) && of.state !== "revoked" && (
          <Menu.Item
            color="red"
            onClick={() =>
              ask({
                title: t("board.revoke-title", { id: of.id }),
                consequence: t("board.revoke-what"),
                action: t("board.revoke-do"),
                reason: true,
                typed: of.id,
                run: (reason) => act(api.POST("/api/v1/boards/{board}/revoke", { ...path, body: { reason } }), t("board.revoked", { id: of.id }), "boards"),
              })
            }
          >
            {t("board.revoke")}
          </Menu.Item>
        )}
        {may("boards:write", of.tenant) && (
          <Menu.Item
            color="red"
            onClick={() =>
              ask({
                title: t("board.remove-title", { id: of.id }),
                consequence: t("board.remove-what"),
                action: t("board.remove-do"),
                typed: of.id,
                run: async () => {
                  await act(api.DELETE("/api/v1/boards/{board}", { params: { ...path.params, header: { "If-Match": of.tag } } }), t("board.removed", { id: of.id }));
                  await navigate({ to: "/boards" });
                },
              })
            }
          >
            {t("board.remove")}
          </Menu.Item>
        )}
      </Choices>
      {asking}
    </>
  );
}
