import { Button, NativeSelect, NumberInput, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { facets, type BoardFilter } from "../../api/boards.ts";
import { whoIsSaid, type NewGroup, type Who } from "../../api/rollouts.ts";
import { named, t } from "../../i18n/index.ts";

const WHO: readonly Who[] = ["percent", "count", "label", "rest"];
const isWho = (name: string): name is Who => WHO.some((who) => who === name);

type Props = { groups: readonly NewGroup[]; change: (groups: NewGroup[]) => void; filter: BoardFilter; total: number };

/** The groups in the order in which they begin, each with about how many boards it has. */
export function GroupRows({ groups, change, filter, total }: Props) {
  const set = (at: number, part: Partial<NewGroup>) => change(groups.map((group, index) => (index === at ? { ...group, ...part } : group)));
  return (
    <div className="group-rows">
      {groups.map((group, at) => (
        <div key={at} role="group" aria-label={t("rollout.group-n", { number: String(at + 1) })}>
          <div className="group-row">
            <TextInput label={t("rollout.group-name")} maxLength={40} value={group.name} error={/^[^:]+$/.test(group.name) ? null : t("rollout.group-name-rule")} onChange={(event) => set(at, { name: event.currentTarget.value })} />
            <NativeSelect
              label={t("rollout.who")}
              data={[
                { value: "percent", label: t("rollout.who-percent") },
                { value: "count", label: t("rollout.who-count") },
                { value: "label", label: t("rollout.who-label") },
                { value: "rest", label: t("rollout.who-rest") },
              ]}
              value={group.who}
              onChange={(event) => {
                if (isWho(event.currentTarget.value)) set(at, { who: event.currentTarget.value, value: "" });
              }}
            />
            {group.who !== "rest" && (
              <TextInput
                label={group.who === "label" ? t("rollout.who-label-value") : t("rollout.who-number")}
                value={group.value}
                error={whoIsSaid(group) ? null : named("rollout-rule", group.who)}
                spellCheck={false}
                onChange={(event) => set(at, { value: event.currentTarget.value.trim() })}
              />
            )}
            <NumberInput label={t("rollout.success")} min={1} max={100} allowDecimal={false} suffix=" %" value={group.success} onChange={(value) => set(at, { success: Number(value) })} />
            <NumberInput label={t("rollout.errors")} min={0} allowDecimal={false} value={group.errors} onChange={(value) => set(at, { errors: Number(value) })} />
            <NativeSelect
              label={t("rollout.errors-in")}
              data={[
                { value: "percent", label: t("rollout.errors-percent") },
                { value: "boards", label: t("place.boards") },
              ]}
              value={group.errorsIn}
              onChange={(event) => set(at, { errorsIn: event.currentTarget.value === "boards" ? "boards" : "percent" })}
            />
            {groups.length > 1 && (
              <Button variant="subtle" color="red" onClick={() => change(groups.filter((_, index) => index !== at))}>
                {t("action.remove")}
              </Button>
            )}
          </div>
          <p className="faint">
            <About group={group} filter={filter} total={total} />
          </p>
        </div>
      ))}
      <div>
        <Button variant="default" size="compact-sm" onClick={() => change([...groups, { name: t("rollout.group-new", { number: String(groups.length + 1) }), who: "rest", value: "", success: 90, errors: 5, errorsIn: "percent" }])}>
          {t("rollout.group-add")}
        </Button>
      </div>
    </div>
  );
}

function About({ group, filter, total }: { group: NewGroup; filter: BoardFilter; total: number }) {
  const labelled = group.who === "label" && whoIsSaid(group);
  const counted = useQuery({ ...facets({ ...filter, label: [...(filter.label ?? []), group.value] }), enabled: labelled });
  if (!whoIsSaid(group)) return t("rollout.about-unsaid");
  switch (group.who) {
    case "percent":
      return t("rollout.about-n", { n: Math.ceil((total * Number(group.value)) / 100) });
    case "count":
      return t("rollout.about-n", { n: Math.min(total, Number(group.value)) });
    case "label":
      return counted.data === undefined ? t("app.waiting") : t("rollout.about-n", { n: counted.data.total });
    case "rest":
      return t("rollout.about-rest");
  }
}
