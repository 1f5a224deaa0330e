// Questions about stored operations: pages, aggregates, percentiles, heat map, timeline, one collective.
import { collective, collectives, distribution, kCollectives, kComm, kKept, operations } from "./world.mjs";

const number = (q, name) => (q.has(name) ? Number(q.get(name)) : null);
export const first_ns = (now) => Math.max(0, Math.floor((now - kKept) / 1e9) * 1e9);

export function range(q, now) {
  const from = Math.max(first_ns(now), number(q, "from") ?? 0);
  return { from, to: Math.max(from, Math.min(number(q, "to") ?? now, now)) };
}
export function filter_of(q) {
  const wanted = q.get("operation")?.split(",");
  const comm = q.get("communicator");
  const [rank, peer, device, pid] = ["rank", "peer", "device", "pid"].map((n) => number(q, n));
  const [least, most] = [number(q, "min_bytes") ?? 0, number(q, "max_bytes") ?? Infinity];
  const status = q.get("status");
  return (op) => (!wanted || wanted.includes(op.operation)) && (comm === null || comm === op.communicator || comm === op.communicator_id) &&
    (rank === null || rank === op.rank) && (peer === null || peer === op.peer) && (device === null || device === op.device) && (pid === null || pid === op.pid) &&
    op.bytes >= least && op.bytes <= most && (status === null || (status === "error") === (op.status !== "ok"));
}

function page(all, q, key) {
  const limit = Math.min(10_000, number(q, "limit") ?? 100);
  const newest = q.get("order") === "newest";
  const list = newest ? all.reverse() : all;
  const cursor = q.get("cursor");
  const [at, skip] = cursor ? cursor.split(".").map(Number) : [null, 0];
  let begin = 0;
  if (at !== null) {
    begin = list.findIndex((x) => (newest ? key(x) <= at : key(x) >= at));
    if (begin < 0) begin = list.length;
    begin += skip;
  }
  const items = list.slice(begin, begin + limit);
  if (begin + limit >= list.length) return { items, next: null };
  const next_at = key(list[begin + limit]);
  let same = 0;
  while (begin + limit - 1 - same >= 0 && key(list[begin + limit - 1 - same]) === next_at) ++same;
  return { items, next: `${next_at}.${same}` };
}

export function list_operations(q, now) {
  const { from, to } = range(q, now);
  const out = page([...operations(from, to, filter_of(q))], q, (op) => op.begin_ns);
  const fields = q.get("fields")?.split(",");
  if (fields) out.items = out.items.map((op) => Object.fromEntries(fields.filter((f) => f in op).map((f) => [f, op[f]])));
  return out;
}

export function list_collectives(q, now) {
  const { from, to } = range(q, now);
  const keep = filter_of(new URLSearchParams([...q].filter(([k]) => !["rank", "peer", "device", "pid", "status"].includes(k))));
  const all = [...collectives(from, to)].map((c) => ({
    communicator: kComm.name, communicator_id: kComm.id, sequence: c.sequence, operation: c.operation, algorithm: c.algorithm, bytes: c.bytes, ranks: 4, seen: 4,
    first_ns: c.first, last_ns: c.last, end_ns: c.end, skew_ns: c.last - c.first, transfer_ns: c.transfer, device_transfer_ns: c.transfer - 700, device_wait_ns: null,
    last_rank: c.last_rank, async: false, error: false,
  })).filter((c) => keep(c) && q.get("status") !== "error");
  return page(all, q, (c) => c.first_ns);
}

