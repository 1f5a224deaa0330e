// A made-up run, computed from the time alone: 4 ranks, rank 2 arrives late, 1→3 is slow, sometimes a send fails.
// Only for developing and testing the page; nothing here was measured.
export const kComm = { id: "5f3a9c01b2d4e687", name: "tp" };
export const kPids = [4101, 4102, 4103, 4104];
export const kLateSince = 60e9;
export const kKept = 90e9; // ns of single operations that can be asked for
const kSlow = { from: 1, to: 3 };

// A number in [0, 1) that depends on its arguments alone.
export function chance(a, b = 0, c = 0) {
  let x = (Math.imul(a | 0, 0x9e3779b1) ^ Math.imul((b | 0) + 0x7f4a7c15, 0x85ebca6b) ^ Math.imul((c | 0) + 0x165667b1, 0xc2b2ae35)) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) >>> 0;
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39) >>> 0;
  return ((x ^ (x >>> 15)) >>> 0) / 4294967296;
}
const tail = (u) => -Math.log(1 - u * 0.9995);

export const kCollectives = [
  { operation: "all_reduce", algorithm: "direct", bytes: 16384, every: 20e6, transfer: 12_300 },
  { operation: "all_gather", algorithm: "ring", bytes: 65536, every: 40e6, transfer: 22_800 },
  { operation: "reduce_scatter", algorithm: "ring", bytes: 1048576, every: 50e6, transfer: 61_000 },
];

export function collective(kind, sequence) {
  const spec = kCollectives[kind];
  const base = Math.floor(sequence * spec.every + kind * 1.7e6);
  const late = base > kLateSince ? 150_000 + 60_000 * chance(sequence, kind, 9) + 12_000 * tail(chance(sequence, kind, 8)) : 0;
  const arrivals = [0, 1, 2, 3].map((r) => Math.floor(base + 1500 * tail(chance(sequence, kind, r)) + (r === 2 ? late : 0)));
  const first = Math.min(...arrivals);
  const last = Math.max(...arrivals);
  const transfer = Math.floor(spec.transfer * (0.94 + 0.1 * tail(chance(sequence, kind, 5))));
  return { ...spec, kind, sequence, arrivals, first, last, transfer, end: last + transfer, last_rank: arrivals.indexOf(last) };
}

function ranks_of(c) {
  return c.arrivals.map((at, rank) => ({
    begin_ns: at, host_ns: c.end - at, device_begin_ns: at + 1100, device_ns: Math.max(1000, c.end - at - 1100),
    operation: c.operation, algorithm: c.algorithm, protocol: "simple", dtype: "f16", status: "ok", backend: "peer",
    bytes: c.bytes, sequence: c.sequence, communicator: kComm.name, communicator_id: kComm.id, rank, peer: null,
    device: rank, stream: 7, channel: 0, pid: kPids[rank], thread: 0, weight: 1, async: false, device_only: false,
  }));
}

function send(n) {
  const pair = n % 12;
  const from = Math.floor(pair / 3);
  const to = (from + 1 + (pair % 3)) % 4;
  const slow = from === kSlow.from && to === kSlow.to;
  const bytes = 1048576;
  const ns = Math.floor(bytes / (slow ? 6.1 : 23.6 + chance(from, to, 3)) * (0.97 + 0.05 * tail(chance(n, 4, 2))));
  const failed = n % 2399 === 7;
  return {
    begin_ns: Math.floor(n * (100e6 / 12) + 3.1e6), host_ns: ns + 900, device_begin_ns: Math.floor(n * (100e6 / 12) + 3.1e6) + 800,
    device_ns: ns, operation: "send", algorithm: "direct", protocol: "simple", dtype: "u8", status: failed ? "timeout" : "ok", backend: "peer",
    bytes, sequence: n, communicator: kComm.name, communicator_id: kComm.id, rank: from, peer: to, device: from, stream: 9,
    channel: 0, pid: kPids[from], thread: 0, weight: 1, async: false, device_only: false,
  };
}

const seconds = new Map();

// The operations that begin in one second, the earliest first.
export function second(s) {
  const had = seconds.get(s);
  if (had) return had;
  const ops = [];
  const [from, to] = [s * 1e9, (s + 1) * 1e9];
  kCollectives.forEach((spec, kind) => {
    for (let n = Math.max(0, Math.floor(from / spec.every) - 1); n <= to / spec.every; ++n) {
      for (const op of ranks_of(collective(kind, n))) if (op.begin_ns >= from && op.begin_ns < to) ops.push(op);
    }
  });
  for (let n = Math.max(0, Math.floor(from / (100e6 / 12)) - 1); n <= to / (100e6 / 12); ++n) {
    const op = send(n);
    if (op.begin_ns >= from && op.begin_ns < to) ops.push(op);
  }
  ops.sort((a, b) => a.begin_ns - b.begin_ns || a.rank - b.rank);
  seconds.set(s, ops);
  if (seconds.size > 320) seconds.delete(seconds.keys().next().value);
  return ops;
}

export function* operations(from, to, filter = () => true) {
  for (let s = Math.max(0, Math.floor(from / 1e9)); s * 1e9 < to; ++s) {
    for (const op of second(s)) {
      if (op.begin_ns >= from && op.begin_ns < to && filter(op)) yield op;
    }
  }
}

export function* collectives(from, to) {
  const all = [];
  kCollectives.forEach((spec, kind) => {
    for (let n = Math.max(0, Math.floor(from / spec.every) - 1); n <= to / spec.every; ++n) {
      const c = collective(kind, n);
      if (c.first >= from && c.first < to) all.push(c);
    }
  });
  yield* all.sort((a, b) => a.first - b.first);
}

export function distribution(values) {
  if (values.length === 0) return null;
  const v = Float64Array.from(values).sort();
  const at = (q) => v[Math.min(v.length - 1, Math.floor(q * v.length))];
  let sum = 0;
  for (const x of v) sum += x;
  const half = (1.96 * Math.sqrt(v.length)) / 2 / v.length;
  return {
    count: v.length, mean_ns: sum / v.length, p50_ns: at(0.5), p90_ns: at(0.9), p99_ns: at(0.99), p999_ns: at(0.999), min_ns: v[0],
    max_ns: v[v.length - 1], p50_low_ns: at(Math.max(0, 0.5 - half)), p50_high_ns: at(Math.min(0.9999, 0.5 + half)),
  };
}
