// Something that is shown once: to be copied now.
import { Button, CopyButton, Group, Stack } from "@mantine/core";

import { t } from "../i18n/index.ts";
import { Dialog } from "./Dialog.tsx";

export function Secret({ title, note, secret, close }: { title: string; note: string; secret: string; close: () => void }) {
  return (
    <Dialog title={title} closeOnClickOutside={false} size="lg" close={close}>
      <Stack>
        <p>{note}</p>
        <div className="secret">
          <code>{secret}</code>
          <CopyButton value={secret}>
            {({ copied, copy }) => (
              <Button size="compact-sm" variant={copied ? "light" : "filled"} onClick={copy} data-autofocus>
                {copied ? t("action.copied") : t("action.copy")}
              </Button>
            )}
          </CopyButton>
        </div>
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t("secret.have")}
          </Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
