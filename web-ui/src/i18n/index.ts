// Words in the viewer's language. English is in the first load and says which keys there are; others
// are fetched when chosen. Small enough to be no library's: look up, put values in, choose a plural.
import { useSyncExternalStore } from "react";

import { en } from "./en.ts";

type Plural = { readonly one: string; readonly other: string };
export type Message = string | Plural;
export type Key = keyof typeof en;
export type Catalogue = Readonly<Record<Key, Message>>;
export type Values = Readonly<Record<string, string | number>>;

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const KEPT = "language";

let language: Language = "en";
let catalogue: Catalogue = en;
const listeners = new Set<() => void>();

function isLanguage(name: string | null | undefined): name is Language {
  return name != null && name in LANGUAGES;
}

/** The language chosen before, else the first of the browser's that there is. */
function preferred(): Language {
  const kept = localStorage.getItem(KEPT);
  if (isLanguage(kept)) return kept;
  const spoken = navigator.languages.map((tag) => tag.slice(0, 2));
  return spoken.find(isLanguage) ?? "en";
}

async function load(wanted: Language): Promise<void> {
  catalogue = wanted === "de" ? (await import("./de.ts")).de : en;
  language = wanted;
  document.documentElement.lang = wanted;
  listeners.forEach((heard) => heard());
}

export async function start(): Promise<void> {
  await load(preferred());
}

export async function choose(wanted: Language): Promise<void> {
  localStorage.setItem(KEPT, wanted);
  await load(wanted);
}

export function current(): Language {
  return language;
}

/** The language with the viewer's region where the browser names one, for dates and numbers. */
export function locale(): string {
  return navigator.languages.find((tag) => tag.startsWith(`${language}-`)) ?? language;
}

/** Renders again when another language is chosen. */
export function useLanguage(): Language {
  return useSyncExternalStore(
    (heard) => {
      listeners.add(heard);
      return () => listeners.delete(heard);
    },
    () => language,
  );
}

/** The message with its values; `n` chooses between one and other, and is written as the language does. */
export function t(key: Key, values: Values = {}): string {
  return say(catalogue[key], values, language);
}

export function say(message: Message, values: Values, of: Language): string {
  const n = values["n"];
  const text =
    typeof message === "string"
      ? message
      : message[typeof n === "number" && new Intl.PluralRules(of).select(n) === "one" ? "one" : "other"];
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return typeof value === "number" ? value.toLocaleString(of) : (value ?? whole);
  });
}

/** The message of a key that is made at run time, such as a state's; the name itself where there is none. */
export function named(prefix: string, name: string): string {
  const message = (catalogue as Readonly<Record<string, Message | undefined>>)[`${prefix}.${name}`];
  return message === undefined ? name : say(message, {}, language);
}
