// The figures of windows, from the same operations that one can list.
import { collectives, distribution, kComm, kPids, operations } from "./world.mjs";

const kWindows = { "1s": 1e9, "10s": 10e9, "1m": 60e9, all: 90e9 };
export const window_from = (name, now) => Math.max(0, now - (kWindows[name] ?? 10e9));
const factor = { all_reduce: 1.5, all_gather: 0.75, reduce_scatter: 0.75, send: 1 };

function rates(ops, span) {
  const bytes = ops.reduce((sum, op) => sum + op.bytes, 0);
  const errors = ops.filter((op) => op.status !== "ok").length;
  return {
    count: ops.length, bytes, errors, span_ns: Math.round(span), operations_per_s: ops.length / (span / 1e9), bytes_per_s: bytes / (span / 1e9),
    mean_host_ns: ops.length ? ops.reduce((s, op) => s + op.host_ns, 0) / ops.length : null,
    mean_device_ns: ops.length ? ops.reduce((s, op) => s + op.device_ns, 0) / ops.length : null,
  };
}
function group(ops, key) {
  const out = new Map();
  for (const op of ops) {
    const k = key(op);
    if (!out.has(k)) out.set(k, []);
    out.get(k).push(op);
  }
  return [...out.values()];
}

const cache = new Map();
function cached(name, now, make) {
  const key = `${name} ${Math.floor(now / 250e6)}`;
  if (!cache.has(key)) {
    if (cache.size > 60) cache.delete(cache.keys().next().value);
    cache.set(key, make());
  }
  return cache.get(key);
}
const window_ops = (window, now) => cached(`ops ${window}`, now, () => [...operations(window_from(window, now), now)]);
const window_cols = (window, now) => cached(`cols ${window}`, now, () => [...collectives(window_from(window, now), now)]);

export const operation_rows = (window, now) => cached(`operation_rows ${window}`, now, () => make_operation_rows(window, now));

function make_operation_rows(window, now) {
  const span = now - window_from(window, now);
  const cols = window_cols(window, now);
  return group(window_ops(window, now), (op) => op.operation).map((ops) => {
    const { operation, algorithm, bytes } = ops[0];
    const mine = cols.filter((c) => c.operation === operation);
    const transfer = distribution(mine.map((c) => c.transfer));
    const p50 = transfer?.p50_ns ?? distribution(ops.map((op) => op.device_ns)).p50_ns;
    const r = rates(ops, span);
    return {
      operation, algorithm, size_bytes: bytes, other: false, ranks: 4, ...r, success_rate: (r.count - r.errors) / r.count,
      host: distribution(ops.map((op) => op.host_ns)), device: distribution(ops.map((op) => op.device_ns)), transfer,
      skew: distribution(mine.map((c) => c.last - c.first)), device_transfer: transfer, device_wait: null, algbw_gbs: bytes / p50,
      busbw_gbs: (bytes / p50) * factor[operation], bandwidth_clock: operation === "send" ? "device" : "host",
    };
  }).sort((a, b) => b.count * b.mean_host_ns - a.count * a.mean_host_ns);
}

export const rank_rows = (window, now) => cached(`rank_rows ${window}`, now, () => make_rank_rows(window, now));

function make_rank_rows(window, now) {
  const span = now - window_from(window, now);
  const ops = window_ops(window, now);
  const cols = window_cols(window, now);
  return [0, 1, 2, 3].map((rank) => {
    const mine = ops.filter((op) => op.rank === rank);
    const late = distribution(cols.map((c) => {
      const others = c.arrivals.filter((_, r) => r !== rank).sort((a, b) => a - b);
      return c.arrivals[rank] - others[1];
    }));
    const wait = cols.reduce((s, c) => s + c.last - c.arrivals[rank], 0);
    const waited_for = cols.reduce((s, c) => s + (c.last_rank === rank ? c.arrivals.reduce((t, at) => t + c.last - at, 0) : 0), 0);
    const communication = mine.reduce((s, op) => s + op.host_ns, 0);
    return {
      communicator: kComm.name, rank, ...rates(mine, span), collectives: cols.length, last_share: cols.length ? cols.filter((c) => c.last_rank === rank).length / cols.length : 0,
      lateness_p50_ns: late?.p50_ns ?? null, lateness_p99_ns: late?.p99_ns ?? null, wait_ns: wait, waited_for_ns: waited_for,
      communication_ns: communication, waiting_share: communication ? wait / communication : 0, device: rank,
    };
  });
}

export const pair_rows = (window, now) => cached(`pair_rows ${window}`, now, () => make_pair_rows(window, now));

function make_pair_rows(window, now) {
  const span = now - window_from(window, now);
  return group(window_ops(window, now).filter((op) => op.operation === "send"), (op) => op.rank * 4 + op.peer)
    .map((ops) => {
      const { rank: from, peer: to } = ops[0];
      const p50 = distribution(ops.map((op) => op.device_ns)).p50_ns;
      return {
        communicator: kComm.name, from, to, operation: "send", ...rates(ops, span), p50_ns: p50, bandwidth_gbs: ops[0].bytes / p50, expected_gbs: 24.5,
        clock: "device", finding: from === 1 && to === 3 ? "slow_link:1-3" : null,
      };
    }).sort((a, b) => a.from - b.from || a.to - b.to);
}

