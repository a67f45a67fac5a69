// Where something is still to come.
import { Skeleton } from "@mantine/core";

import { t } from "../i18n/index.ts";

export function Waiting() {
  return (
    <div className="section-body" aria-busy="true" aria-label={t("app.waiting")} role="status">
      {[72, 88, 64, 80].map((width) => (
        <Skeleton key={width} height={14} my={12} width={`${width}%`} />
      ))}
    </div>
  );
}
