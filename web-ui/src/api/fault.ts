// What went wrong, as the hub says it (RFC 9457) or as the browser does, and the way out in words.
import { named, t } from "../i18n/index.ts";

export class Fault extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryAfter: number | null;

  constructor(status: number, code: string, detail: string, retryAfter: number | null = null) {
    super(detail);
    this.name = "Fault";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }

  /** No answer at all: the hub is away, or the network is. */
  static unreachable(): Fault {
    return new Fault(0, "unreachable", t("fault.unreachable"));
  }

  /** What to do about it; nothing where the hub's own words say all. */
  get wayOut(): string {
    const known = named("way-out", this.code);
    if (known !== this.code) return known;
    return this.status === 0 || this.status >= 500 ? t("way-out.server") : "";
  }
}

export async function faultOf(response: Response): Promise<Fault> {
  const after = Number(response.headers.get("retry-after"));
  const retryAfter = Number.isFinite(after) && after > 0 ? after : null;
  const kind = response.headers.get("content-type") ?? "";
  const body: unknown = kind.includes("json") ? await response.json().catch(() => null) : await response.text().catch(() => "");
  if (typeof body === "object" && body !== null) {
    const { code, detail, title } = body as Record<string, unknown>;
    const said = typeof detail === "string" ? detail : typeof title === "string" ? title : response.statusText;
    return new Fault(response.status, typeof code === "string" ? code : `http-${response.status}`, said, retryAfter);
  }
  const said = typeof body === "string" && body.length < 400 ? body.trim() : "";
  return new Fault(response.status, `http-${response.status}`, said === "" ? response.statusText : said, retryAfter);
}

export function asFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  return new Fault(0, "unexpected", error instanceof Error ? error.message : String(error));
}
