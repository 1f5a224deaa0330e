import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// Libraries of the 3-D view put <style> elements into the page, which its policy refuses: TopologySpace.svelte has
// what is needed of them.
const no_injected_styles = {
  name: "no-injected-styles",
  transform(code: string, id: string): string | undefined {
    if (!/node_modules\/(3d-force-graph|three-render-objects|float-tooltip)\//.test(id)) return undefined;
    return code.replace(/^styleInject\(\w+\);$/m, "");
  },
};

// The page is embedded in the binary and served under a strict policy: nothing is inlined, nothing is fetched from
// elsewhere.
export default defineConfig({
  base: "./",
  plugins: [svelte(), no_injected_styles],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1600,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8899", "/metrics": "http://127.0.0.1:8899" } },
  test: { include: ["src/**/*.test.ts", "mock/**/*.test.mjs"], environment: "node", testTimeout: 60_000 },
});
