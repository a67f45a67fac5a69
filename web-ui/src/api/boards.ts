// Boards: lists by filter and order, one board, and what is done to them.
import { infiniteQueryOptions, keepPreviousData, queryOptions } from "@tanstack/react-query";

import { asFault } from "./fault.ts";
import { api, body, tagged, type Schemas } from "./client.ts";
import type { paths } from "./schema.ts";

export type Board = Schemas["Board"];
export type BoardEvent = Schemas["BoardEvent"];
export type BoardOrder = NonNullable<NonNullable<paths["/api/v1/boards"]["get"]["parameters"]["query"]>["sort"]>;
export type BoardState = Schemas["BoardState"];

/** What a list is narrowed to; in the address of the page, so that it can be kept and sent on. */
export type BoardFilter = { q?: string; tenant?: string[]; state?: BoardState[]; label?: string[]; sort?: BoardOrder };

const PAGE = 100;
/** Labels whose values are counted. */
const KEYS_MAX = 3;

export const boards = (filter: BoardFilter) =>
  infiniteQueryOptions({
    queryKey: ["boards", filter],
    queryFn: ({ pageParam }) =>
      body(api.GET("/api/v1/boards", { params: { query: { ...filter, limit: PAGE, ...(pageParam === "" ? {} : { after: pageParam }) } } })),
    initialPageParam: "",
    getNextPageParam: (page) => page.next ?? undefined,
    placeholderData: keepPreviousData,
  });

export const facets = (filter: BoardFilter) =>
  queryOptions({
    queryKey: ["boards", "facets", filter],
    queryFn: async () => {
      const asked = { ...filter };
      delete asked.sort;
      const counted = await body(api.GET("/api/v1/boards/facets", { params: { query: asked } }));
      // The values of the labels that most boards have.
      const keys = counted.keys.slice(0, KEYS_MAX).map((key) => key.value);
      if (keys.length === 0) return counted;
      return body(api.GET("/api/v1/boards/facets", { params: { query: { ...asked, values_of: keys } } }));
    },
    placeholderData: keepPreviousData,
  });

/** The first few whose id has this in it, for the palette. */
export const boardsLike = (q: string) =>
  queryOptions({
    queryKey: ["boards", "like", q],
    queryFn: () => body(api.GET("/api/v1/boards", { params: { query: { q, limit: 6 } } })),
  });

export const board = (id: string) =>
  queryOptions({
    queryKey: ["boards", "one", id],
    queryFn: () => tagged(api.GET("/api/v1/boards/{board}", { params: { path: { board: id } } })),
    refetchInterval: 15_000,
  });

/** What it said last of its firmware; nothing where it never has. */
export const boardFirmware = (id: string) =>
  queryOptions({
    queryKey: ["boards", "firmware", id],
    queryFn: async () => {
      try {
        return await body(api.GET("/api/v1/boards/{board}/firmware", { params: { path: { board: id } } }));
      } catch (error) {
        if (asFault(error).status === 404) return null;
        throw error;
      }
    },
    refetchInterval: 30_000,
  });

/** What happened to it: the hub writes that down every few seconds. */
export const history = (id: string) =>
  queryOptions({
    queryKey: ["boards", "history", id],
    queryFn: () => body(api.GET("/api/v1/boards/{board}/history", { params: { path: { board: id } } })),
    refetchInterval: 15_000,
  });

/** A board's labels with their tag, which a change has to name. */
export const labels = (id: string) =>
  queryOptions({
    queryKey: ["boards", "labels", id],
    queryFn: async () => {
      const { data, response } = await api.GET("/api/v1/boards/{board}/labels", { params: { path: { board: id } } });
      return { labels: data ?? {}, tag: response.headers.get("etag") ?? "*" };
    },
    staleTime: 0,
    gcTime: 0,
  });
