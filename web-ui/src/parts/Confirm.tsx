// Asked before something dangerous: what will happen, to how many, and for the final ones a name to type.
import { Button, Group, Stack, TextInput } from "@mantine/core";
import { useState, type ReactNode } from "react";

import { t } from "../i18n/index.ts";
import { Dialog } from "./Dialog.tsx";
import { FaultNote } from "./FaultNote.tsx";

export type Question = {
  title: string;
  /** What will happen, and to how many boards. */
  consequence: ReactNode;
  /** The button's words: what it does, not "OK". */
  action: string;
  /** Has to be typed where there is no way back. */
  typed?: string;
  /** Has to be given as the reason; goes into the audit log. */
  reason?: boolean;
  calm?: boolean;
  run: (reason: string) => Promise<unknown>;
};

export function Confirm({ question, close }: { question: Question; close: () => void }) {
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const ready = (question.typed === undefined || typed === question.typed) && (question.reason !== true || reason.trim() !== "");

  async function run() {
    setBusy(true);
    setError(null);
    try {
      await question.run(reason.trim());
      close();
    } catch (refused) {
      setError(refused);
      setBusy(false);
    }
  }

  return (
    <Dialog title={question.title} close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !busy) void run();
        }}
      >
        <Stack gap="md">
          <div>{question.consequence}</div>
          {question.reason === true && (
            <TextInput
              label={t("confirm.reason")}
              description={t("confirm.reason-note")}
              value={reason}
              maxLength={200}
              data-autofocus
              onChange={(event) => setReason(event.currentTarget.value)}
            />
          )}
          {question.typed !== undefined && (
            <TextInput
              label={t("confirm.type", { name: question.typed })}
              value={typed}
              autoComplete="off"
              spellCheck={false}
              data-autofocus
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
          )}
          {error !== null && <FaultNote error={error} />}
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>
              {t("action.cancel")}
            </Button>
            <Button type="submit" {...(question.calm === true ? {} : { color: "red" })} disabled={!ready} loading={busy}>
              {question.action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}

/** A question to be asked, and the element that asks it while there is one. */
export function useConfirm(): [(question: Question) => void, ReactNode] {
  const [question, setQuestion] = useState<Question | null>(null);
  return [setQuestion, question === null ? null : <Confirm question={question} close={() => setQuestion(null)} />];
}
