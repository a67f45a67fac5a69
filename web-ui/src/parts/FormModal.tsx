// A form in a dialogue: what was refused stands above it, and it closes when it was done.
import { Button, Stack } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import type { ReactNode, SyntheticEvent } from "react";

import { Dialog } from "./Dialog.tsx";
import { FaultNote } from "./FaultNote.tsx";

type Props = {
  title: string;
  action: string;
  close: () => void;
  /** Checks what was entered; what it gives back is done. Nothing: something is to be corrected. */
  submit: () => (() => Promise<unknown>) | null;
  children: ReactNode;
  size?: string;
};

export function FormModal({ title, action, close, submit, children, size = "md" }: Props) {
  const doing = useMutation({ mutationFn: (run: () => Promise<unknown>) => run(), onSuccess: close });
  function entered(event: SyntheticEvent) {
    event.preventDefault();
    const run = submit();
    if (run !== null) doing.mutate(run);
  }
  return (
    <Dialog title={title} size={size} close={close}>
      <form onSubmit={entered} noValidate>
        <Stack>
          {doing.error !== null && <FaultNote error={doing.error} />}
          {children}
          <Button type="submit" loading={doing.isPending}>
            {action}
          </Button>
        </Stack>
      </form>
    </Dialog>
  );
}
