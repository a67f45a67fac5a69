import { Link } from "@tanstack/react-router";

import { t } from "../i18n/index.ts";

export function Brand() {
  return (
    <Link to="/" className="brand">
      <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true" fill="none" stroke="currentColor" strokeLinecap="round">
        <circle cx="16" cy="16" r="3.500" fill="currentColor" stroke="none" />
        <path strokeWidth="2.400" d="M9.800 9.800a8.800 8.800 0 0 0 0 12.400M22.200 9.800a8.800 8.800 0 0 1 0 12.400M5.400 5.400a15 15 0 0 0 0 21.200M26.600 5.400a15 15 0 0 1 0 21.200" />
      </svg>
      <span>{t("app.name")}</span>
    </Link>
  );
}
