// What can be done to a rollout now, and what that does to how many boards.
import { Button, Select, TextInput } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api } from "../../api/client.ts";
import { releases } from "../../api/firmware.ts";
import { useMay } from "../../api/me.ts";
import { boardsAt, boardsMeant, type Rollout } from "../../api/rollouts.ts";
import { t } from "../../i18n/index.ts";
import { useConfirm } from "../../parts/Confirm.tsx";
import { FormModal } from "../../parts/FormModal.tsx";
import { act } from "../../parts/said.ts";

export function Acts({ of }: { of: Rollout }) {
  const may = useMay();
  const [ask, asking] = useConfirm();
  const [other, setOther] = useState(false);
  if (!may("rollouts:write")) return null;
  const path = { params: { path: { rollout: of.id } } };
  const failed = boardsAt(of.groups, "failed");
  const has = boardsAt(of.groups, "succeeded", "on-trial");
  const left = boardsMeant(of.groups) - has;
  const halted = of.state === "paused" || of.state === "stopped";
  const over = of.state === "aborted" || of.state === "finished";

  async function start(reason: string) {
    const { response } = await api.POST("/api/v1/rollouts/{rollout}/start", { ...path, body: { reason } });
    await act(Promise.resolve(), response.status === 201 ? t("rollout.start-asked") : t("rollout.started"), "rollouts", "approvals");
  }

  return (
    <>
      {of.state === "ready" && (
        <Button
          onClick={() =>
            ask({
              title: t("rollout.start-title", { name: of.name }),
              consequence: t("rollout.start-what", { n: of.groups[0]?.boards ?? 0, all: of.total }),
              action: t("rollout.start"),
              reason: true,
              calm: true,
              run: start,
            })
          }
        >
          {t("rollout.start")}
        </Button>
      )}
      {of.state === "running" && (
        <Button
          onClick={() =>
            ask({
              title: t("rollout.pause-title", { name: of.name }),
              consequence: t("rollout.pause-what", { n: left }),
              action: t("rollout.pause"),
              calm: true,
              run: () => act(api.POST("/api/v1/rollouts/{rollout}/pause", path), t("rollout.paused"), "rollouts"),
            })
          }
        >
          {t("rollout.pause")}
        </Button>
      )}
      {of.state === "paused" && (
        <Button
          onClick={() =>
            ask({
              title: t("rollout.resume-title", { name: of.name }),
              consequence: t("rollout.resume-what", { n: left }),
              action: t("rollout.resume"),
              calm: true,
              run: () => act(api.POST("/api/v1/rollouts/{rollout}/resume", { ...path, body: {} }), t("rollout.resumed"), "rollouts"),
            })
          }
        >
          {t("rollout.resume")}
        </Button>
      )}
      {failed > 0 && !over && (
        <Button
          variant="default"
          onClick={() =>
            ask({
              title: t("rollout.retry-title", { n: failed }),
              consequence: t("rollout.retry-what", { n: failed }),
              action: t("rollout.retry"),
              calm: true,
              run: () => act(api.POST("/api/v1/rollouts/{rollout}/retry", path), t("rollout.retried"), "rollouts"),
            })
          }
        >
          {t("rollout.retry")}
        </Button>
      )}
      {halted && (
        <Button variant="default" onClick={() => setOther(true)}>
          {t("rollout.other")}
        </Button>
      )}
      {!over && (
        <Button
          color="red"
          variant="light"
          onClick={() =>
            ask({
              title: t("rollout.abort-title", { name: of.name }),
              consequence: t("rollout.abort-what", { n: left, has }),
              action: t("rollout.abort-do"),
              typed: of.name,
              run: () => act(api.POST("/api/v1/rollouts/{rollout}/abort", path), t("rollout.aborted"), "rollouts"),
            })
          }
        >
          {t("rollout.abort")}
        </Button>
      )}
      {other && <OtherRelease of={of} close={() => setOther(false)} />}
      {asking}
    </>
  );
}

/** After a stop: all boards begin anew, with another release of the same product. */
function OtherRelease({ of, close }: { of: Rollout; close: () => void }) {
  const list = useInfiniteQuery(releases);
  const all = (list.data?.pages ?? []).flatMap((page) => page.items);
  const product = all.find((each) => each.id === of.release)?.product;
  const fits = all.filter((each) => each.state === "signed" && each.product === product && each.id !== of.release);
  const [chosen, setChosen] = useState<string | null>(null);
  const [reason, setReason] = useState("");
  function submit() {
    if (chosen === null) return null;
    return async () => {
      const path = { params: { path: { rollout: of.id } } };
      const { response } = await api.POST("/api/v1/rollouts/{rollout}/resume", { ...path, body: { release: Number(chosen), reason } });
      await act(Promise.resolve(), response.status === 201 ? t("rollout.start-asked") : t("rollout.resumed"), "rollouts", "approvals");
    };
  }
  return (
    <FormModal title={t("rollout.other")} action={t("rollout.other-do", { n: boardsMeant(of.groups) })} close={close} submit={submit}>
      <p>{t("rollout.other-what", { n: boardsMeant(of.groups) })}</p>
      <Select
        label={t("release.release")}
        data={fits.map((each) => ({ value: String(each.id), label: `${each.product} ${each.version}` }))}
        value={chosen}
        onChange={setChosen}
        required
        placeholder={t("rollout.release-choose")}
        nothingFoundMessage={t("rollout.release-none")}
      />
      <TextInput label={t("release.ask-reason")} required maxLength={200} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
    </FormModal>
  );
}
