// The command palette: places, what can be done, and boards by their id as one types.
import { Spotlight, createSpotlight, type SpotlightActionData } from "@mantine/spotlight";
import { useMantineColorScheme } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconCpu, IconKeyboard, IconLanguage, IconLogout, IconMoonStars, IconSearch, IconSun, IconUserCircle } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState, type KeyboardEvent } from "react";

import { boardsLike } from "../api/boards.ts";
import { useMay } from "../api/me.ts";
import { useSignOut } from "../api/session.ts";
import { LANGUAGES, choose, current, t, type Language } from "../i18n/index.ts";
import type { Place } from "./places.ts";

const [store, spotlight] = createSpotlight();

/** Enter does the first thing that is left, where none was chosen with the arrows. */
function first(event: KeyboardEvent<HTMLInputElement>) {
  const list = event.currentTarget.closest("[role=dialog]");
  if (event.key !== "Enter" || list === null || list.querySelector("[data-selected]") !== null) return;
  list.querySelector<HTMLElement>("[data-action]")?.click();
}

type Props = { places: readonly Place[]; close: () => void; showKeys: () => void };

export default function Palette({ places, close, showKeys }: Props) {
  const navigate = useNavigate();
  const may = useMay();
  const signOut = useSignOut();
  const { setColorScheme } = useMantineColorScheme();
  const [query, setQuery] = useState("");
  const [asked] = useDebouncedValue(query.trim(), 150);
  const found = useQuery({ ...boardsLike(asked), enabled: asked.length > 1 && may("boards:read") });

  useEffect(() => {
    spotlight.open();
  }, []);

  const go = (to: string) => () => void navigate({ to });
  const boards: SpotlightActionData[] = (found.data?.items ?? []).map((board) => ({
    id: `board-${board.id}`,
    label: board.id,
    description: board.tenant,
    keywords: query,
    leftSection: <IconCpu size={17} />,
    onClick: () => void navigate({ to: "/boards/$board", params: { board: board.id } }),
  }));
  const theirs: SpotlightActionData[] = places.map((place) => ({
    id: place.to,
    label: t(place.name),
    leftSection: <place.icon size={17} />,
    rightSection: <span className="faint mono">{place.keys}</span>,
    onClick: go(place.to),
  }));
  const others = (Object.keys(LANGUAGES) as Language[]).filter((language) => language !== current());
  const acts: SpotlightActionData[] = [
    { id: "account", label: t("place.account"), leftSection: <IconUserCircle size={17} />, onClick: go("/account") },
    { id: "keys", label: t("keys.title"), leftSection: <IconKeyboard size={17} />, onClick: showKeys },
    { id: "dark", label: t("shell.dark"), leftSection: <IconMoonStars size={17} />, onClick: () => setColorScheme("dark") },
    { id: "light", label: t("shell.light"), leftSection: <IconSun size={17} />, onClick: () => setColorScheme("light") },
    ...others.map((language) => ({
      id: language,
      label: LANGUAGES[language],
      leftSection: <IconLanguage size={17} />,
      onClick: () => void choose(language),
    })),
    { id: "out", label: t("shell.sign-out"), leftSection: <IconLogout size={17} />, onClick: signOut },
  ];

  return (
    <Spotlight
      store={store}
      query={query}
      onQueryChange={setQuery}
      onSpotlightClose={close}
      shortcut={null}
      highlightQuery
      attributes={{ content: { "aria-label": t("palette.hint") } }}
      scrollable
      maxHeight={420}
      nothingFound={t("palette.nothing")}
      searchProps={{ leftSection: <IconSearch size={17} />, placeholder: t("palette.hint"), "aria-label": t("palette.hint"), autoFocus: true, onKeyDown: first }}
      actions={[
        { group: t("palette.boards"), actions: boards },
        { group: t("palette.places"), actions: theirs },
        { group: t("palette.acts"), actions: acts },
      ].filter((group) => group.actions.length > 0)}
    />
  );
}
