// The library of firmware: which releases there are, how far each is, and whose signatures count.
import { Button } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";

import { firmwareKeys, releases, type Release } from "../../api/firmware.ts";
import { useMay } from "../../api/me.ts";
import { t } from "../../i18n/index.ts";
import { DataTable, type Column } from "../../parts/DataTable.tsx";
import { Empty } from "../../parts/Empty.tsx";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { bytes } from "../../parts/Figures.tsx";
import { Facts, Page, Section } from "../../parts/Page.tsx";
import { Time } from "../../parts/Time.tsx";
import { ReleaseMark } from "./ReleaseMark.tsx";
import { InTheField } from "./InTheField.tsx";
import { Upload } from "./Upload.tsx";

const columns = (): Column<Release>[] => [
  {
    id: "release",
    name: t("release.release"),
    cell: (of) => (
      <Link to="/firmware/$release" params={{ release: String(of.id) }} className="row-link">
        {of.product} {of.version}
      </Link>
    ),
  },
  { id: "id", name: t("release.number"), align: "right", cell: (of) => of.id },
  { id: "state", name: t("board.state"), cell: (of) => <ReleaseMark state={of.state} /> },
  { id: "tenant", name: t("board.tenant"), cell: (of) => of.tenant ?? t("tenant.everywhere") },
  { id: "hardware", name: t("release.hardware"), minor: true, cell: (of) => (of.hardware.length === 0 ? t("release.hardware-all") : of.hardware.join(", ")) },
  { id: "size", name: t("release.size"), align: "right", minor: true, cell: (of) => bytes(of.size) },
  { id: "added", name: t("release.added"), cell: (of) => <Time at={of.added} /> },
];

export default function Firmware() {
  const may = useMay();
  const navigate = useNavigate();
  const list = useInfiniteQuery(releases);
  const [adding, setAdding] = useState(false);
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items), [list.data]);
  const shown = useMemo(() => columns(), []);
  const add = may("firmware:write") && <Button onClick={() => setAdding(true)}>{t("release.upload")}</Button>;
  return (
    <Page title={t("place.firmware")} lead={t("firmware.lead")} actions={add}>
      <Section title={t("firmware.releases")} flush>
        <DataTable
          name={t("firmware.releases")}
          rows={rows}
          columns={shown}
          idOf={(of) => String(of.id)}
          error={list.error}
          again={() => void list.refetch()}
          open={(of) => void navigate({ to: "/firmware/$release", params: { release: String(of.id) } })}
          more={{ has: list.hasNextPage, busy: list.isFetchingNextPage, load: () => void list.fetchNextPage() }}
          empty={
            <Empty title={t("firmware.none")} action={add}>
              {t("firmware.none-why")}
            </Empty>
          }
        />
      </Section>
      <InTheField />
      <Keys />
      {adding && (
        <Upload
          close={() => setAdding(false)}
          added={(of) => void navigate({ to: "/firmware/$release", params: { release: String(of.id) } })}
        />
      )}
    </Page>
  );
}

function Keys() {
  const list = useQuery(firmwareKeys);
  return (
    <Section title={t("firmware.keys")} note={t("firmware.keys-note")}>
      {list.error !== null && <FaultNote error={list.error} again={() => void list.refetch()} />}
      {list.data?.length === 0 && (
        <>
          <p className="soft">{t("firmware.keys-none")}</p>
          <pre className="mono">cellular-hub key new firmware</pre>
        </>
      )}
      {list.data !== undefined && list.data.length > 0 && (
        <Facts
          of={list.data.map((key) => [
            key.name,
            <>
              {key.in_key_store ? t("firmware.key-here") : t("firmware.key-elsewhere")} · <code>{key.id}</code>
            </>,
          ])}
        />
      )}
    </Section>
  );
}
