import { Alert, Button } from "@mantine/core";

import { asFault } from "../api/fault.ts";
import { t } from "../i18n/index.ts";

/** An error where it happened: what, why, and the way out. */
export function FaultNote({ error, again }: { error: unknown; again?: () => void }) {
  const fault = asFault(error);
  return (
    <Alert className="fault" role="alert" color="red" variant="light" title={fault.message}>
      {fault.wayOut !== "" && <p>{fault.wayOut}</p>}
      <p className="faint mono">{fault.code}</p>
      {again !== undefined && (
        <Button size="xs" variant="default" onClick={again}>
          {t("action.again")}
        </Button>
      )}
    </Alert>
  );
}
