import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { compressed } from "./build/compressed.ts";
import { themeCss } from "./build/theme-css.ts";

// HUB=https://127.0.0.1:8443 npm run dev: the app from here, everything else from that hub.
const hub = process.env["HUB"] ?? "https://127.0.0.1:8443";

export default defineConfig({
  plugins: [react(), themeCss(), compressed()],
  build: {
    // Inlined as data: URLs they would need an exception in the policy.
    assetsInlineLimit: 0,
    target: "es2022",
    chunkSizeWarningLimit: 400,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // What every page needs in two files; the rest by page.
        codeSplitting: {
          groups: [
            { name: "base", test: /node_modules[\\/](react|react-dom|scheduler|openapi-fetch|@tanstack[\\/](history|.*router|.*store|.*query.*))[\\/]/ },
            { name: "shared", test: /(node_modules|src)[\\/]/, minShareCount: 12 },
          ],
        },
      },
    },
  },
  server: { proxy: { "/api": { target: hub, secure: false } } },
  test: { include: ["src/**/*.test.{ts,tsx}"], environment: "jsdom" },
});
