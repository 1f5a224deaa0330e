import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// The page is embedded in the binary and served under a strict policy: nothing is inlined, nothing is fetched from
// elsewhere.
export default defineConfig({
  base: "./",
  plugins: [svelte()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1600,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8899", "/metrics": "http://127.0.0.1:8899" } },
  test: { include: ["src/**/*.test.ts", "mock/**/*.test.mjs"], environment: "node" },
});
