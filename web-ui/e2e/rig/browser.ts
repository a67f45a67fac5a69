// Debian's Chromium, and people in it: each in a context of their own. What breaks the page's policy, or
// its script, fails the test.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import axe from "axe-core";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
export const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
] as const;

export class People {
  readonly #browser: Browser;
  readonly #profile: string;
  readonly faults: string[] = [];

  private constructor(browser: Browser, profile: string) {
    this.#browser = browser;
    this.#profile = profile;
  }

  static async start(pin: string): Promise<People> {
    const profile = mkdtempSync(join(tmpdir(), "web-ui-profile-"));
    const args = [...FLAGS, `--ignore-certificate-errors-spki-list=${pin}`, `--crash-dumps-dir=${profile}`];
    const browser = await chromium.launch({ executablePath: CHROMIUM, args, env: { ...process.env, HOME: profile } });
    return new People(browser, profile);
  }

  /** Somebody at a browser of their own. */
  async person(url: string, options: Parameters<Browser["newContext"]>[0] = {}): Promise<Page> {
    const context = await this.#browser.newContext({ baseURL: url, viewport: { width: 1440, height: 900 }, locale: "en-GB", ...options });
    context.setDefaultTimeout(30_000);
    const page = await context.newPage();
    this.watch(page);
    return page;
  }

  watch(page: Page): void {
    page.on("pageerror", (error) => this.faults.push(`${page.url()}: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      if (/Content Security Policy|Trusted ?Type/i.test(text)) this.faults.push(`${page.url()}: ${text}`);
    });
  }

  async end(): Promise<void> {
    await this.#browser.close();
    rmSync(this.#profile, { recursive: true, force: true });
  }
}

type Violation = { id: string; impact?: string | null; help: string; nodes: { target: unknown[]; failureSummary?: string }[] };

/** What axe finds against WCAG 2.2 A and AA and its own best practices; nothing is left out. */
export async function violations(page: Page): Promise<string[]> {
  const context: BrowserContext = page.context();
  const session = await context.newCDPSession(page);
  // Through the debugger, so that the page's policy stays as it is.
  await session.send("Runtime.evaluate", { expression: axe.source });
  const expression = "axe.run(document, { runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice'] }).then((r) => JSON.stringify(r.violations))";
  const answer = await session.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
  await session.detach();
  const found = JSON.parse(String(answer.result.value)) as Violation[];
  return found.flatMap((violation) =>
    violation.nodes.map((node) => `${violation.id} (${violation.help}): ${JSON.stringify(node.target)} ${node.failureSummary ?? ""}`),
  );
}
