// Who sends to whom: one cell a pair, coloured by what is asked for.
import type { PairRow } from "../api/types";
import { cividis, css, ink_on, viridis } from "./palette";
import { bandwidth_text, count_text, digits, duration_text, grouped, share_text, size_text } from "./units";

export const kMetrics = ["bandwidth", "latency", "errors", "bytes", "expected"] as const;
export type Metric = (typeof kMetrics)[number];
export const kMetricNames: Record<Metric, { text: string; unit: string; title: string }> = {
  bandwidth: { text: "Bandwidth", unit: "GB/s", title: "Measured bandwidth, GB/s" },
  expected: { text: "Of expected", unit: "%", title: "Measured bandwidth over what the path can carry" },
  latency: { text: "Latency", unit: "µs", title: "Median time of one operation" },
  bytes: { text: "Bytes", unit: "", title: "Bytes in the window" },
  errors: { text: "Errors", unit: "", title: "Failed operations in the window" },
};

export type Pair = {
  communicator: string; from: number; to: number; operations: string[]; count: number; bytes: number; errors: number;
  p50_ns: number | null; bandwidth_gbs: number | null; expected_gbs: number | null; clock: string; finding: string | null;
};

// One pair a (communicator, from, to): sums; times and bandwidth of the operation that moves the most bytes.
export function pairs_of(rows: PairRow[], communicator: string | null): Pair[] {
  const out = new Map<string, Pair & { most: number }>();
  for (const row of rows) {
    if (communicator !== null && row.communicator !== communicator) continue;
    const key = `${row.communicator} ${row.from} ${row.to}`;
    const had = out.get(key);
    if (!had) {
      const { from, to, count, bytes, errors, p50_ns, bandwidth_gbs, expected_gbs, clock, finding } = row;
      out.set(key, { communicator: row.communicator, from, to, operations: [row.operation], count, bytes, errors, p50_ns, bandwidth_gbs, expected_gbs, clock, finding, most: bytes });
      continue;
    }
    had.operations.push(row.operation);
    had.count += row.count;
    had.bytes += row.bytes;
    had.errors += row.errors;
    had.finding ??= row.finding;
    if (row.bytes > had.most) Object.assign(had, { most: row.bytes, p50_ns: row.p50_ns, bandwidth_gbs: row.bandwidth_gbs, expected_gbs: row.expected_gbs, clock: row.clock });
  }
  return [...out.values()].map(({ most: _, ...pair }) => pair);
}

export function share_of_expected(pair: Pair): number | null {
  return pair.bandwidth_gbs === null || !pair.expected_gbs ? null : pair.bandwidth_gbs / pair.expected_gbs;
}
export function metric_of(pair: Pair, metric: Metric): number | null {
  if (metric === "bandwidth") return pair.bandwidth_gbs;
  if (metric === "expected") return share_of_expected(pair);
  if (metric === "latency") return pair.p50_ns;
  return metric === "errors" ? pair.errors : pair.bytes;
}
export function metric_text(value: number | null, metric: Metric): string {
  if (metric === "bandwidth") return bandwidth_text(value);
  if (metric === "expected") return share_text(value);
  if (metric === "latency") return duration_text(value);
  return metric === "errors" ? count_text(value) : size_text(value);
}
// Short enough for a cell: the unit is above the matrix.
export function cell_text(value: number | null, metric: Metric): string {
  if (value === null) return "–";
  if (metric === "bandwidth") return value >= 100 ? value.toFixed(0) : digits(value, 2);
  if (metric === "expected") return (value * 100).toFixed(0);
  if (metric === "latency") return digits(value / 1000, value >= 1e5 ? 3 : 2);
  return metric === "errors" ? grouped(value) : size_text(value).replace("\u00a0", "");
}

export type MatrixCell = { pair: Pair; value: number | null; text: string; fill: string; ink: string; title: string; bad: boolean };
export type Matrix = { ranks: number[]; cells: Map<string, MatrixCell>; low: number | null; high: number | null };

export const cell_key = (from: number, to: number): string => `${from} ${to}`;

export function matrix_of(pairs: Pair[], metric: Metric): Matrix {
  const ranks = [...new Set(pairs.flatMap((p) => [p.from, p.to]))].sort((a, b) => a - b);
  const values = pairs.map((p) => metric_of(p, metric)).filter((v): v is number => v !== null);
  const low = values.length > 0 ? Math.min(...values) : null;
  const high = values.length > 0 ? Math.max(...values) : null;
  const cells = new Map<string, MatrixCell>();
  for (const pair of pairs) {
    const value = metric_of(pair, metric);
    const colour = value === null ? null : (metric === "errors" || metric === "latency" ? cividis : viridis)(position(value, metric, high ?? 1));
    cells.set(cell_key(pair.from, pair.to), {
      pair, value, text: cell_text(value, metric), fill: colour ? css(colour) : "var(--sunken)", ink: colour ? ink_on(colour) : "var(--text-2)", title: pair_title(pair),
      bad: pair.finding !== null || (metric === "errors" && (value ?? 0) > 0),
    });
  }
  return { ranks, cells, low, high };
}

// Errors matter from the first one on; amounts are read from 0 so that equal pairs look equal.
function position(value: number, metric: Metric, high: number): number {
  if (metric === "expected") return Math.min(1, value) * 0.92;
  if (high <= 0) return 0;
  return 0.04 + (value / high) * 0.88;
}

export function pair_title(pair: Pair): string {
  const against = pair.expected_gbs === null ? "what the path can carry is not known" : `${bandwidth_text(pair.expected_gbs)} expected (${share_text(share_of_expected(pair))})`;
  return `rank ${pair.from} → rank ${pair.to}: ${bandwidth_text(pair.bandwidth_gbs)} measured (${pair.clock} clock), ${against}; p50 ${duration_text(pair.p50_ns)}; ${size_text(pair.bytes)} in ${grouped(pair.count)} operations; ${grouped(pair.errors)} errors`;
}
