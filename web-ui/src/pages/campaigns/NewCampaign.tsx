import { NumberInput, Select, TextInput, Textarea } from "@mantine/core";
import { useForm } from "@mantine/form";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";

import { groupTexts, windowTexts } from "../../api/campaigns.ts";
import { authorities } from "../../api/certificates.ts";
import { api, body, once } from "../../api/client.ts";
import { t } from "../../i18n/index.ts";
import { FormModal } from "../../parts/FormModal.tsx";
import { act } from "../../parts/said.ts";

/** Which authority is left for which, how fast; nothing happens before it is started. */
export function NewCampaign({ close }: { close: () => void }) {
  const navigate = useNavigate();
  const list = useInfiniteQuery(authorities);
  const known = (list.data?.pages ?? []).flatMap((page) => page.items).filter((authority) => authority.tenant != null);
  const form = useForm({
    initialValues: { from: "", to: "", reason: "", firstPercent: 5, firstSuccess: 100, perMinute: 120, windows: "" },
    validate: {
      from: (from) => (from === "" ? t("campaign.from-rule") : null),
      to: (to) => (to === "" ? t("campaign.to-rule") : null),
      reason: (reason) => (reason.trim() === "" ? t("confirm.reason-note") : null),
    },
  });
  const { from } = form.values;
  const tenant = known.find((authority) => authority.name === from)?.tenant;
  const others = known.filter((authority) => authority.tenant === tenant && authority.name !== from && authority.issues);
  function submit() {
    if (form.validate().hasErrors) return null;
    const { to, reason, perMinute, windows, ...groups } = form.getValues();
    const wanted = { from, to, reason: reason.trim(), per_minute: perMinute, windows: windowTexts(windows), groups: groupTexts(groups) };
    return async () => {
      const made = await body(api.POST("/api/v1/campaigns", { body: wanted, headers: once() }));
      await act(Promise.resolve(), t("campaign.added"), "campaigns");
      await navigate({ to: "/campaigns/$campaign", params: { campaign: String(made.id) } });
    };
  }
  return (
    <FormModal title={t("campaign.add")} action={t("campaign.add-do")} close={close} submit={submit}>
      <p className="soft">{t("campaign.add-what")}</p>
      <Select
        label={t("campaign.from")}
        required
        data={known.map(({ name }) => name)}
        value={from === "" ? null : from}
        onChange={(name) => form.setValues({ from: name ?? "", to: "" })}
        error={form.errors["from"]}
      />
      <Select
        label={t("campaign.to")}
        description={from !== "" && others.length === 0 ? t("campaign.to-none", { tenant: tenant ?? "" }) : t("campaign.to-note")}
        required
        disabled={others.length === 0}
        data={others.map(({ name }) => name)}
        value={form.values.to === "" ? null : form.values.to}
        onChange={(name) => form.setFieldValue("to", name ?? "")}
        error={form.errors["to"]}
      />
      <Textarea label={t("confirm.reason")} description={t("confirm.reason-note")} required maxLength={200} autosize={false} {...form.getInputProps("reason")} />
      <div className="pair">
        <NumberInput label={t("campaign.first")} description={t("campaign.first-note")} min={0} max={99} allowDecimal={false} suffix=" %" {...form.getInputProps("firstPercent")} />
        <NumberInput label={t("campaign.first-success")} description={t("campaign.first-success-note")} min={1} max={100} allowDecimal={false} suffix=" %" {...form.getInputProps("firstSuccess")} />
      </div>
      <div className="pair">
        <NumberInput label={t("campaign.pace")} description={t("campaign.pace-note")} min={1} max={60_000} allowDecimal={false} {...form.getInputProps("perMinute")} />
        <TextInput label={t("rollout.windows")} description={t("rollout.windows-note")} spellCheck={false} {...form.getInputProps("windows")} />
      </div>
    </FormModal>
  );
}
