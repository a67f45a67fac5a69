// A rollout in four steps on one page: what, to whom with how many there are, in which groups, on which terms.
import { Button, Checkbox, NumberInput, Select, TagsInput, TextInput } from "@mantine/core";
import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { facets, type BoardFilter } from "../../api/boards.ts";
import { api, body, once } from "../../api/client.ts";
import { releases } from "../../api/firmware.ts";
import { groupText, whoIsSaid, type NewGroup } from "../../api/rollouts.ts";
import { t } from "../../i18n/index.ts";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { Page, Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { boardFilter, queryOf } from "../../search.ts";
import { Facets } from "../boards/Facets.tsx";
import { Filters } from "../boards/Filters.tsx";
import { GroupRows } from "./GroupRows.tsx";
import { Preview } from "./Preview.tsx";

const HOUR_S = 3600;

const firstGroups = (): NewGroup[] => [
  { name: t("rollout.first-group"), who: "percent", value: "5", success: 95, errors: 2, errorsIn: "percent" },
  { name: t("rollout.last-group"), who: "rest", value: "", success: 90, errors: 5, errorsIn: "percent" },
];

/** Who is meant, without the order of a list. */
function meant(search: Record<string, unknown>): BoardFilter {
  const filter = boardFilter(search);
  delete filter.sort;
  return filter;
}

export default function NewRollout() {
  const search = useSearch({ from: "/signed-in/rollouts/new" });
  const navigate = useNavigate({ from: "/rollouts/new" });
  const filter = meant(search);
  const list = useInfiniteQuery(releases);
  const counts = useQuery(facets(filter));
  const signed = (list.data?.pages ?? []).flatMap((page) => page.items).filter((each) => each.state === "signed");
  const chosen = signed.find((each) => String(each.id) === search.release);
  const total = counts.data?.total ?? 0;

  const [name, setName] = useState("");
  const [dynamic, setDynamic] = useState(false);
  const [groups, setGroups] = useState(firstGroups);
  const [terms, setTerms] = useState({ windows: [] as string[], begins: "", at_once: 0, at_once_per_cell: 0, battery_min_percent: 30, rsrp_min_dbm: -120, lost_after_h: 168, permanent: false });
  const [tried, setTried] = useState(false);
  const set = (part: Partial<typeof terms>) => setTerms({ ...terms, ...part });

  const wanted = () => {
    const { lost_after_h, begins, ...same } = terms;
    return { ...same, lost_after_s: lost_after_h * HOUR_S, begins: begins === "" ? null : new Date(begins).toISOString() };
  };
  const said = groups.every((group) => whoIsSaid(group) && /^[^:]+$/.test(group.name));

  const making = useMutation({
    mutationFn: async (release: number) => {
      const made = body(
        api.POST("/api/v1/rollouts", {
          body: {
            name: name.trim(),
            release,
            filter: queryOf(filter),
            dynamic,
            groups: groups.map(groupText),
            terms: wanted(),
          },
          headers: once(),
        }),
      );
      await act(made, t("rollout.made-now"), "rollouts");
      const { id } = await made;
      await navigate({ to: "/rollouts/$rollout", params: { rollout: String(id) } });
    },
  });
  function make() {
    setTried(true);
    if (name.trim() === "" || chosen === undefined || !said) return;
    making.mutate(chosen.id);
  }
  const change = (next: BoardFilter) => void navigate({ search: { ...next, ...(search.release === undefined ? {} : { release: search.release }) }, replace: true });

  return (
    <Page title={t("rollout.add")} over={<Link to="/rollouts">{t("place.rollouts")}</Link>} lead={t("rollout.add-lead")}>
      <Section title={t("rollout.step-what")}>
        <div className="fields">
          <TextInput label={t("rollout.name")} required maxLength={200} value={name} error={tried && name.trim() === "" ? t("rollout.name-rule") : null} onChange={(event) => setName(event.currentTarget.value)} />
          <Select
            label={t("release.release")}
            required
            data={signed.map((each) => ({ value: String(each.id), label: `${each.product} ${each.version}` }))}
            value={chosen === undefined ? null : String(chosen.id)}
            onChange={(release) => void navigate({ search: { ...filter, ...(release === null ? {} : { release }) }, replace: true })}
            placeholder={list.data !== undefined && signed.length === 0 ? t("rollout.release-none") : t("rollout.release-choose")}
            error={tried && chosen === undefined ? t("rollout.release-choose") : null}
          />
        </div>
      </Section>
      <Section title={t("rollout.step-who")} note={counts.data === undefined ? t("app.waiting") : t("boards.found", { n: total })}>
        <Filters key={Object.keys(filter).length} filter={filter} change={change} />
        {counts.data !== undefined && <Facets of={counts.data} filter={filter} change={change} />}
        <Checkbox label={t("rollout.dynamic-too")} checked={dynamic} onChange={(event) => setDynamic(event.currentTarget.checked)} />
      </Section>
      <Section title={t("rollout.step-groups")} note={t("rollout.groups-note")}>
        <GroupRows groups={groups} change={setGroups} filter={filter} total={total} />
      </Section>
      <Section title={t("rollout.step-terms")}>
        <div className="fields">
          <TextInput type="datetime-local" label={t("rollout.begins")} description={t("rollout.begins-note")} value={terms.begins} onChange={(event) => set({ begins: event.currentTarget.value })} />
          <TagsInput label={t("rollout.windows")} description={t("rollout.windows-note")} placeholder="mon-fri/22:00/6h" splitChars={[" ", ";"]} acceptValueOnBlur clearable={false} value={terms.windows} onChange={(windows) => set({ windows })} />
          <NumberInput label={t("rollout.at-once")} description={t("rollout.zero-unbound")} min={0} allowDecimal={false} value={terms.at_once} onChange={(value) => set({ at_once: Number(value) })} />
          <NumberInput label={t("rollout.at-once-cell")} description={t("rollout.zero-unbound")} min={0} allowDecimal={false} value={terms.at_once_per_cell} onChange={(value) => set({ at_once_per_cell: Number(value) })} />
          <NumberInput label={t("rollout.battery")} min={0} max={100} allowDecimal={false} suffix=" %" value={terms.battery_min_percent} onChange={(value) => set({ battery_min_percent: Number(value) })} />
          <NumberInput label={t("rollout.rsrp")} min={-200} max={0} allowDecimal={false} suffix=" dBm" value={terms.rsrp_min_dbm} onChange={(value) => set({ rsrp_min_dbm: Number(value) })} />
          <NumberInput label={t("rollout.lost-after-h")} min={1} allowDecimal={false} value={terms.lost_after_h} onChange={(value) => set({ lost_after_h: Number(value) })} />
        </div>
        <Checkbox mt="md" label={t("rollout.permanent")} checked={terms.permanent} onChange={(event) => set({ permanent: event.currentTarget.checked })} />
      </Section>
      <Section title={t("rollout.step-look")}>
        {chosen === undefined || !said ? (
          <p className="soft">{t("preview.first")}</p>
        ) : (
          <Preview of={{ release: chosen.id, filter: queryOf(filter), groups: groups.map(groupText), terms: wanted() }} />
        )}
        {making.error !== null && <FaultNote error={making.error} />}
        <Button mt="md" loading={making.isPending} onClick={make}>
          {t("rollout.make")}
        </Button>
      </Section>
    </Page>
  );
}