export function trace(comm, operation, sequence) {
  const kind = kCollectives.findIndex((c) => c.operation === operation);
  if (comm !== kComm.id || kind < 0) return null;
  const c = collective(kind, sequence);
  const ranks = c.arrivals.map((at, rank) => ({
    rank, arrived_ns: at - c.first, host_ns: c.end - at, left_ns: c.end - c.first, waited_ns: c.last - at, completed_ns: c.end - c.first, odd: false, status: "ok",
    bytes: c.bytes, operation, device_index: rank, device: [{ begin_ns: at - c.first + 1100, duration_ns: c.end - at - 1100, channel: 0, stream: 7 }],
    phases: [{ phase: "wait", begin_ns: at - c.first, duration_ns: c.last - at }, { phase: "transfer", begin_ns: c.last - c.first, duration_ns: c.transfer }],
  }));
  const moves = [];
  for (let round = 0; round < 3; ++round) for (let r = 0; r < 4; ++r) moves.push({ round, from: r, to: (r + round + 1) % 4, block: r, bytes: c.bytes / 4, phase: "exchange" });
  return {
    operation, algorithm: c.algorithm, communicator: kComm.name, sequence, bytes: c.bytes, first_arrival_ns: c.first, skew_host_ns: c.last - c.first,
    transfer_host_ns: c.transfer, transfer_device_ns: c.transfer - 700, wait_device_ns: null, complete: true, missing: [], mismatch: null, ranks, transfers: [], moves, plan_unknown: null,
  };
}

const keys = {
  operation: (op) => op.operation, algorithm: (op) => op.algorithm, protocol: (op) => op.protocol, size: (op) => op.bytes, rank: (op) => op.rank, peer: (op) => op.peer,
  device: (op) => op.device, communicator: (op) => op.communicator, process: (op) => op.pid, backend: (op) => op.backend, status: (op) => op.status,
};
function groups(q, now) {
  const by = (q.get("by") ?? "operation").split(",").filter((k) => k in keys);
  const { from, to } = range(q, now);
  const out = new Map();
  for (const op of operations(from, to, filter_of(q))) {
    const key = Object.fromEntries(by.map((k) => [k, keys[k](op)]));
    const id = JSON.stringify(key);
    if (!out.has(id)) out.set(id, { key, ops: [] });
    out.get(id).ops.push(op);
  }
  return { from, to, list: [...out.values()] };
}

function points(ops, from, to, step) {
  const out = [];
  let i = 0;
  for (let t = from; step > 0 && t < to; t += step) {
    const mine = [];
    while (i < ops.length && ops[i].begin_ns < t + step) mine.push(ops[i++]);
    const [h, d] = [distribution(mine.map((op) => op.host_ns)), distribution(mine.map((op) => op.device_ns))];
    out.push({
      begin_ns: Math.floor(t), end_ns: Math.floor(Math.min(to, t + step)), count: mine.length, bytes: mine.reduce((s, op) => s + op.bytes, 0), errors: mine.filter((op) => op.status !== "ok").length,
      host_p50_ns: h?.p50_ns ?? null, host_p99_ns: h?.p99_ns ?? null, device_p50_ns: d?.p50_ns ?? null, device_p99_ns: d?.p99_ns ?? null,
    });
  }
  return out;
}

export function aggregates(q, now) {
  const { from, to, list } = groups(q, now);
  const wanted = number(q, "points");
  const step = wanted ? Math.max(1e6, (to - from) / wanted) : (number(q, "resolution") ?? 0);
  const limit = number(q, "limit") ?? 1000;
  const rows = list.map(({ key, ops }) => ({
    key, other: false, count: ops.length, bytes: ops.reduce((s, op) => s + op.bytes, 0), errors: ops.filter((op) => op.status !== "ok").length,
    host: distribution(ops.map((op) => op.host_ns)), device: distribution(ops.map((op) => op.device_ns)), points: points(ops, from, to, step),
  })).sort((a, b) => b.count * b.host.mean_ns - a.count * a.host.mean_ns);
  return { from_ns: Math.floor(from), to_ns: Math.floor(to), exact: true, indexed_share: 1, rows_left_out: Math.max(0, rows.length - limit), rows: rows.slice(0, limit) };
}

