// Drives the timeline and the topology in Chromium: node tests/timeline.mjs [BASE]. Without BASE, the mock is started.
import assert from "node:assert/strict";
import AxeBuilder from "@axe-core/playwright";
import { chromium } from "playwright-core";
import { make_server } from "../mock/server.mjs";

async function start() {
  if (process.argv[2]) return { base: process.argv[2], close: () => {} };
  const server = make_server();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { base: `http://127.0.0.1:${server.address().port}`, close: () => (server.closeAllConnections(), server.close()) };
}

const { base, close } = await start();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true });
const page = await context.newPage();
const complaints = [];
page.on("console", (m) => m.type() === "error" && complaints.push(m.text()));
page.setDefaultTimeout(60_000);
page.on("pageerror", (e) => complaints.push(String(e)));

const session = await (await fetch(`${base}/api/v1/session`)).json();
let at = 0; // within what the server keeps, which moves on
async function find_place() {
  const { first_ns, now_ns } = await (await fetch(`${base}/api/v1/session`)).json();
  at = Math.max(first_ns, Math.floor(now_ns / 1e9 - 12) * 1e9);
}
const params = () => new URL(page.url().replace("#/", "")).searchParams;
const span = () => {
  const [from, to] = (params().get("at") ?? "0..0").split("..").map(Number);
  return to - from;
};
const lanes = () => page.locator("canvas[tabindex]");
const settle = (ms = 700) => page.waitForTimeout(ms);
async function open(hash) {
  await page.goto("about:blank");
  await page.goto(`${base}/#${hash}`);
  await page.waitForSelector("h1");
}
async function steps(list) {
  for (const [name, act] of list) {
    const begin = performance.now();
    try {
      await find_place();
      await act();
      console.log(`ok   ${name} (${Math.round(performance.now() - begin)} ms)`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`FAIL ${name}: ${error.message}`);
    }
  }
}
async function no_violations() {
  const { violations } = await new AxeBuilder({ page }).exclude(".skip").analyze();
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(" ")}`), []);
}
async function painted() {
  return lanes().evaluate((c) => new Set(new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer)).size);
}

await steps([
  ["the lanes are painted, one a rank", async () => {
    await open(`/timeline?at=${at}..${at + 20e6}`);
    await page.waitForFunction(() => document.querySelectorAll(".label").length > 0);
    await settle(1500);
    assert.equal(await page.locator(".label").count(), session.ranks);
    assert.ok((await painted()) > 4, "the canvas is blank");
  }],
  ["keys zoom and pan, and the address has the view", async () => {
    await lanes().focus();
    const before = span();
    await page.keyboard.press("w");
    await settle();
    assert.ok(span() < before * 0.75, `${span()} is not less than ${before}`);
    const from = params().get("at");
    await page.keyboard.press("d");
    await settle();
    assert.notEqual(params().get("at"), from);
    for (let i = 0; i < 60; ++i) await page.keyboard.press("w");
    await settle(1500);
    assert.ok(span() <= 25, `the closest view is ${span()} ns`);
    await page.keyboard.press("Home");
    await settle(1500);
    assert.ok(span() > 1e9);
  }],
  ["the wheel zooms where the pointer is, and nothing blanks on the way", async () => {
    const { items } = await (await fetch(`${base}/api/v1/operations?limit=1&from=${at}&operation=all_reduce&rank=0`)).json();
    const middle = items[0].begin_ns + Math.round(items[0].host_ns / 2);
    await open(`/timeline?at=${middle - 1e9}..${middle + 1e9}`);
    await settle(2500);
    const box = await lanes().boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + 30);
    for (let i = 0; i < 30; ++i) {
      await page.mouse.wheel(0, -120);
      assert.ok((await painted()) > 3, `blank after ${i} turns`);
    }
    await settle();
    assert.ok(span() < 20e6);
  }],
  ["a click chooses a collective, the card names each rank, brackets go on", async () => {
    await open(`/timeline?at=${at}..${at + 20e6}`);
    await settle(1500);
    await lanes().evaluate((c) => (c.dataset.kept = "yes"));
    await page.keyboard.press("]");
    await page.waitForSelector("text=from first arrival to last departure");
    const first = params().get("collective");
    assert.ok(first);
    assert.equal(await page.locator(".stay").count(), session.ranks);
    assert.equal(await lanes().getAttribute("data-kept"), "yes", "the page started again for a parameter");
    const chosen = (wanted) => page.waitForFunction(([key, is]) => (new URLSearchParams(location.hash.split("?")[1]).get("collective") === key) === is, [first, wanted]);
    await page.keyboard.press("]");
    await chosen(false);
    await page.keyboard.press("[");
    await chosen(true);
    const box = await lanes().boundingBox();
    await page.mouse.click(box.x + box.width / 2, box.y + box.height - 8);
    await settle(300);
  }],
  ["shift-drag selects a range that filters every page", async () => {
    await open(`/timeline?at=${at}..${at + 20e6}`);
    await settle(1200);
    const box = await lanes().boundingBox();
    await page.keyboard.down("Shift");
    await page.mouse.move(box.x + 100, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + 400, box.y + 40, { steps: 6 });
    await page.mouse.up();
    await page.keyboard.up("Shift");
    await settle(300);
    const [from, to] = [Number(params().get("from")), Number(params().get("to"))];
    assert.ok(to > from && from >= at && to <= at + 20e6, `${from}..${to}`);
    assert.equal(params().get("at"), `${at}..${at + 20e6}`, "selecting moved the view");
    await page.keyboard.press("r");
    await settle(300);
    assert.equal(params().get("at"), null, "another range was chosen, and the view stayed");
  }],
  ["the search jumps to a match and says where it is", async () => {
    await open(`/timeline?at=${at}..${at + 20e6}`);
    await page.waitForSelector("#timeline-found", { state: "attached" });
    await page.keyboard.press("/");
    await page.keyboard.type("all_reduce rank 1");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => /all_reduce .* rank 1 at/.test(document.querySelector("#timeline-found").textContent));
    assert.match(params().get("collective") ?? "", /all_reduce/);
    await page.locator("[data-search]").fill("bytes > 3 parsecs");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector("#timeline-found").textContent.includes("is no size"));
  }],
  ["the table lists what is in view; a row chooses", async () => {
    await open(`/timeline?at=${at}..${at + 20e6}`);
    await page.waitForSelector("section[aria-label='Operations in view'] tbody tr");
    await page.locator("section[aria-label='Operations in view'] tbody .pick").first().click();
    assert.ok(params().get("collective"));
  }],
  ["live follows, panning stops it, a button brings it back", async () => {
    if (!session.live) return;
    await open("/timeline");
    await page.waitForSelector("button:has-text('● Live')");
    await lanes().focus();
    await page.keyboard.press("a");
    await page.waitForSelector("button:has-text('Back to live')");
    await page.click("button:has-text('Back to live')");
    await page.waitForSelector("button:has-text('● Live')");
    assert.equal(params().get("at"), null);
  }],
  ["the trace for Perfetto and the picture are files", async () => {
    await open(`/timeline?at=${at}..${at + 20e6}`);
    await settle(1000);
    await page.click("button:has-text('Open in Perfetto')");
    const trace = page.waitForEvent("download");
    await page.click("a:has-text('Save the trace')");
    assert.match((await trace).url(), /exports\/perfetto\?.*from=\d+.*to=\d+|exports\/perfetto\?.*to=\d+.*from=\d+/);
    const picture = page.waitForEvent("download");
    await page.click("button:has-text('PNG of the lanes')");
    assert.equal((await picture).suggestedFilename(), "timeline.png");
  }],
  ["the topology shows links, details and the path of a collective", async () => {
    const { items } = await (await fetch(`${base}/api/v1/collectives?limit=1&from=${at}&operation=all_reduce`)).json();
    const c = items[0];
    await open(`/topology?collective=${c.communicator_id}/${c.operation}/${c.sequence}@${c.first_ns}`);
    await page.waitForSelector("section[aria-label='Links'] tbody tr", { timeout: 60_000 });
    await page.waitForFunction(() => /moves? over \d+ link/.test(document.querySelector("main").textContent));
    assert.ok((await page.locator("th:has-text('of the collective')").count()) > 0);
    await page.locator("section[aria-label='Links'] tbody .pick").first().click();
    assert.ok(params().get("link"));
    await page.waitForSelector("dt:has-text('expected')");
    for (const kind of ["PNG", "SVG"]) {
      const file = page.waitForEvent("download");
      await page.click(`button:text-is('${kind}')`);
      assert.equal((await file).suggestedFilename(), `topology.${kind.toLowerCase()}`);
    }
  }],
  ["the 3-D view is loaded when asked for", async () => {
    const loaded = [];
    page.on("request", (r) => /TopologySpace.*\.js/.test(r.url()) && loaded.push(r.url()));
    await open("/topology");
    await page.waitForSelector(".graph canvas", { timeout: 60_000 });
    assert.equal(loaded.length, 0);
    await page.click("label:has-text('3-D')");
    await page.waitForSelector(".space canvas", { timeout: 60_000 });
    assert.equal(loaded.length, 1);
  }],
  ...["dark", "light"].flatMap((theme) => ["timeline", "topology"].map((name) => [
    `no violation of accessibility: ${name}, ${theme}`, async () => {
      await page.emulateMedia({ colorScheme: theme });
      await open(name === "timeline" ? `/timeline?at=${at}..${at + 20e6}` : "/topology");
      await settle(2500);
      await no_violations();
    },
  ])),
  ["nothing was complained about, the policy included", async () => assert.deepEqual(complaints, [])],
]);
await browser.close();
close();