export function communicator_rows(window, now) {
  const cols = window_cols(window, now);
  const ops = window_ops(window, now);
  const ranks = rank_rows(window, now);
  return [{
    id: kComm.id, name: kComm.name, ranks: 4, backend: "peer", ...rates(ops, now - window_from(window, now)), complete: cols.length, incomplete: 0,
    mismatched: 0, skew_p50_ns: distribution(cols.map((c) => c.last - c.first))?.p50_ns ?? null,
    transfer_p50_ns: distribution(cols.map((c) => c.transfer))?.p50_ns ?? null, waiting_share: ranks.reduce((s, r) => s + r.waiting_share, 0) / 4,
  }];
}

export function point(second_end) {
  return cached(`point ${second_end}`, 0, () => {
    const [from, to] = [Math.max(0, second_end - 1e9), second_end];
    const ops = [...operations(from, to)];
    const cols = [...collectives(from, to)].filter((c) => c.operation === "all_reduce");
    const d = distribution(ops.filter((op) => op.operation === "all_reduce").map((op) => op.host_ns));
    const busy = ops.reduce((s, op) => s + op.host_ns, 0);
    const wait = [...collectives(from, to)].reduce((s, c) => s + c.arrivals.reduce((t, at) => t + c.last - at, 0), 0);
    const transfer = distribution(cols.map((c) => c.transfer));
    return {
      t_ns: second_end, operations_per_s: ops.length, bytes_per_s: ops.reduce((s, op) => s + op.bytes, 0), errors_per_s: ops.filter((op) => op.status !== "ok").length,
      communication_share: busy / 4e9, waiting_share: busy ? wait / busy : null, busbw_gbs: transfer ? (16384 / transfer.p50_ns) * 1.5 : null,
      p50_ns: d?.p50_ns ?? null, p99_ns: d?.p99_ns ?? null,
    };
  });
}

export function overview(window, now, history, health, in_flight) {
  const rows = operation_rows(window, now);
  const span = now - window_from(window, now);
  const ops = window_ops(window, now);
  const busy = ops.reduce((s, op) => s + op.host_ns, 0);
  const ranks = rank_rows(window, now);
  const waiting = busy ? ranks.reduce((s, r) => s + r.wait_ns, 0) / busy : null;
  const last = Math.floor(now / 1e9) * 1e9;
  const r = rates(ops, span);
  const out = {
    now_ns: Math.floor(now), live: true, health, window, operations: Math.floor((now / 1e9) * 500), operations_per_s: r.operations_per_s, bytes_per_s: r.bytes_per_s,
    errors_per_s: r.errors / (span / 1e9), success_rate: (r.count - r.errors) / r.count, communication_share: busy / (4 * span), main: rows[0] ?? null,
    split: { transfer: waiting === null ? null : 1 - waiting - 0.03, waiting, launch: 0.03, clock: "host", waiting_for_rank: 2 },
    overhead_fraction: 0.0041, overhead_budget: 0.01, lost: 0, dropped: 0, delivered: Math.floor((now / 1e9) * 500), in_flight, point: last > 0 ? point(last) : null,
  };
  if (history > 0) {
    out.history = [];
    for (let t = Math.max(1e9, last - (history - 1) * 1e9); t <= last; t += 1e9) out.history.push(point(t));
  }
  return out;
}

export function devices(now) {
  const second = Math.floor(now / 1e9);
  const items = [0, 1, 2, 3].map((index) => {
    const wave = (k) => 40 + 12 * Math.sin((second + k) / 5 + index);
    return {
      index, name: "Example GPU 80GB", uuid: `GPU-0000000${index}`, pci_bus_id: `0000:${17 + index}:00.0`, trouble: null, ranks: [index],
      nvlink: { links: 18, links_active_min: index === 1 ? 17 : 18, tx: { mean_gbs: wave(0), peak_gbs: 61, seconds: 60 }, rx: { mean_gbs: wave(3), peak_gbs: 60, seconds: 60 }, source: "counters" },
      pcie: { generation_max: 5, width_min: index === 1 ? 4 : 16, max_generation: 5, max_width: 16, tx: { mean_gbs: 1.2, peak_gbs: 6.1, seconds: 60 }, rx: null, source: "counters" },
      clock_reasons: index === 2 ? ["power cap"] : [], power_w_max: 612 + index * 7, temperature_c_max: 61 + index * 2, errors_risen: index === 1 ? { "PCIe replays": 12 } : {},
      operations_per_s: 300, bytes_per_s: 9e8,
      history: Array.from({ length: Math.min(60, second) }, (_, i) => ({ t_ns: (second - Math.min(60, second) + i + 1) * 1e9, nvlink_gbs: wave(i - 60), pcie_gbs: index === 3 ? null : 1 + chance_like(second + i, index), errors: 0 })),
    };
  });
  return { items, missing: null };
}
const chance_like = (a, b) => ((a * 7 + b * 13) % 10) / 10;

export function processes(now) {
  return kPids.map((pid, rank) => ({
    pid, name: `llama-70b rank ${rank}`, state: "live", level: "detailed", operations: Math.floor((now / 1e9) * 125), bytes: Math.floor((now / 1e9) * 9e8), errors: 0,
    recorded: Math.floor((now / 1e9) * 125), delivered: Math.floor((now / 1e9) * 125), lost: 0, overwritten_before: 0, dropped: 0, threads: 2, segment_bytes: 4194304,
    overhead_fraction: 0.0041, operation_cost_ns: 21.4, started: "", last_sign: "", segment: `peerscope.${pid}`,
  }));
}
