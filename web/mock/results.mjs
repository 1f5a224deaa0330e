// Benchmark files and profiles in the shape of `--json`, of made-up figures.
import { chance, distribution, kComm, operations } from "./world.mjs";
import { operation_rows, pair_rows, rank_rows } from "./figures.mjs";

const kFiles = [
  { id: "2026-11-26-all_reduce", name: "all_reduce after driver update", created: "2026-11-26T09:12:44Z", gain: 1.06 },
  { id: "2026-11-20-all_reduce", name: "all_reduce baseline", created: "2026-11-20T15:02:10Z", gain: 1 },
  { id: "2026-11-12-all_reduce", name: "all_reduce first run", created: "2026-11-12T08:30:00Z", gain: 0.97 },
];
const machine = { text: "host-a: 4 × Example GPU 80GB, NVLink", fingerprint: "9c1e04aa" };
const command = "peerscope bench all_reduce -b 1K -e 256M -f 2 -n 50 --json";

function row(file, bytes, algorithm, backend) {
  const start = algorithm === "ring" ? 26 : 9;
  const bw = algorithm === "ring" ? 168 : 61;
  const us = (start + bytes / (bw * 1e3)) / (bytes > 65536 ? file.gain : 1);
  const samples_us = Array.from({ length: 30 }, (_, i) => us * (0.985 + 0.05 * chance(bytes, i, algorithm.length + file.created.charCodeAt(9)) ** 3));
  const d = distribution(samples_us);
  const algbw_gbs = bytes / (d.p50_ns * 1e3);
  return {
    time_us: d.p50_ns, min_us: d.min_ns, max_us: d.max_ns, mad_us: us * 0.01, ci_low_us: d.p50_low_ns, ci_high_us: d.p50_high_ns, samples: 30, warm_up: 5, outliers: 0,
    device_us: backend === "cuda" ? d.p50_ns * 0.95 : null, algbw_gbs, busbw_gbs: algbw_gbs * 1.5, wrong: 0, checked: bytes / 2, samples_us, bytes, count: bytes / 2, operation: "all_reduce",
    algorithm, backend, dtype: "f16", redop: "sum", root: -1, ranks: 4, graph: false, in_place: null,
  };
}
const kSizes = Array.from({ length: 19 }, (_, i) => 1024 * 2 ** i);
const rows_of = (file) => kSizes.flatMap((bytes) => [row(file, bytes, "direct", "cuda"), row(file, bytes, "ring", "nccl")]);

export const benchmarks = () => ({ items: kFiles.map((f) => ({ id: f.id, name: f.name, created: f.created, command, machine: machine.text, fingerprint: machine.fingerprint, rows: kSizes.length * 2 })) });
export function benchmark(id) {
  const file = kFiles.find((f) => f.id === id);
  return file ? { command, created: file.created, machine, skipped: [], ceilings: [{ backend: "cuda", text: "NVLink, one direction", gbs: 225 }], rows: rows_of(file) } : null;
}
export function compare_benchmarks(base, next) {
  const [a, b] = [benchmark(base), benchmark(next)];
  if (!a || !b) return null;
  const rows = a.rows.map((before, i) => {
    const after = b.rows[i];
    const ratio = after.time_us / before.time_us;
    const verdict = Math.abs(ratio - 1) < 0.02 ? "inconclusive" : ratio < 1 ? "faster" : "slower";
    return { key: `all_reduce ${before.algorithm} ${before.backend} f16 sum 4 ranks`, bytes: before.bytes, baseline_us: before.time_us, new_us: after.time_us, ratio, ratio_low: ratio * 0.99, ratio_high: ratio * 1.01, p: verdict === "inconclusive" ? 0.31 : 0.0004, delta: ratio - 1, verdict };
  });
  const number = (v) => rows.filter((r) => r.verdict === v).length;
  return { threshold: 0.05, compared: rows.length, slower: number("slower"), faster: number("faster"), inconclusive: number("inconclusive"), only_in_baseline: [], only_in_new: [], rows };
}

export const profiles = (now) => ({
  items: [
    { name: "warm-up", count: 1, total_s: 20, open: false, first_ns: Math.floor(Math.max(0, now - 170e9)), last_ns: Math.floor(Math.max(0, now - 150e9)) },
    { name: "prefill", count: 12, total_s: 14.4, open: false, first_ns: Math.floor(Math.max(0, now - 140e9)), last_ns: Math.floor(Math.max(0, now - 60e9)) },
    { name: "decode", count: 12, total_s: 41.2, open: true, first_ns: Math.floor(Math.max(0, now - 60e9)), last_ns: Math.floor(now) },
  ],
});
export function stretch(text, now) {
  const session = profiles(now).items.find((p) => p.name === text);
  if (session) return { from: session.first_ns, to: session.last_ns, title: text };
  const match = /^(\d+)\.\.(\d+)$/.exec(text ?? "");
  return match ? { from: Number(match[1]), to: Number(match[2]), title: text } : null;
}

