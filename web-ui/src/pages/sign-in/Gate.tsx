// The frame of the pages for whoever has not signed in: one thing to do, a language to choose.
import { Anchor } from "@mantine/core";
import { useEffect, type ReactNode } from "react";

import { LANGUAGES, choose, current, t, type Language } from "../../i18n/index.ts";
import { Brand } from "../../shell/Brand.tsx";

export function Gate({ title, lead, children }: { title: string; lead?: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · ${t("app.name")}`;
  }, [title]);
  const others = (Object.keys(LANGUAGES) as Language[]).filter((language) => language !== current());
  return (
    <main className="gate">
      <div className="gate-inner">
        <Brand />
        <section className="section" aria-labelledby="gate-title">
          <h1 id="gate-title">{title}</h1>
          {lead !== undefined && <p className="soft">{lead}</p>}
          {children}
        </section>
        <footer>
          {others.map((language) => (
            <Anchor key={language} component="button" type="button" lang={language} inherit onClick={() => void choose(language)}>
              {LANGUAGES[language]}
            </Anchor>
          ))}
        </footer>
      </div>
    </main>
  );
}
