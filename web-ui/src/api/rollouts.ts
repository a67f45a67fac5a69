// Rollouts: how far their groups are, what a new one is made of, and how many boards an act is about.
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";

import { api, body, type Schemas } from "./client.ts";

export type Rollout = Schemas["Rollout"];
export type RolloutGroup = Schemas["RolloutGroup"];
export type RolloutBoard = Schemas["RolloutBoard"];

/** How far a board can be, as the hub names it; in the order in which it goes. */
export const STEPS = ["waiting", "offered", "fetching", "held", "restarting", "on-trial", "succeeded", "failed", "skipped"] as const;
export type Step = (typeof STEPS)[number];

const MOVING_MS = 3_000;
const STILL_MS = 20_000;

export const rollouts = infiniteQueryOptions({
  queryKey: ["rollouts"],
  queryFn: ({ pageParam }) => body(api.GET("/api/v1/rollouts", { params: { query: { limit: 100, ...(pageParam === "" ? {} : { after: pageParam }) } } })),
  initialPageParam: "",
  getNextPageParam: (page) => page.next ?? undefined,
  refetchInterval: (query) => (query.state.data?.pages.some((page) => page.items.some((of) => of.state === "running")) === true ? MOVING_MS : STILL_MS),
});

export const rollout = (id: number) =>
  queryOptions({
    queryKey: ["rollouts", "one", id],
    queryFn: () => body(api.GET("/api/v1/rollouts/{rollout}", { params: { path: { rollout: id } } })),
    refetchInterval: (query) => (query.state.data?.state === "running" ? MOVING_MS : STILL_MS),
  });

export const rolloutBoards = (id: number, state: Step | "", moving: boolean) =>
  infiniteQueryOptions({
    queryKey: ["rollouts", "boards", id, state],
    queryFn: ({ pageParam }) =>
      body(
        api.GET("/api/v1/rollouts/{rollout}/boards", {
          params: { path: { rollout: id }, query: { limit: 100, ...(state === "" ? {} : { state }), ...(pageParam === "" ? {} : { after: pageParam }) } },
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
    refetchInterval: moving ? MOVING_MS * 2 : STILL_MS,
  });

export type RolloutWanted = Schemas["PreviewedRollout"];

/** `wanted` as text, so that one that has not changed is not asked for again. */
export const preview = (wanted: string) =>
  queryOptions({
    queryKey: ["rollouts", "preview", wanted],
    queryFn: () => body(api.POST("/api/v1/rollouts/preview", { body: JSON.parse(wanted) as RolloutWanted })),
    placeholderData: keepPreviousData,
    retry: false,
  });

const count = (group: RolloutGroup, step: Step): number => (step === "on-trial" ? group.on_trial : group[step]);

/** How many boards are at one of these steps. */
export function boardsAt(groups: readonly RolloutGroup[], ...steps: readonly Step[]): number {
  return groups.reduce((sum, group) => sum + steps.reduce((of, step) => of + count(group, step), 0), 0);
}

/** Those the release is for: skipped ones count on neither side. */
export function boardsMeant(groups: readonly RolloutGroup[]): number {
  return groups.reduce((sum, group) => sum + group.boards - group.skipped, 0);
}

export type Who = "percent" | "count" | "label" | "rest";
export type NewGroup = { name: string; who: Who; value: string; success: number; errors: number; errorsIn: "percent" | "boards" };

/** Whether a group's boards are said in a way that the hub reads. */
export function whoIsSaid({ who, value }: Pick<NewGroup, "who" | "value">): boolean {
  const number = Number(value);
  switch (who) {
    case "percent":
      return Number.isInteger(number) && number >= 1 && number <= 100;
    case "count":
      return Number.isInteger(number) && number >= 1;
    case "label":
      return /^[^=:\s]+=[^:\s]+$/.test(value);
    case "rest":
      return true;
  }
}

/** A group as the hub reads it: `NAME:WHO:SUCCESS:ERRORS`. */
export function groupText({ name, who, value, success, errors, errorsIn }: NewGroup): string {
  const whom = { percent: `${value}%`, count: value, label: `label:${value}`, rest: "rest" }[who];
  return `${name}:${whom}:${success}%:${errors}${errorsIn === "percent" ? "%" : ""}`;
}
