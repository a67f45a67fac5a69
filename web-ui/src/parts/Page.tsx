// The frame of a page: its name, one sentence about it, what can be done, and its sections.
import { useEffect, type ReactNode } from "react";

import { t } from "../i18n/index.ts";

type PageProps = {
  title: string;
  /** Above the title: where one came from. */
  over?: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
};

export function Page({ title, over, lead, actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · ${t("app.name")}`;
  }, [title]);
  return (
    <div className="page">
      <header className="page-head">
        <div className="page-title">
          {over !== undefined && <div className="page-over">{over}</div>}
          <h1 tabIndex={-1}>{title}</h1>
          {lead !== undefined && <p className="soft">{lead}</p>}
        </div>
        {actions !== undefined && <div className="page-actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

type SectionProps = { title: string; note?: ReactNode; actions?: ReactNode; children: ReactNode; flush?: boolean };

export function Section({ title, note, actions, children, flush = false }: SectionProps) {
  return (
    <section className="section" aria-label={title} data-flush={flush}>
      <header className="section-head">
        <h2>{title}</h2>
        {note !== undefined && <span className="faint">{note}</span>}
        {actions !== undefined && <div className="section-actions">{actions}</div>}
      </header>
      <div className="section-body">{children}</div>
    </section>
  );
}

/** Terms and what they are, in columns; a digest has a line of its own. */
export function Facts({ of }: { of: readonly (readonly [string, ReactNode, "long"?])[] }) {
  return (
    <dl className="facts">
      {of.map(([term, fact, length]) => (
        <div key={term} data-long={length === "long"}>
          <dt>{term}</dt>
          <dd>{fact}</dd>
        </div>
      ))}
    </dl>
  );
}
