// Something that is shown once: to be copied now.
import { Button, CopyButton, Group, Modal, Stack } from "@mantine/core";

import { t } from "../i18n/index.ts";

export function Secret({ title, note, secret, close }: { title: string; note: string; secret: string; close: () => void }) {
  return (
    <Modal opened onClose={close} title={title} closeOnClickOutside={false} size="lg" closeButtonProps={{ "aria-label": t("action.close") }}>
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
    </Modal>
  );
}
