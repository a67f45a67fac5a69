import { defineConfig } from "vitest/config";

// One after the other: each file has a hub, a broker and boards of its own, and the machine two cores.
export default defineConfig({
  test: {
    include: ["e2e/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // What a page comes to in the end is waited for, not for how long.
    expect: { poll: { timeout: 30_000, interval: 100 } },
    bail: 0,
  },
});
