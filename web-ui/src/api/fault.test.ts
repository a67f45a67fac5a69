import { expect, test } from "vitest";

import { faultOf } from "./fault.ts";

const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/problem+json", ...headers } });

test("a problem's code and detail are kept, and how long to wait", async () => {
  const fault = await faultOf(json(429, { code: "rate-limited", detail: "wait a moment" }, { "retry-after": "3" }));
  expect([fault.status, fault.code, fault.message, fault.retryAfter]).toEqual([429, "rate-limited", "wait a moment", 3]);
});

test("an answer that is no problem document is still said in words", async () => {
  const fault = await faultOf(new Response("there is nothing here\n", { status: 404 }));
  expect([fault.status, fault.code, fault.message]).toEqual([404, "http-404", "there is nothing here"]);
  const page = await faultOf(new Response(`<html>${"x".repeat(999)}</html>`, { status: 502, statusText: "Bad Gateway" }));
  expect(page.message).toBe("Bad Gateway");
});
