// Writes every page x theme x width as PNG: node tests/screenshots.mjs BASE_URL FOLDER [page,page] [theme,theme] [width,width]
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [base = process.env.PEERSCOPE_URL ?? "http://127.0.0.1:8899/", folder = "out/screenshots", pages, themes, widths] = process.argv.slice(2);
const kPages = ["overview", "timeline", "topology", "pairs", "operations", "profiler", "debugger", "benchmarks", "alerts", "configuration"];
const kSizes = [[1280, 800], [2560, 1440], [390, 844]];
const token = process.env.PEERSCOPE_TOKEN ?? "";

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
for (const theme of themes?.split(",") ?? ["dark", "light"]) {
  for (const [width, height] of kSizes.filter(([w]) => !widths || widths.split(",").includes(String(w)))) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme });
    const page = await context.newPage();
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && console.log(`${m.type()}: ${m.text()}`));
    page.on("pageerror", (e) => console.log(`page error: ${e}`));
    if (token) await context.request.post(new URL("/api/v1/login", base).href, { data: { token } });
    for (const address of pages?.split(",") ?? kPages) {
      await page.goto(`${base}#/${address}`);
      await page.waitForSelector("main h1", { state: "attached" });
      await page.waitForFunction(() => !document.querySelector("main [data-loading]"), null, { timeout: 15_000 }).catch(() => {});
      await page.waitForTimeout(1200);
      await page.screenshot({ path: join(folder, `${address.replace(/[?&=/@]+/g, "-")}-${theme}-${width}.png`) });
    }
    await context.close();
  }
}
await browser.close();
