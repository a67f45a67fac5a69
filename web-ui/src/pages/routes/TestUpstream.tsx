// A message that is really published, and what the broker says to it.
import { Button, Group, Stack, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import { api, body } from "../../api/client.ts";
import type { Upstream } from "../../api/routes.ts";
import { named, t } from "../../i18n/index.ts";
import { Dialog } from "../../parts/Dialog.tsx";
import { FaultNote } from "../../parts/FaultNote.tsx";
import { Mark } from "../../parts/Mark.tsx";
import { addressOf } from "./UpstreamState.tsx";

export function TestUpstream({ upstream, close }: { upstream: Upstream; close: () => void }) {
  const [topic, setTopic] = useState(`${upstream.tenant}/test`);
  const test = useMutation({
    mutationFn: () =>
      body(
        api.POST("/api/v1/tenants/{tenant}/upstreams/{upstream}/test", {
          params: { path: { tenant: upstream.tenant, upstream: upstream.name } },
          body: { topic },
        }),
      ),
  });
  return (
    <Dialog title={t("upstream.test-title", { name: upstream.name })} close={close}>
      <Stack>
        <p>{t("upstream.test-what", { address: addressOf(upstream) })}</p>
        <TextInput label={t("route.topic")} value={topic} spellCheck={false} onChange={(event) => setTopic(event.currentTarget.value)} />
        <div role="status" aria-live="polite">
          {test.data !== undefined && (
            <>
              <Mark tone={test.data.ok ? "ok" : "bad"}>
                {test.data.ok ? t("upstream.test-ok") : t("upstream.test-bad")} <span className="soft">{test.data.answer}</span>
              </Mark>
              <ol className="trial">
                {test.data.steps.map((step) => (
                  <li key={step.step}>
                    <Mark tone={step.ok ? "ok" : "bad"}>
                      {named("upstream-step", step.step)} <span className="faint">{t("unit.ms", { n: step.took_ms })}</span>
                      {step.trouble != null && <div className="tone-bad">{step.trouble.detail}</div>}
                    </Mark>
                  </li>
                ))}
              </ol>
            </>
          )}
        </div>
        {test.error !== null && <FaultNote error={test.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t("action.close")}
          </Button>
          <Button loading={test.isPending} onClick={() => test.mutate()} data-autofocus>
            {t("upstream.test-do")}
          </Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
