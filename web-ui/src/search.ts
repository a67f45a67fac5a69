// What stands behind the question mark of a page's address: read once, into what cannot be wrong.
import type { BoardFilter, BoardOrder, BoardState } from "./api/boards.ts";

const STATES: readonly BoardState[] = ["active", "blocked", "held", "revoked"];
const isState = (name: string): name is BoardState => STATES.some((state) => state === name);

const ORDERS: readonly BoardOrder[] = ["id", "-id", "last_seen", "-last_seen", "created", "-created", "certificate_end", "-certificate_end"];
export const isOrder = (name: unknown): name is BoardOrder => ORDERS.some((order) => order === name);

type Raw = Record<string, unknown>;

/** One key, where it is text. */
export function text<K extends string>(raw: Raw, key: K): Partial<Record<K, string>> {
  const value = raw[key];
  const said = typeof value === "number" ? String(value) : value;
  return typeof said === "string" && said !== "" ? ({ [key]: said } as Record<K, string>) : {};
}

function texts<K extends string>(raw: Raw, key: K): Partial<Record<K, string[]>> {
  const value = raw[key];
  const list = (Array.isArray(value) ? value : [value]).filter((each): each is string => typeof each === "string" && each !== "");
  return list.length > 0 ? ({ [key]: list } as Record<K, string[]>) : {};
}

export function boardFilter(raw: Raw): BoardFilter {
  const states = texts(raw, "state").state?.filter((state) => isState(state));
  return {
    ...text(raw, "q"),
    ...texts(raw, "tenant"),
    ...(states === undefined || states.length === 0 ? {} : { state: states }),
    ...texts(raw, "label"),
    ...(isOrder(raw["sort"]) ? { sort: raw["sort"] } : {}),
  };
}

/** A filter as the API reads it behind a question mark, as views and jobs name boards. */
export function queryOf(filter: BoardFilter): string {
  const pairs = Object.entries(filter).flatMap(([key, value]) => [value].flat().map((each) => [key, each]));
  return new URLSearchParams(pairs).toString();
}

/** The filter that such a text stands for. */
export function filterOf(query: string): BoardFilter {
  const pairs = new URLSearchParams(query);
  return boardFilter(Object.fromEntries([...new Set(pairs.keys())].map((key) => [key, key === "q" || key === "sort" ? pairs.get(key) : pairs.getAll(key)])));
}

/** A place in this app to go on to; never one elsewhere. */
export function placeHere(to: string | undefined): string {
  if (to === undefined || !to.startsWith("/") || to.startsWith("//") || to.includes("\\")) return "/";
  const url = new URL(to, location.origin);
  return url.origin === location.origin ? url.pathname + url.search : "/";
}
