// What was done, said in a corner; and everything read before is asked for again.
import { notifications } from "@mantine/notifications";

import { asFault } from "../api/fault.ts";
import { queries } from "../api/queries.ts";
import { t } from "../i18n/index.ts";

const labels = () => ({ closeButtonProps: { "aria-label": t("action.close") } });

export function say(message: string): void {
  notifications.show({ message, color: "petrol", ...labels() });
}

export function complain(error: unknown): void {
  const fault = asFault(error);
  notifications.show({ title: fault.message, message: fault.wayOut, color: "red", autoClose: 12_000, ...labels() });
}

/** Does it, says that it was done, and has lists of these kinds read again. */
export async function act(doing: Promise<unknown>, done: string, ...kinds: readonly string[]): Promise<void> {
  await doing;
  await Promise.all(kinds.map((kind) => queries.invalidateQueries({ queryKey: [kind] })));
  say(done);
}
