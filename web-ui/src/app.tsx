// What every page stands in: the theme, what was fetched, the language, and the router.
import { MantineProvider, localStorageColorSchemeManager } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";

import { queries } from "./api/queries.ts";
import { theme } from "./design/theme.ts";
import { useLanguage } from "./i18n/index.ts";
import { router } from "./router.tsx";

// The same key as in first-paint.js.
const scheme = localStorageColorSchemeManager({ key: "theme" });

export function App() {
  const language = useLanguage();
  return (
    <MantineProvider
      theme={theme}
      colorSchemeManager={scheme}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={queries}>
        <Notifications position="bottom-right" limit={4} />
        <RouterProvider key={language} router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}
