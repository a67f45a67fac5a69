// Passkeys: what the hub asks, given to the browser, and its answer given back (WebAuthn, level 3).
import { t } from "../i18n/index.ts";
import { Fault } from "./fault.ts";

export function knowsPasskeys(): boolean {
  return typeof PublicKeyCredential !== "undefined" && typeof PublicKeyCredential.parseRequestOptionsFromJSON === "function";
}

type Asked = { publicKey?: unknown };
const inner = (asked: unknown): unknown => (asked as Asked).publicKey ?? asked;

/** As the API takes it: its own document says no more of it than that it is an object. */
export type Shown = Record<string, never>;

export async function showPasskey(asked: unknown): Promise<Shown> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(inner(asked) as PublicKeyCredentialRequestOptionsJSON);
  return answered(navigator.credentials.get({ publicKey }));
}

export async function makePasskey(asked: unknown): Promise<Shown> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(inner(asked) as PublicKeyCredentialCreationOptionsJSON);
  return answered(navigator.credentials.create({ publicKey }));
}

async function answered(asking: Promise<Credential | null>): Promise<Shown> {
  const credential = await asking.catch(() => null);
  if (!(credential instanceof PublicKeyCredential)) throw new Fault(0, "passkey-cancelled", t("fault.passkey"));
  return credential.toJSON() as Shown;
}
