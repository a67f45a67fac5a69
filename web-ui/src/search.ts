// What stands behind the question mark of a page's address: read once, into what cannot be wrong.
type Raw = Record<string, unknown>;

/** One key, where it is text. */
export function text<K extends string>(raw: Raw, key: K): Partial<Record<K, string>> {
  const value = raw[key];
  const said = typeof value === "number" ? String(value) : value;
  return typeof said === "string" && said !== "" ? ({ [key]: said } as Record<K, string>) : {};
}

/** A place in this app to go on to; never one elsewhere. */
export function placeHere(to: string | undefined): string {
  if (to === undefined || !to.startsWith("/") || to.startsWith("//") || to.includes("\\")) return "/";
  const url = new URL(to, location.origin);
  return url.origin === location.origin ? url.pathname + url.search : "/";
}
