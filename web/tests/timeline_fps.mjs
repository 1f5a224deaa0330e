// How smoothly the timeline moves over 10 million operations: node tests/timeline_fps.mjs
// Serves the built page and a run of 8 ranks whose operations are computed when they are asked for; drags and zooms in
// Chromium; prints one JSON object. PEERSCOPE_URL: measures that server instead. FPS_LEAST: fails below that many.
import { createServer, request } from "node:http";
import { chromium } from "playwright-core";
import { make_server } from "../mock/server.mjs";

const kRanks = 8;
const kEach = 1_250_000;
const kPeriod = 800_000;
const kRun = kEach * kPeriod;
const kNames = ["all_reduce", "all_reduce", "all_gather", "reduce_scatter"];

const noise = (i, lane) => ((Math.imul(i + 1, 2654435761) ^ Math.imul(lane + 7, 40503)) >>> 8) % 1000;
function operation(lane, i) {
  const late = noise(i, lane) * 120;
  return {
    lane, begin_ns: i * kPeriod + late, duration_ns: 150_000 + noise(i, 99) * 200 - late, operation: kNames[i % 4], algorithm: "ring",
    bytes: 16384 << (i % 3), sequence: i, communicator_id: "c0ffee", error: noise(i, lane) === 0 && i % 7 === 0,
  };
}

function timeline(q) {
  const from = Math.max(0, Number(q.get("from") ?? 0));
  const to = Math.min(kRun, Number(q.get("to") ?? kRun));
  const count = Number(q.get("bins") ?? 1000);
  const first = Math.max(0, Math.floor(from / kPeriod));
  const last = Math.min(kEach - 1, Math.floor(to / kPeriod));
  const lanes = Array.from({ length: kRanks }, (_, rank) => ({ rank, pid: 100 + rank, thread: 0, stream: 0, label: `rank ${rank}` }));
  const bins = { lane: [], bin: [], count: [], errors: [], busy: [], operation: [] };
  const bin_ns = Math.max(1, Math.ceil((to - from) / count));
  const answer = { from_ns: from, to_ns: to, bin_ns, indexed_share: 1, lanes, operations: [], bins };
  if (last < first) return answer;
  if ((last - first + 1) * kRanks <= Number(q.get("max_operations") ?? 4000)) {
    for (let lane = 0; lane < kRanks; ++lane) for (let i = first; i <= last; ++i) answer.operations.push(operation(lane, i));
    return answer;
  }
  for (let lane = 0; lane < kRanks; ++lane) {
    for (let bin = 0; bin < count && from + bin * bin_ns < to; ++bin) {
      const begin = Math.ceil((from + bin * bin_ns) / kPeriod);
      const end = Math.ceil((from + (bin + 1) * bin_ns) / kPeriod);
      if (end <= begin) continue;
      const one = operation(lane, begin);
      const values = [lane, bin, end - begin, noise(begin, lane) === 0 ? 1 : 0, Math.min(1, 0.2 + noise(begin, lane) / 2000), one.operation];
      Object.keys(bins).forEach((name, at) => bins[name].push(values[at]));
    }
  }
  return answer;
}

async function serve() {
  const mock = make_server();
  const inner = mock.server ?? mock;
  await new Promise((done) => inner.listen(0, "127.0.0.1", done));
  const pass = (req, res) => {
    const up = request({ host: "127.0.0.1", port: inner.address().port, path: req.url, method: req.method, headers: req.headers }, (r) => {
      res.writeHead(r.statusCode, r.headers);
      r.pipe(res);
    });
    up.on("error", () => res.destroy());
    req.pipe(up);
  };
  const outer = createServer(async (req, res) => {
    const url = new URL(req.url, "http://localhost");
    const json = (value) => res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (url.pathname === "/api/v1/timeline") return json(timeline(url.searchParams));
    if (url.pathname === "/api/v1/operations") return json({ items: [], next: null });
    if (url.pathname === "/api/v1/stream") return res.writeHead(200, { "content-type": "text/event-stream" }).write(": quiet\n\n");
    if (url.pathname !== "/api/v1/session") return pass(req, res);
    const real = await (await fetch(`http://127.0.0.1:${inner.address().port}/api/v1/session`)).json();
    json({ ...real, kind: "file", state: "exited", live: false, first_ns: 0, last_ns: kRun, now_ns: kRun, stored: kRanks * kEach, operations: kRanks * kEach, ranks: kRanks });
  });
  await new Promise((done) => outer.listen(0, "127.0.0.1", done));
  return { base: `http://127.0.0.1:${outer.address().port}`, close: () => (outer.closeAllConnections(), outer.close(), inner.closeAllConnections(), inner.close()) };
}

