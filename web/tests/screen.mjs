// How long events take to the screen and how smoothly the page moves: node tests/screen.mjs URL [SECONDS]
// Prints one JSON object: samples_ms (each event from happening to painted), page_ms (its part from the wire on), frames a
// second and the longest gap between two (of the overview). CHROMIUM names the browser; bench/serve.py runs it under load.
import { chromium } from "playwright-core";

const [url, seconds = "15"] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
const faults = [];
page.on("pageerror", (e) => faults.push(e.message));

async function open(address) {
  await page.goto(new URL(`#/${address}`, url).href);
  await page.waitForFunction(() => document.querySelector("main h1") && !document.querySelector("main [data-loading]"));
}
await open("debugger?view=events&severity=trace");
await page.waitForFunction(() => (window.__peerscope?.latency.count ?? 0) >= 3); // the page has settled
const before = await page.evaluate(() => window.__peerscope.latency);
await page.waitForTimeout(Math.min(Number(seconds), 60) * 1000); // the page keeps 1000 samples
const { samples_ms, page_ms } = await page.evaluate(() => window.__peerscope.latency);

await open("overview");
const frames = await page.evaluate((ms) => new Promise((done) => {
  const times = [];
  const step = (t) => { times.push(t); if (t - times[0] < ms) requestAnimationFrame(step); else done(times); };
  requestAnimationFrame(step);
}), Number(seconds) * 1000);
const gaps = frames.slice(1).map((t, i) => t - frames[i]);
const round = (ms) => Math.round(ms * 10) / 10;
console.log(JSON.stringify({
  browser: browser.version(), faults, samples_ms: samples_ms.slice(before.samples_ms.length).map(round), page_ms: page_ms.slice(before.page_ms.length).map(round),
  fps: round((frames.length - 1) / ((frames.at(-1) - frames[0]) / 1000)), longest_gap_ms: round(Math.max(...gaps)),
}));
await browser.close();
