// The one way to the hub's API: typed by its OpenAPI document, refusals as faults.
import createClient, { type Middleware } from "openapi-fetch";

import { Fault, faultOf } from "./fault.ts";
import type { components, paths } from "./schema.ts";

export type Schemas = components["schemas"];

const refusals: Middleware = {
  async onResponse({ response }) {
    if (response.ok || response.status === 304) return undefined;
    throw await faultOf(response);
  },
  onError() {
    return Fault.unreachable();
  },
};

// The header says that a request comes from this page: no form and no other site can send it.
export const api = createClient<paths>({ baseUrl: "", credentials: "same-origin", headers: { "x-hub-csrf": "1" } });
api.use(refusals);

/** The answer's body; a fault was thrown for whatever was refused. */
export async function body<T>(answer: Promise<{ data?: T | undefined }>): Promise<T> {
  const { data } = await answer;
  return data as T;
}

/** The answer's body with its ETag, for whoever is to change it. */
export async function tagged<T extends object>(answer: Promise<{ data?: T | undefined; response: Response }>): Promise<T & { tag: string }> {
  const { data, response } = await answer;
  return { ...(data as T), tag: response.headers.get("etag") ?? "*" };
}

/** Removes what is at a path as it is now: reads its tag, and names it. */
export async function removed<P>(
  read: (path: P) => Promise<{ response: Response }>,
  remove: (path: P, header: { "If-Match": string }) => Promise<unknown>,
  path: P,
): Promise<void> {
  const { response } = await read(path);
  await remove(path, { "If-Match": response.headers.get("etag") ?? "*" });
}

/** For a creation that may be asked for twice, and is carried out once. */
export function once(): { "idempotency-key": string } {
  return { "idempotency-key": crypto.randomUUID() };
}
