// Serves the built page and a made-up run, by the contract: node mock/server.mjs [--port 8899] [--token SECRET] [--hang]
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { communicator_rows, devices, operation_rows, overview, pair_rows, processes, rank_rows } from "./figures.mjs";
import { links, topology } from "./graph.mjs";
import { Alerts, errors, event, findings, health, in_flight } from "./happenings.mjs";
import { benchmark, benchmarks, compare_benchmarks, compare_profiles, profile, profiles, stretch } from "./results.mjs";
import { change, settings } from "./settings.mjs";
import { aggregates, filter_of, first_ns, heat_map, list_collectives, list_operations, percentiles, range, timeline, trace } from "./stored.mjs";
import { operations } from "./world.mjs";

const root = fileURLToPath(new URL("../dist", import.meta.url));
const contract = fileURLToPath(new URL("../../src/http/api/openapi.json", import.meta.url));
const kAge = 180e9; // the run is that old when the server starts
const kPolicy = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const kTypes = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".json": "application/json" };

export function make_server({ token = "", hang = false, started = Date.now() } = {}) {
  const start_ms = started - kAge / 1e6;
  const now_of = () => (performance.timeOrigin + performance.now() - start_ms) * 1e6;
  const real_of = (t_ns) => new Date(start_ms + t_ns / 1e6).toISOString();
  const alerts = new Alerts(real_of);
  const state = { hang: hang ? kAge - 12e9 : null, requests: 0, refused: 0, streams: new Set() };
  const happened = (now) => Math.floor((now - 4e6) / 1e9); // the latest event's id
  const events_between = (low, high) => Array.from({ length: Math.max(0, high - low) }, (_, i) => event(low + 1 + i, real_of));

  const session = (now) => ({
    id: "host-a.4101", kind: "live", name: "host-a · llama-70b tp4", state: "live", live: true, start: real_of(0), start_unix_ns: `${Math.round(start_ms)}000000`, now_ns: Math.floor(now), first_ns: first_ns(now),
    last_ns: Math.floor(now), operations: Math.floor((now / 1e9) * 500), stored: Math.floor(((now - first_ns(now)) / 1e9) * 500), indexed_share: 1,
    processes: processes(now).map((p) => ({ ...p, started: real_of(0), last_sign: real_of(now) })), ranks: 4, overhead_fraction: 0.0041, overhead_budget: 0.01, lost: 0, dropped: 0,
    delivered: Math.floor((now / 1e9) * 500), trace: null, version: "0.0.0-mock",
  });
  const list_events = (q, now) => {
    const order = ["trace", "debug", "info", "warning", "error", "critical"];
    const least = Math.max(0, order.indexOf(q.get("severity") ?? "trace"));
    const limit = Number(q.get("limit") ?? 100);
    const newest = q.has("cursor") ? Number(q.get("cursor")) : happened(now);
    const all = events_between(Math.max(0, newest - 600), newest).reverse().filter((e) => order.indexOf(e.severity) >= least && (!q.get("kind") || e.kind === q.get("kind")) && (!q.get("text") || e.text.toLowerCase().includes(q.get("text").toLowerCase())));
    return { items: all.slice(0, limit), next: all.length > limit ? String(all[limit].id) : null };
  };
  const fresh = (q, now) => overview(q.get("window") ?? "10s", now, Number(q.get("history") ?? 0), health(findings(now, state.hang)), in_flight(now, state.hang).length);
  const window = (q) => q.get("window") ?? "10s";
  const exports = [["csv", "csv", "Operations, one a line"], ["jsonl", "jsonl", "Operations, one JSON object a line"], ["perfetto", "pftrace", "For ui.perfetto.dev"], ["chrome", "json", "Chrome's trace format, with Kineto's arguments"]];

  const gets = {
    "/api/v1/health": () => ({ status: "ok", version: "0.0.0-mock", kind: "live", session: "host-a.4101", uptime_s: (now_of() - kAge) / 1e9, token_needed: token !== "", authorized: true, streams: state.streams.size, requests: state.requests, refused: state.refused, indexed_share: 1, memory_bytes: process.memoryUsage().rss }),
    "/api/v1/openapi.json": async () => JSON.parse(await readFile(contract, "utf8")),
    "/api/v1/session": (q, now) => session(now),
    "/api/v1/overview": fresh,
    "/api/v1/snapshot": (q, now) => ({ overview: fresh(q, now), ranks: rank_rows("10s", now) }),
    "/api/v1/findings": (q, now) => ({ items: findings(now, state.hang) }),
    "/api/v1/operation-stats": (q, now) => ({ items: operation_rows(window(q), now) }),
    "/api/v1/ranks": (q, now) => ({ items: rank_rows(window(q), now) }),
    "/api/v1/pairs": (q, now) => ({ items: pair_rows(window(q), now) }),
    "/api/v1/communicators": (q, now) => ({ items: communicator_rows(window(q), now) }),
    "/api/v1/devices": (q, now) => devices(now),
    "/api/v1/links": (q, now) => ({ items: links(window(q), now) }),
    "/api/v1/topology": (q, now) => topology(window(q), now, [{ ...event(3, real_of), severity: "warning", kind: "link", text: "PCIe link of GPU 1 came up x4; before it was x16.", device: 1 }]),
    "/api/v1/operations": list_operations,
    "/api/v1/collectives": list_collectives,
    "/api/v1/aggregates": aggregates,
    "/api/v1/percentiles": percentiles,
    "/api/v1/heatmap": heat_map,
    "/api/v1/timeline": timeline,
    "/api/v1/events": list_events,
    "/api/v1/errors": (q, now) => errors(now, real_of),
    "/api/v1/in-flight": (q, now) => ({ items: in_flight(now, state.hang) }),
    "/api/v1/alerts": (q, now) => alerts.state(now),
    "/api/v1/alerts/history": (q, now) => {
      const at = Number(q.get("cursor") ?? 0);
      const limit = Number(q.get("limit") ?? 100);
      const all = alerts.history(now);
      return { items: all.slice(at, at + limit), next: at + limit < all.length ? String(at + limit) : null };
    },
    "/api/v1/profiles": (q, now) => profiles(now),
    "/api/v1/profile": (q, now) => {
      const r = q.has("name") ? stretch(q.get("name"), now) : { ...range(q, now), title: "the chosen range" };
      return r ? profile({ ...r, from: Math.floor(r.from), to: Math.floor(r.to) }, now) : null;
    },
    "/api/v1/profile/compare": (q, now) => {
      const [a, b] = [stretch(q.get("a"), now), stretch(q.get("b"), now)];
      return a && b ? compare_profiles(a, b) : null;
    },
    "/api/v1/benchmarks": benchmarks,
    "/api/v1/benchmarks/compare": (q) => compare_benchmarks(q.get("base"), q.get("new")),
    "/api/v1/config": () => ({ items: settings }),
    "/api/v1/exports": () => ({ items: exports.map(([name, extension, summary]) => ({ name, extension, summary })) }),
  };

  function send(res, status, body, type = "application/json", more = {}) {
    const text = body === undefined ? "" : type === "application/json" ? JSON.stringify(body) : body;
    res.writeHead(status, { "content-type": type, "content-security-policy": kPolicy, "x-content-type-options": "nosniff", "cache-control": "no-cache", ...more });
    res.end(text);
  }
  const fail = (res, status, code, message) => send(res, status, { error: { code, message } });

  async function body_of(req) {
    let text = "";
    for await (const piece of req) text += piece;
    return JSON.parse(text);
  }
  function authorized(req) {
    return token === "" || req.headers.authorization === `Bearer ${token}` || (req.headers.cookie ?? "").split(/;\s*/).includes(`peerscope_token=${encodeURIComponent(token)}`);
  }

  async function write(req, res, path) {
    if (req.method === "POST" && path === "/api/v1/alerts/silences") {
      const body = await body_of(req);
      if (!body.matchers?.length || !(body.duration_s > 0)) return fail(res, 400, "bad_request", "A silence needs at least one condition and a duration above 0.");
      const silence = alerts.silence(body);
      push_alerts();
      return send(res, 201, silence);
    }
    if (req.method === "DELETE" && path.startsWith("/api/v1/alerts/silences/")) {
      if (!alerts.end(decodeURIComponent(path.split("/").pop()))) return fail(res, 404, "not_found", "There is no such silence: it may have ended.");
      push_alerts();
      return send(res, 204);
    }
    if (req.method === "PATCH" && path === "/api/v1/config") {
      const changes = Object.entries(await body_of(req)).map(([name, value]) => change(name, value));
      const wrong = changes.find((c) => c.error);
      if (wrong) return fail(res, 400, "bad_request", wrong.error);
      for (const c of changes) settings[c.at] = c.setting;
      return send(res, 200, { items: settings });
    }
    return fail(res, 405, "method_not_allowed", `${req.method} is not for ${path}.`);
  }

  async function file(res, path) {
    const inside = normalize(path === "/" ? "/index.html" : path);
    try {
      const data = await readFile(join(root, inside));
      send(res, 200, data, kTypes[extname(inside)] ?? "application/octet-stream", inside.startsWith("/assets/") ? { "cache-control": "public, max-age=31536000, immutable" } : {});
    } catch {
      fail(res, 404, "not_found", "There is no such page. Was the dashboard built (npm run build)?");
    }
  }

  async function answer(req, res) {
    const { pathname, searchParams: q } = new URL(req.url, "http://local");
    const path = decodeURIComponent(pathname);
    state.requests += 1;
    if (!path.startsWith("/api/") && path !== "/metrics") return file(res, path);
    if (path === "/api/v1/login" && req.method === "POST") {
      const body = await body_of(req);
      if (body.token !== token) return fail(res, 401, "unauthorized", "This is not the token. It is in the file that --token-file names.");
      return send(res, 204, undefined, "application/json", { "set-cookie": `peerscope_token=${encodeURIComponent(token)}; HttpOnly; SameSite=Strict; Path=/` });
    }
    if (path === "/api/v1/logout") return send(res, 204, undefined, "application/json", { "set-cookie": "peerscope_token=; Max-Age=0; Path=/" });
    if (path !== "/api/v1/health" && !authorized(req)) return fail(res, 401, "unauthorized", "This server needs its token.");
    if (path === "/api/v1/stream") return stream(req, res, q);
    if (path === "/metrics") return send(res, 200, "# EOF\n", "application/openmetrics-text; version=1.0.0");
    if (req.method !== "GET") return write(req, res, path);
    const now = now_of();
    const one = /^\/api\/v1\/collectives\/([^/]+)\/([^/]+)\/(\d+)$/.exec(path);
    if (one) return found(res, trace(one[1], one[2], Number(one[3])));
    const bench = /^\/api\/v1\/benchmarks\/([^/]+)$/.exec(path);
    if (bench && !gets[path]) return found(res, benchmark(bench[1]));
    if (path.startsWith("/api/v1/exports/")) return send(res, 200, export_text(q, now), "application/octet-stream", { "content-disposition": `attachment; filename="peerscope.${path.split("/").pop()}"` });
    return gets[path] ? found(res, await gets[path](q, now)) : fail(res, 404, "not_found", `There is no ${path}; GET /api/v1/openapi.json lists what there is.`);
  }
  const found = (res, value) => (value ? send(res, 200, value) : fail(res, 404, "not_found", "There is no such thing (any more)."));
  function export_text(q, now) {
    const { from, to } = range(q, now);
    return ["begin_ns,rank,operation,bytes,host_ns", ...[...operations(from, to, filter_of(q))].map((op) => [op.begin_ns, op.rank, op.operation, op.bytes, op.host_ns].join(","))].join("\n");
  }

  function stream(req, res, q) {
    res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store", "content-security-policy": kPolicy });
    const topics = q.get("topics")?.split(",") ?? ["overview", "findings", "alerts", "events", "in_flight", "session"];
    const client = { res, topics: new Set(topics), seen: req.headers["last-event-id"] ? Number(req.headers["last-event-id"]) : happened(now_of()) };
    res.write(": hello\n\n");
    state.streams.add(client);
    req.on("close", () => state.streams.delete(client));
  }
  function push(client, topic, data, id) {
    if (client.topics.has(topic)) client.res.write(`${id === undefined ? "" : `id: ${id}\n`}event: ${topic}\ndata: ${JSON.stringify(data)}\n\n`);
  }
  function push_alerts() {
    for (const client of state.streams) push(client, "alerts", alerts.state(now_of()));
  }
  let beat = 0;
  function tick() {
    if (state.streams.size === 0) return;
    const now = now_of();
    const q = new URLSearchParams();
    const slow = beat++ % 4 === 0;
    const fast = { overview: fresh(q, now), ranks: { items: rank_rows("10s", now) }, pairs: { items: pair_rows("10s", now) }, operation_stats: { items: operation_rows("10s", now) }, in_flight: { items: in_flight(now, state.hang) } };
    const rest = slow ? { session: session(now), devices: devices(now), alerts: alerts.state(now), findings: { items: findings(now, state.hang) } } : {};
    for (const [topic, data] of Object.entries({ ...fast, ...rest })) {
      const message = `event: ${topic}\ndata: ${JSON.stringify(data)}\n\n`;
      for (const client of state.streams) if (client.topics.has(topic)) client.res.write(message);
    }
  }
  function tick_events() {
    const newest = happened(now_of());
    for (const client of state.streams) {
      if (client.seen >= newest) continue;
      push(client, "events", { items: events_between(client.seen, newest) }, newest);
      client.seen = newest;
    }
  }

  const timers = [setInterval(tick, 250), setInterval(tick_events, 20)];
  const server = createServer((req, res) => answer(req, res).catch((error) => fail(res, 500, "internal", String(error))));
  server.on("close", () => timers.forEach(clearInterval));
  return server;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined);
  const server = make_server({ token: option("--token") ?? "", hang: process.argv.includes("--hang") });
  server.listen(Number(option("--port") ?? 8899), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
}
