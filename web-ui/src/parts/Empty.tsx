// Where nothing is: what would be here, and what to do next.
import type { ReactNode } from "react";

export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="empty">
      <svg viewBox="0 0 48 24" width="48" height="24" aria-hidden="true">
        <path d="M2 20c6-16 12-16 22-6s16 6 22-8" fill="none" stroke="currentColor" strokeWidth="1.500" strokeDasharray="3 3" />
      </svg>
      <p className="empty-title">{title}</p>
      {children !== undefined && <div className="soft">{children}</div>}
      {action}
    </div>
  );
}
