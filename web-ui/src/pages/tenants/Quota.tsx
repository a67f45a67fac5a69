// What a tenant and its boards may take: its own bounds, or the configuration's.
import { Button, NumberInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, type Schemas } from "../../api/client.ts";
import { useMay } from "../../api/me.ts";
import { quota } from "../../api/tenants.ts";
import { named, t } from "../../i18n/index.ts";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { amount } from "../../parts/Figures.tsx";
import { FormModal } from "../../parts/FormModal.tsx";
import { Section } from "../../parts/Page.tsx";
import { act } from "../../parts/said.ts";
import { Waiting } from "../../parts/Waiting.tsx";

type Bounds = Schemas["Bounds"];
type Bound = keyof Bounds;

const BOUNDS: readonly Bound[] = ["messages_per_minute", "bytes_per_minute", "in_flight_max", "handshakes_per_hour"];
const WHOSE = ["board", "tenant"] as const;

export function Quota({ tenant }: { tenant: string }) {
  const may = useMay();
  const seen = useQuery(quota(tenant));
  const [changing, setChanging] = useState(false);
  const change = seen.data !== undefined && may("tenants:write", tenant) && (
    <Button size="compact-xs" variant="default" onClick={() => setChanging(true)}>
      {t("quota.change")}
    </Button>
  );
  return (
    <Section title={t("quota.title")} note={t("quota.note")} actions={change} flush>
      {seen.error !== null && <FaultNote error={seen.error} again={() => void seen.refetch()} />}
      {seen.data === undefined && seen.error === null && <Waiting />}
      {seen.data !== undefined && (
        <div className="table-scroll" role="group" aria-label={t("quota.title")} tabIndex={0}>
          <table className="table stacked">
            <thead>
              <tr>
                <th scope="col">{t("quota.bound")}</th>
                {WHOSE.map((whose) => (
                  <th key={whose} scope="col">
                    {named("quota-of", whose)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {BOUNDS.map((bound) => (
                <tr key={bound}>
                  <td>{named("quota-bound", bound)}</td>
                  {WHOSE.map((whose) => (
                    <td key={whose} data-name={named("quota-of", whose)}>
                      <span>
                        <Shown own={seen.data.own[whose][bound]} inForce={seen.data.in_force[whose][bound]} />
                      </span>
                    </td>
                  ))}
                </tr>
              ))}
              <tr>
                <td>{t("quota.data-plan")}</td>
                <td data-name={named("quota-of", "board")}>
                  <span>{seen.data.own.data_plan == null ? <span className="faint">{t("quota.data-plan-unknown")}</span> : <strong>{said(seen.data.own.data_plan)}</strong>}</span>
                </td>
                <td />
              </tr>
            </tbody>
          </table>
        </div>
      )}
      {changing && seen.data !== undefined && <Change tenant={tenant} of={seen.data} close={() => setChanging(false)} />}
    </Section>
  );
}

function Shown({ own, inForce }: { own: number | null | undefined; inForce: number | null | undefined }) {
  return own == null ? <span className="faint">{said(inForce)}</span> : <strong>{said(inForce)}</strong>;
}

function Change({ tenant, of, close }: { tenant: string; of: Schemas["TenantQuota"] & { tag: string }; close: () => void }) {
  const [own, setOwn] = useState(of.own);
  const put = (whose: (typeof WHOSE)[number], bound: Bound, value: number | string) =>
    setOwn({ ...own, [whose]: { ...own[whose], [bound]: value === "" ? null : Number(value) } });
  const params = { path: { tenant }, header: { "If-Match": of.tag } };
  const submit = () => () => act(api.PUT("/api/v1/tenants/{tenant}/quota", { params, body: own }), t("quota.changed"), "tenants");
  return (
    <FormModal title={t("quota.change-title")} action={t("action.keep")} close={close} submit={submit}>
      <p>{t("quota.change-what")}</p>
      {WHOSE.map((whose) => (
        <fieldset key={whose} className="bounds">
          <legend>{named("quota-of", whose)}</legend>
          {BOUNDS.map((bound) => (
            <NumberInput
              key={bound}
              label={named("quota-bound", bound)}
              placeholder={said(of.in_force[whose][bound])}
              min={0}
              max={4_294_967_295}
              allowDecimal={false}
              value={own[whose][bound] ?? ""}
              onChange={(value) => put(whose, bound, value)}
            />
          ))}
        </fieldset>
      ))}
      <NumberInput
        label={t("quota.data-plan")}
        description={t("quota.data-plan-what")}
        placeholder={t("quota.data-plan-unknown")}
        min={0}
        max={4_294_967_295}
        allowDecimal={false}
        value={own.data_plan ?? ""}
        onChange={(value) => setOwn({ ...own, data_plan: value === "" ? null : Number(value) })}
      />
    </FormModal>
  );
}

const said = (bound: number | null | undefined) => (bound == null || bound === 0 ? t("quota.none") : amount(bound));
