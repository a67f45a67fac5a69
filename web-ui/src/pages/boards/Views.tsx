// Filters that were kept under a name.
import { Button, Menu, Stack, TextInput } from "@mantine/core";
import { IconBookmark } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { BoardFilter } from "../../api/boards.ts";
import { api, body } from "../../api/client.ts";
import { views } from "../../api/views.ts";
import { t } from "../../i18n/index.ts";
import { Choices } from "../../parts/Choices.tsx";
import { Dialog } from "../../parts/Dialog.tsx";
import { act, complain } from "../../parts/said.ts";
import { filterOf, queryOf } from "../../search.ts";

type Props = { filter: BoardFilter; use: (filter: BoardFilter) => void };

export function Views({ filter, use }: Props) {
  const list = useQuery(views);
  const [naming, setNaming] = useState(false);
  const kept = list.data?.items ?? [];
  return (
    <>
      <Choices
        target={
          <Button variant="default" leftSection={<IconBookmark size={16} />}>
            {t("views.name")}
          </Button>
        }
      >
        {kept.length === 0 && <Menu.Label>{t("views.none")}</Menu.Label>}
        {kept.map((view) => (
          <Menu.Item key={view.name} onClick={() => use(filterOf(view.query))}>
            {view.name}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item onClick={() => setNaming(true)}>{t("views.keep")}</Menu.Item>
        {kept.map((view) => (
          <Menu.Item
            key={`remove-${view.name}`}
            color="red"
            onClick={() => {
              const gone = api.DELETE("/api/v1/views/{view}", { params: { path: { view: view.name } } });
              act(gone, t("views.removed"), "views").catch(complain);
            }}
          >
            {t("views.remove", { name: view.name })}
          </Menu.Item>
        ))}
      </Choices>
      {naming && <Keep filter={filter} close={() => setNaming(false)} />}
    </>
  );
}

function Keep({ filter, close }: { filter: BoardFilter; close: () => void }) {
  const [name, setName] = useState("");
  return (
    <Dialog title={t("views.keep")} close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const kept = body(api.PUT("/api/v1/views/{view}", { params: { path: { view: name.trim() } }, body: { query: queryOf(filter) } }));
          act(kept, t("views.kept"), "views").then(close, complain);
        }}
      >
        <Stack>
          <TextInput label={t("views.title")} value={name} maxLength={40} required data-autofocus onChange={(event) => setName(event.currentTarget.value)} />
          <Button type="submit" disabled={name.trim() === ""}>
            {t("views.keep")}
          </Button>
        </Stack>
      </form>
    </Dialog>
  );
}
