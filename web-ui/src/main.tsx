import "@fontsource-variable/atkinson-hyperlegible-next/wght.css";
import "@fontsource-variable/atkinson-hyperlegible-mono/wght.css";
import "./design/mantine.css";
import "virtual:theme.css";
import "./design/base.css";
import "./design/parts.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./app.tsx";
import * as i18n from "./i18n/index.ts";

const root = document.getElementById("app");
if (root === null) throw new Error("index.html has no #app");
await i18n.start();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
