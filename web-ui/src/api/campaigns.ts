// Campaigns that have boards of one authority renew under another: how far each is, and what a new one is made of.
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { api, body, type Schemas } from "./client.ts";

export type Campaign = Schemas["Campaign"];
export type CampaignGroup = Schemas["CampaignGroup"];
export type CampaignBoards = Schemas["CampaignBoards"];

const MOVING_MS = 3_000;
const STILL_MS = 20_000;

export const campaigns = infiniteQueryOptions({
  queryKey: ["campaigns"],
  queryFn: ({ pageParam }) => body(api.GET("/api/v1/campaigns", { params: { query: { limit: 100, ...(pageParam === "" ? {} : { after: pageParam }) } } })),
  initialPageParam: "",
  getNextPageParam: (page) => page.next ?? undefined,
  refetchInterval: (query) => (query.state.data?.pages.some((page) => page.items.some((of) => of.state === "running")) === true ? MOVING_MS : STILL_MS),
});

export const campaign = (id: number) =>
  queryOptions({
    queryKey: ["campaigns", "one", id],
    queryFn: () => body(api.GET("/api/v1/campaigns/{campaign}", { params: { path: { campaign: id } } })),
    refetchInterval: (query) => (query.state.data?.state === "running" ? MOVING_MS : STILL_MS),
  });

export const isOver = (of: Campaign): boolean => of.state === "ended" || of.state === "completed";

export type NewGroups = { firstPercent: number; firstSuccess: number };

/** Groups as the hub reads them: some boards first, where there is to be a first group, and then the others. */
export function groupTexts({ firstPercent, firstSuccess }: NewGroups): string[] {
  if (firstPercent <= 0) return [];
  return [`first:${firstPercent}%:${firstSuccess}%`, "others:rest:90%"];
}

/** The windows that were written, one or more, with commas or spaces between. */
export const windowTexts = (text: string): string[] => text.split(/[\s,]+/).filter((window) => window !== "");