export function profile(range, now) {
  const ops = operation_rows("10s", now);
  const ranks = rank_rows("10s", now);
  const total = ranks.reduce((s, r) => s + r.communication_ns, 0);
  const waiting = ranks.reduce((s, r) => s + r.wait_ns, 0);
  const counts = (r) => ({ count: r.count, bytes: r.bytes, errors: r.errors });
  return {
    title: range.title, source: "the live session", from_ns: range.from, to_ns: range.to, covered_ns: range.to - range.from, spans: 1,
    totals: { operations: ops.reduce((s, r) => s + r.count, 0), bytes: ops.reduce((s, r) => s + r.bytes, 0), errors: 0, collectives: ranks[0].collectives, incomplete: 0, mismatched: 0 },
    operations: ops.map((r) => ({ ...counts(r), operation: r.operation, algorithm: r.algorithm, size_bytes: r.size_bytes, asynchronous: false, ranks: 4, host: r.host, device: r.device, algbw_gbs: r.algbw_gbs, busbw_gbs: r.busbw_gbs, bandwidth_clock: r.bandwidth_clock, transfer_host: r.transfer, skew_host: r.skew, transfer_device: r.device_transfer, wait_device: null })),
    pairs: pair_rows("10s", now).map((p) => ({ ...counts(p), operation: "send", algorithm: "direct", size_bytes: 1048576, asynchronous: false, ranks: null, host: null, device: null, algbw_gbs: p.bandwidth_gbs, busbw_gbs: p.bandwidth_gbs, bandwidth_clock: "device", communicator: kComm.name, from: p.from, to: p.to, recorded_by: "sender" })),
    split: { communication_host_ns: total, waiting_host_ns: waiting, waiting_share: waiting / total, transfer_device_ns: null, wait_device_ns: null, device_waiting_share: null },
    patterns: {
      pairs: [], sizes: ops.map((r) => ({ ...counts(r), size_bytes: r.size_bytes })), call_sites: [{ operation: "all_reduce", site: "exllamav3/model/model_tp.py:118", count: 4811 }],
      period: { found: true, operations: 12, period_ns: 60e6, period_mad_ns: 0.4e6, confidence: 0.97, iterations_seen: 140, operations_looked_at: 1680, basis: "operations of rank 0", why_not: null },
      phases: { kinds: [{ label: "small messages", stretches: 3, operations: 4000, bytes: 65e6, span_ns: 8e9, operations_per_s: 500, bytes_per_s: 8e6 }], stretches: [], slice_ns: 1e8 },
      overlap: { clock: null, communication_ns: null, compute_ns: null, exposed_ns: null, exposed_share: null, concurrent_share: null, why_unknown: "Nothing recorded compute." },
    },
    ranks: ranks.map((r) => ({ ...counts(r), communicator: kComm.name, rank: r.rank, wait_share: r.waiting_share, waited_for_share: r.waited_for_ns / (total / 4) })),
    pools: [], machine: null, notes: ["Device times cover every operation."], other_sessions: [],
  };
}

export function compare_profiles(a, b) {
  const rows = ["all_reduce", "all_gather", "reduce_scatter"].map((operation) => {
    const take = (r) => [...operations(r.from, Math.min(r.to, r.from + 20e9), (op) => op.operation === operation && op.rank === 2)].map((op) => op.host_ns);
    const d = [distribution(take(a)), distribution(take(b))];
    const known = d[0] && d[1];
    const ratio = known ? Math.max(d[0].p50_ns, d[1].p50_ns) / Math.min(d[0].p50_ns, d[1].p50_ns) : null;
    const wins = known && ratio > 1.05 ? (d[0].p50_ns < d[1].p50_ns ? 0 : 1) : null;
    const names = [a.title, b.title];
    return {
      operation, size_bytes: { all_reduce: 16384, all_gather: 65536, reduce_scatter: 1048576 }[operation], ranks: 4, clock: "host", noise_floor: 0.01,
      winner: wins === null ? null : names[wins], verdict: wins === null ? "inconclusive" : "winner", speedup: wins === null ? null : ratio,
      why: wins === null ? "The intervals overlap: no difference that can be told." : "The rank test sees a difference and the interval leaves 1 out.",
      groups: d.map((x, i) => ({ name: names[i], operations: x?.count ?? 0, samples: x?.count ?? 0, samples_of: x?.count ?? 0, mean_bytes: 0, median_ns: x?.p50_ns ?? null, median_low_ns: x?.p50_low_ns ?? null, median_high_ns: x?.p50_high_ns ?? null, drift: false, with: [] })),
      pairs: [{ faster: names[wins ?? 0], slower: names[1 - (wins ?? 0)], ratio, ratio_low: ratio && ratio * 0.99, ratio_high: ratio && ratio * 1.01, p: wins === null ? 0.4 : 0.0001, p_adjusted: wins === null ? 0.8 : 0.0003, delta: 0.1, significant: wins !== null, doubt: null }],
    };
  });
  return { by: "session", groups: [a.title, b.title].map((name) => ({ name, wins: rows.filter((r) => r.winner === name).length })), rows, undecided: rows.filter((r) => !r.winner).length, alone: [] };
}
