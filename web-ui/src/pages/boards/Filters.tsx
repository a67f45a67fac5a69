import { Button, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";

import type { BoardFilter } from "../../api/boards.ts";
import { t } from "../../i18n/index.ts";

type Props = { filter: BoardFilter; change: (filter: BoardFilter) => void };

export function without(filter: BoardFilter, key: keyof BoardFilter): BoardFilter {
  return Object.fromEntries(Object.entries(filter).filter(([name]) => name !== key));
}

/** One line finds all: a part of an id, and `key=value` for a label. */
export function Filters({ filter, change }: Props) {
  const [typed, setTyped] = useState(filter.q ?? "");
  const search = useDebouncedCallback((text: string) => {
    change(text === "" ? without(filter, "q") : { ...filter, q: text });
  }, 200);

  function entered() {
    const label = typed.trim();
    if (!/^[^=\s]+=[^=\s]+$/.test(label)) return;
    search.cancel();
    setTyped("");
    change({ ...without(filter, "q"), label: [...new Set([...(filter.label ?? []), label])] });
  }

  return (
    <form
      className="filters"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        entered();
      }}
    >
      <TextInput
        className="grow"
        type="search"
        label={t("boards.search")}
        placeholder={t("boards.search-hint")}
        leftSection={<IconSearch size={16} />}
        value={typed}
        spellCheck={false}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          if (!event.currentTarget.value.includes("=")) search(event.currentTarget.value.trim());
        }}
      />
      {Object.keys(filter).some((key) => key !== "sort") && (
        <Button
          variant="subtle"
          onClick={() => {
            setTyped("");
            change(filter.sort === undefined ? {} : { sort: filter.sort });
          }}
        >
          {t("boards.clear")}
        </Button>
      )}
    </form>
  );
}
