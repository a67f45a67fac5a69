// What stands around every page for whoever has signed in: the rail, the bar on small screens, the
// palette, the keys.
import { ActionIcon, Drawer, Kbd, Menu, UnstyledButton, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconLogout, IconMenu2, IconMoonStars, IconSearch, IconSun, IconUserCircle } from "@tabler/icons-react";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";

import { useMe, may } from "../api/me.ts";
import { useSignOut } from "../api/session.ts";
import { t } from "../i18n/index.ts";
import { Choices } from "../parts/Choices.tsx";
import { useShortcuts } from "../parts/shortcuts.ts";
import { Brand } from "./Brand.tsx";
import { PLACES, type Place } from "./places.ts";

const loadPalette = () => import("./Palette.tsx");
const Palette = lazy(loadPalette);
const Keys = lazy(() => import("./Keys.tsx"));

export function Shell() {
  const who = useMe();
  const navigate = useNavigate();
  const [menu, { open: openMenu, close: closeMenu }] = useDisclosure(false);
  const [palette, setPalette] = useState(false);
  const [keys, setKeys] = useState(false);
  const places = useMemo(() => PLACES.filter((place) => place.needs === undefined || may(who, place.needs, place.everywhere === true ? null : undefined)), [who]);

  const leaps = useMemo(
    () => Object.fromEntries(places.map((place) => [place.keys, () => void navigate({ to: place.to })])),
    [places, navigate],
  );
  useShortcuts({
    ...leaps,
    "?": () => setKeys(true),
    "/": () => {
      const here = document.querySelector<HTMLElement>("main input[type=search]");
      if (here === null) setPalette(true);
      else here.focus();
    },
  });
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      setPalette((open) => !open);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);

  // Fetched once the page is quiet, so that what is typed right after Ctrl K is not lost; where it cannot be had,
  // Ctrl K says so.
  useEffect(() => {
    const soon = window.setTimeout(() => void loadPalette().catch(() => undefined), 2_000);
    return () => window.clearTimeout(soon);
  }, []);

  const main = useFocusOnArrival(closeMenu);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {t("shell.skip")}
      </a>
      <nav className="bar" aria-label={t("shell.menu")}>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t("shell.menu")} onClick={openMenu}>
          <IconMenu2 size={20} />
        </ActionIcon>
        <Brand />
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={t("palette.open")} onClick={() => setPalette(true)}>
          <IconSearch size={20} />
        </ActionIcon>
      </nav>
      <aside className="rail">
        <Brand />
        <UnstyledButton className="seek" onClick={() => setPalette(true)}>
          <IconSearch size={15} aria-hidden="true" />
          <span>{t("palette.open")}</span>
          <Kbd size="xs">Ctrl K</Kbd>
        </UnstyledButton>
        <Rail places={places} />
        <Account />
      </aside>
      <Drawer opened={menu} onClose={closeMenu} size={280} title={<Brand />} closeButtonProps={{ "aria-label": t("action.close") }}>
        <Rail places={places} />
        <Account />
      </Drawer>
      <main id="main" ref={main} tabIndex={-1}>
        <Outlet />
        <div id="floats" />
      </main>
      <Suspense>
        {palette && <Palette places={places} close={() => setPalette(false)} showKeys={() => setKeys(true)} />}
        {keys && <Keys places={places} close={() => setKeys(false)} />}
      </Suspense>
    </div>
  );
}

function Rail({ places }: { places: readonly Place[] }) {
  const groups = [...new Set(places.map((place) => place.group))];
  return (
    <nav className="places" aria-label={t("shell.places")}>
      {groups.map((group) => (
        <div key={group}>
          <h2>{t(group)}</h2>
          <ul>
            {places
              .filter((place) => place.group === group)
              .map((place) => (
                <li key={place.to}>
                  <Link to={place.to} activeOptions={{ exact: place.to === "/", includeSearch: false }}>
                    <place.icon size={17} stroke={1.600} aria-hidden="true" />
                    {t(place.name)}
                  </Link>
                </li>
              ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}

function Account() {
  const who = useMe();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const signOut = useSignOut();
  const dark = document.documentElement.getAttribute("data-mantine-color-scheme") === "dark";
  return (
    <div className="account">
      <Choices position="top-start"
        target={
          <UnstyledButton className="account-name">
            <IconUserCircle size={18} stroke={1.600} aria-hidden="true" />
            <span>{who.user}</span>
          </UnstyledButton>
        }
      >
        <Menu.Item component={Link} to="/account" leftSection={<IconUserCircle size={15} />}>
          {t("place.account")}
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={15} />} onClick={signOut}>
          {t("shell.sign-out")}
        </Menu.Item>
      </Choices>
      <ActionIcon
        variant="subtle"
        color="gray"
        data-scheme={colorScheme}
        aria-label={dark ? t("shell.light") : t("shell.dark")}
        onClick={() => setColorScheme(dark ? "light" : "dark")}
      >
        {dark ? <IconSun size={17} /> : <IconMoonStars size={17} />}
      </ActionIcon>
    </div>
  );
}

/** Who goes to another page with the keyboard, or hears it read, goes on from its beginning. */
function useFocusOnArrival(arrived: () => void) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const main = useRef<HTMLElement>(null);
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    arrived();
    main.current?.focus({ preventScroll: true });
    window.scrollTo({ top: 0 });
  }, [path, arrived]);
  return main;
}
