// The library of firmware: releases, the keys whose signatures count, and an image on its way in.
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { api, body, once, type Schemas } from "./client.ts";

export type Release = Schemas["Release"];

export const releases = infiniteQueryOptions({
  queryKey: ["firmware"],
  queryFn: ({ pageParam }) => body(api.GET("/api/v1/firmware", { params: { query: { limit: 100, ...(pageParam === "" ? {} : { after: pageParam }) } } })),
  initialPageParam: "",
  getNextPageParam: (page) => page.next ?? undefined,
  refetchInterval: 15_000,
});

export const release = (id: number) =>
  queryOptions({
    queryKey: ["firmware", "one", id],
    queryFn: () => body(api.GET("/api/v1/firmware/{release}", { params: { path: { release: id } } })),
    refetchInterval: 10_000,
  });

export const firmwareKeys = queryOptions({
  queryKey: ["firmware", "keys"],
  queryFn: () => body(api.GET("/api/v1/firmware/keys")),
});

export type NewRelease = { product: string; hardware?: string; tenant?: string };

/** Takes an image in; the body is the file itself, not JSON. */
export function upload(image: File, query: NewRelease): Promise<Release> {
  return body(
    api.POST("/api/v1/firmware", {
      params: { query },
      body: [],
      bodySerializer: () => image,
      headers: { ...once(), "content-type": "application/octet-stream" },
    }),
  );
}

/** Bytes in base64, as a signature is sent. */
export async function base64(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  return btoa(String.fromCharCode(...bytes));
}
