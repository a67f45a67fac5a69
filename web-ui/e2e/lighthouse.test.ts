// What Lighthouse says of the first page, as it is served.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import lighthouse from "lighthouse";
import { chromium } from "playwright-core";
import { expect, test } from "vitest";

import { setUp } from "./rig/acts.ts";
import { FLAGS } from "./rig/browser.ts";
import { Site } from "./rig/site.ts";

const AT_LEAST = 0.95;
const TRIES = 4;
/** With more processes than these for each processor, how long something took says nothing of the page. */
const BUSY = 1.5;
/** What may come before the page is there, as it comes over the wire. */
const SCRIPTS_MAX = 250_000;

test("the first page is quick, and open to everybody", { timeout: 300_000 }, async () => {
  const site = await Site.start(20, 2);
  const profile = mkdtempSync(join(tmpdir(), "web-ui-lighthouse-"));
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
  const args = [...FLAGS, `--ignore-certificate-errors-spki-list=${site.pin}`, `--remote-debugging-port=${port}`];
  const browser = await chromium.launchPersistentContext(profile, { executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args, baseURL: site.url, viewport: { width: 1350, height: 940 } });
  try {
    const page = await browser.newPage();
    await setUp(page, site);
    const cookies = await browser.cookies();
    const measure = () =>
      lighthouse(site.url, {
        port,
        output: "json",
        logLevel: "error",
        onlyCategories: ["performance", "accessibility"],
        // The session, which the clearing of everything stored takes away.
        extraHeaders: { cookie: cookies.map((cookie) => `${cookie.name}=${cookie.value}`).join("; ") },
        formFactor: "desktop",
        screenEmulation: { mobile: false, width: 1350, height: 940, deviceScaleFactor: 1, disabled: false },
        throttling: { rttMs: 40, throughputKbps: 10_240, cpuSlowdownMultiplier: 1, requestLatencyMs: 0, downloadThroughputKbps: 0, uploadThroughputKbps: 0 },
      });
    // Others take a busy machine's time: the best of a few counts, as it is the page's own. A trace may even lack a
    // moment: that is no score, and not a bad one.
    let seen = await measure();
    const quick = (of: typeof seen) => of?.lhr.categories["performance"]?.score ?? 0;
    for (let tries = 1; tries < TRIES && quick(seen) < AT_LEAST; tries++) {
      const again = await measure();
      if (quick(again) > quick(seen)) seen = again;
    }
    const busy = (loadavg()[0] ?? 0) > BUSY * availableParallelism();
    const categories = seen?.lhr.categories ?? {};
    const score = (name: string) => categories[name]?.score ?? 0;
    console.info(`lighthouse: performance ${score("performance") * 100}, accessibility ${score("accessibility") * 100}`);
    const details = seen?.lhr.audits["network-requests"]?.details as { items: { resourceType: string; transferSize: number }[] } | undefined;
    const scripts = (details?.items ?? []).filter((item) => item.resourceType === "Script").reduce((sum, item) => sum + item.transferSize, 0);
    console.info(`scripts: ${Math.round(scripts / 1000)} kB over the wire`);
    expect(scripts).toBeGreaterThan(0);
    expect(scripts).toBeLessThan(SCRIPTS_MAX);
    const failed = Object.values(seen?.lhr.audits ?? {}).filter((audit) => audit.score !== null && audit.score < 0.9);
    const why = failed.map((audit) => `${audit.id} ${audit.displayValue ?? ""}`).join(", ");
    if (busy && score("performance") < AT_LEAST) console.info(`the machine is busy: performance is not judged (${why})`);
    else expect(score("performance"), why).toBeGreaterThanOrEqual(AT_LEAST);
    expect(score("accessibility"), why).toBeGreaterThanOrEqual(AT_LEAST);
  } finally {
    await browser.close();
    await site.end();
    rmSync(profile, { recursive: true, force: true });
  }
});
