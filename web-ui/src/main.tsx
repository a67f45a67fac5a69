import "@fontsource-variable/atkinson-hyperlegible-next/wght.css";
import "@fontsource-variable/atkinson-hyperlegible-mono/wght.css";
import "./design/mantine.css";
import "virtual:theme.css";
import "./design/base.css";
import "./design/parts.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { me } from "./api/me.ts";
import { queries } from "./api/queries.ts";
import { App } from "./app.tsx";
import * as i18n from "./i18n/index.ts";

const root = document.getElementById("app");
if (root === null) throw new Error("index.html has no #app");
// Asked for while the rest is still being read, where somebody is to be signed in.
if (!["/sign-in", "/setup"].includes(location.pathname)) void queries.query(me).catch(() => undefined);
await i18n.start();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
