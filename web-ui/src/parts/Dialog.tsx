// A dialogue. Its first field has the focus in the moment it is there, so no key of a quick typist goes to the
// page behind; closed, it gives the focus back to where it was.
import { Modal, type ModalProps } from "@mantine/core";
import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from "react";

import { t } from "../i18n/index.ts";

type Props = { title: string; close: () => void; children: ReactNode } & Pick<ModalProps, "size" | "closeOnClickOutside">;

export function Dialog({ title, close, children, ...how }: Props) {
  const [before] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    },
    [before],
  );
  return (
    <Modal opened onClose={close} title={title} closeButtonProps={{ "aria-label": t("action.close") }} {...how}>
      <Focused>{children}</Focused>
    </Modal>
  );
}

const WANTED = ["[data-autofocus]", "input:not([type=hidden], [type=file]), textarea, select", "button"] as const;

function Focused({ children }: { children: ReactNode }) {
  const place = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const first = WANTED.map((kind) => place.current?.querySelector<HTMLElement>(kind)).find((found) => found != null);
    // The library's focus trap looks for the mark a little later, and would go elsewhere without it.
    first?.setAttribute("data-autofocus", "true");
    first?.focus({ preventScroll: true });
  }, []);
  return <div ref={place}>{children}</div>;
}