export function percentiles(q, now) {
  const { from, to, list } = groups(q, now);
  const clock = q.get("clock") ?? "host";
  const qs = (q.get("q") ?? "50,90,99,99.9").split(",");
  const rows = list.map(({ key, ops }) => {
    const v = ops.map((op) => op[`${clock}_ns`]).sort((a, b) => a - b);
    return { key, count: ops.length, percentiles: Object.fromEntries(qs.map((p) => [p, v[Math.min(v.length - 1, Math.floor((Number(p) / 100) * v.length))] ?? null])) };
  });
  return { from_ns: Math.floor(from), to_ns: Math.floor(to), exact: true, indexed_share: 1, clock, rows };
}

export function heat_map(q, now) {
  const { from, to } = range(q, now);
  const clock = q.get("clock") ?? "host";
  const count = Math.max(1, Math.min(number(q, "columns") ?? 200, Math.ceil((to - from) / 1e6)));
  const column_ns = Math.ceil((to - from) / count) || 1;
  const tops = [];
  for (let top = 8e3; top < 1e6; top *= 2 ** 0.25) tops.push(Math.round(top));
  const columns = Array.from({ length: count }, () => new Array(tops.length).fill(0));
  for (const op of operations(from, to, filter_of(q))) {
    const bucket = Math.max(0, tops.findIndex((top) => op[`${clock}_ns`] <= top));
    columns[Math.min(count - 1, Math.floor((op.begin_ns - from) / column_ns))][bucket] += 1;
  }
  return { from_ns: Math.floor(from), to_ns: Math.floor(to), column_ns, clock, bucket_top_ns: tops, columns };
}

export function timeline(q, now) {
  const { from, to } = range(q, now);
  const most = number(q, "max_operations") ?? 4000;
  const count = number(q, "bins") ?? 1000;
  const clock = q.get("clock") ?? "host";
  const lanes = [];
  for (let r = 0; r < 4; ++r) for (const stream of [7, 9]) lanes.push({ rank: r, pid: 4101 + r, thread: 0, stream, label: `rank ${r} · stream ${stream}` });
  const lane_of = (op) => op.rank * 2 + (op.stream === 9 ? 1 : 0);
  const [begin_of, took] = clock === "device" ? [(op) => op.device_begin_ns, (op) => op.device_ns] : [(op) => op.begin_ns, (op) => op.host_ns];
  const ops = [...operations(Math.max(0, from - 1e6), to, filter_of(q))].filter((op) => begin_of(op) + took(op) > from);
  const base = { from_ns: Math.floor(from), to_ns: Math.floor(to), bin_ns: Math.max(1, Math.ceil((to - from) / count)), indexed_share: 1, lanes };
  const bins = { lane: [], bin: [], count: [], errors: [], busy: [], operation: [] };
  if (ops.length <= most) {
    const operations = ops.map((op) => ({
      lane: lane_of(op), begin_ns: begin_of(op), duration_ns: took(op), operation: op.operation, algorithm: op.algorithm, bytes: op.bytes, sequence: op.sequence,
      communicator_id: op.communicator_id, error: op.status !== "ok",
    }));
    return { ...base, operations, bins };
  }
  const cells = new Map();
  for (const op of ops) {
    const bin = Math.max(0, Math.floor((begin_of(op) - from) / base.bin_ns));
    const key = lane_of(op) * 1e6 + bin;
    const cell = cells.get(key) ?? { lane: lane_of(op), bin, count: 0, errors: 0, busy: 0, operation: op.operation };
    cell.count += 1;
    cell.errors += op.status !== "ok" ? 1 : 0;
    cell.busy = Math.min(1, cell.busy + took(op) / base.bin_ns);
    cells.set(key, cell);
  }
  for (const [, cell] of [...cells].sort((a, b) => a[0] - b[0])) for (const name of Object.keys(bins)) bins[name].push(cell[name]);
  return { ...base, operations: [], bins };
}
