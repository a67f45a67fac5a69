// What is done to all boards that fit the filter. It runs at the hub as a job; one can go away and come back.
import { Button, Menu } from "@mantine/core";
import { IconChevronDown } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";

import type { BoardFilter } from "../../api/boards.ts";
import { api, body, once, type Schemas } from "../../api/client.ts";
import { useMay } from "../../api/me.ts";
import { t } from "../../i18n/index.ts";
import { Choices } from "../../parts/Choices.tsx";
import { useConfirm } from "../../parts/Confirm.tsx";
import { act } from "../../parts/said.ts";
import { queryOf } from "../../search.ts";
import { without } from "./Filters.tsx";

const LabelBoards = lazy(() => import("./LabelBoards.tsx"));

/** More than these: their number has to be typed. */
const MANY = 100;

export function Bulk({ filter, total }: { filter: BoardFilter; total: number }) {
  const may = useMay();
  const [ask, asking] = useConfirm();
  const [labelling, setLabelling] = useState(false);
  const [block, write] = [may("boards:block"), may("boards:write")];
  if ((!block && !write) || total === 0) return asking;

  const begin = (job: Schemas["JobWork"]) =>
    act(body(api.POST("/api/v1/jobs", { body: { filter: queryOf(without(filter, "sort")), job }, headers: once() })), t("bulk.begun", { n: total }), "jobs");
  const sure = total > MANY ? { typed: String(total) } : {};

  return (
    <>
      <Choices
        target={
          <Button variant="default" rightSection={<IconChevronDown size={15} />}>
            {t("bulk.all", { n: total })}
          </Button>
        }
      >
        {write && <Menu.Item onClick={() => setLabelling(true)}>{t("bulk.label")}</Menu.Item>}
        {block && (
          <>
            <Menu.Item
              onClick={() =>
                ask({
                  title: t("bulk.unblock-title", { n: total }),
                  consequence: t("bulk.unblock-what", { n: total }),
                  action: t("bulk.unblock-do", { n: total }),
                  calm: true,
                  ...sure,
                  run: () => begin({ work: "unblock" }),
                })
              }
            >
              {t("bulk.unblock")}
            </Menu.Item>
            <Menu.Item
              color="red"
              onClick={() =>
                ask({
                  title: t("bulk.block-title", { n: total }),
                  consequence: t("bulk.block-what", { n: total }),
                  action: t("bulk.block-do", { n: total }),
                  reason: true,
                  ...sure,
                  run: (reason) => begin({ work: "block", reason }),
                })
              }
            >
              {t("bulk.block")}
            </Menu.Item>
            <Menu.Item
              color="red"
              onClick={() =>
                ask({
                  title: t("bulk.revoke-title", { n: total }),
                  consequence: t("bulk.revoke-what", { n: total }),
                  action: t("bulk.revoke-do", { n: total }),
                  reason: true,
                  typed: String(total),
                  run: (reason) => begin({ work: "revoke", reason }),
                })
              }
            >
              {t("bulk.revoke")}
            </Menu.Item>
          </>
        )}
      </Choices>
      <Suspense>{labelling && <LabelBoards total={total} begin={begin} close={() => setLabelling(false)} />}</Suspense>
      {asking}
    </>
  );
}
