// A menu under a button. Its first item has the focus in the moment it is open: the library's own way waits for
// an animation, and what is typed meanwhile goes to the button, which closes the menu again.
import { Menu, type MenuProps } from "@mantine/core";
import { cloneElement, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactElement, type ReactNode, type Ref } from "react";

type Target = ReactElement<{ ref?: Ref<HTMLButtonElement> }>;

export function Choices({ target, children, ...how }: { target: Target; children: ReactNode } & Pick<MenuProps, "position">) {
  const [opened, setOpened] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (opened) list.current?.querySelector<HTMLElement>("[role=menuitem]:not(:disabled)")?.focus({ preventScroll: true });
  }, [opened]);
  // Before a dialogue opens, which gives the focus back to where it was.
  const change = (open: boolean) => {
    setOpened(open);
    if (!open) button.current?.focus({ preventScroll: true });
  };
  // Tab leaves the menu, and goes on from its button.
  const leave = (event: KeyboardEvent) => {
    if (event.key === "Tab") change(false);
  };
  return (
    <Menu opened={opened} onChange={change} trapFocus={false} returnFocus={false} transitionProps={{ duration: 0 }} {...how}>
      <Menu.Target>{cloneElement(target, { ref: button })}</Menu.Target>
      <Menu.Dropdown ref={list} onKeyDown={leave}>
        {children}
      </Menu.Dropdown>
    </Menu>
  );
}
