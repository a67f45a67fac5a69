import { defineConfig } from "vitest/config";

// One after the other: each file has a hub, a broker and boards of its own, and the machine two cores.
export default defineConfig({
  test: {
    include: ["e2e/**/*.test.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 90_000,
    bail: 0,
  },
});