// Runs before the page's own scripts: when frames came, and how long the page worked on each.
function watch_frames() {
  const native = window.requestAnimationFrame.bind(window);
  window.frames_seen = { times: [], work: [] };
  window.requestAnimationFrame = (f) => native((ms) => {
    const begin = performance.now();
    f(ms);
    window.frames_seen.work.push(performance.now() - begin);
  });
  const tick = (ms) => (window.frames_seen.times.push(ms), native(tick));
  native(tick);
}

async function measure(page, act) {
  await page.evaluate(() => (window.frames_seen.times.length = window.frames_seen.work.length = 0));
  await act();
  const { times, work } = await page.evaluate(() => window.frames_seen);
  const at = (list, share) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))] ?? null;
  const gaps = times.slice(1).map((t, i) => t - times[i]);
  const seconds = (times[times.length - 1] - times[0]) / 1000;
  const round = (v) => (v === null ? null : Math.round(v * 100) / 100);
  return {
    fps: round(gaps.length / seconds), frame_p50_ms: round(at(gaps, 0.5)), frame_p99_ms: round(at(gaps, 0.99)),
    work_p50_ms: round(at(work, 0.5)), work_p99_ms: round(at(work, 0.99)), frames: gaps.length,
  };
}

async function drag(page, box, seconds) {
  const y = box.y + box.height / 2;
  const end = Date.now() + seconds * 1000;
  for (let way = -1; Date.now() < end; way = -way) {
    const from = box.x + box.width * (way < 0 ? 0.85 : 0.15);
    await page.mouse.move(from, y);
    await page.mouse.down();
    for (let i = 1; i <= 60 && Date.now() < end; ++i) await page.mouse.move(from + way * i * (box.width * 0.7 / 60), y);
    await page.mouse.up();
  }
}

async function main() {
  const own = process.env.PEERSCOPE_URL ? null : await serve();
  const base = process.env.PEERSCOPE_URL ?? own.base;
  const session = await (await fetch(`${base}/api/v1/session`)).json();
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.addInitScript(watch_frames);
  const middle = Math.floor((session.first_ns + session.last_ns) / 2);
  const result = { operations: session.stored, results: {} };
  for (const [name, span] of [["100 s", 100e9], ["1 s", 1e9], ["20 ms", 20e6]]) {
    await page.goto("about:blank");
    await page.goto(`${base}/#/timeline?table=0&at=${middle}..${middle + span}`);
    await page.waitForSelector("canvas[tabindex]");
    await page.waitForTimeout(1500);
    const box = await page.locator("canvas[tabindex]").boundingBox();
    result.results[`still, ${name}`] = await measure(page, () => page.waitForTimeout(1500));
    result.results[`drag, ${name}`] = await measure(page, () => drag(page, box, 4));
    result.results[`zoom, ${name}`] = await measure(page, async () => {
      await page.mouse.move(box.x + box.width / 2, box.y + 20);
      for (let i = 0; i < 60; ++i) await page.mouse.wheel(0, i < 30 ? -60 : 60);
    });
  }
  await browser.close();
  own?.close();
  console.log(JSON.stringify(result, null, 2));
  const least = Number(process.env.FPS_LEAST ?? 0);
  const worst = Math.min(...Object.entries(result.results).filter(([n]) => n.startsWith("drag")).map(([, r]) => r.fps));
  if (worst < least) {
    console.error(`${worst} frames a second while dragging; ${least} were asked for.`);
    process.exitCode = 1;
  }
}
await main();
