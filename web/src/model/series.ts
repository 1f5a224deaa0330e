// Points of aggregates as lines over time.
import type { AggregateTable } from "../api/types";
import type { Column } from "./table";
import { duration_text, grouped, rate_text, size_text } from "./units";
import { since_start } from "./time";

export type SeriesPoint = { t_ns: number; count: number; bytes: number; errors: number; rate: number | null; p50_ns: number | null; p99_ns: number | null; clock: "host" | "device" };

// All rows' points together: sums; times of the row with the most operations at that moment.
export function series_of(table: AggregateTable | null, prefer: "host" | "device" = "device"): SeriesPoint[] {
  const out = new Map<number, SeriesPoint & { most: number }>();
  for (const row of table?.rows ?? []) {
    for (const p of row.points) {
      const device = prefer === "device" && p.device_p50_ns !== null;
      const p50 = device ? p.device_p50_ns : p.host_p50_ns;
      const p99 = device ? p.device_p99_ns : p.host_p99_ns;
      const had = out.get(p.begin_ns) ?? { t_ns: (p.begin_ns + p.end_ns) / 2, count: 0, bytes: 0, errors: 0, rate: null, p50_ns: null, p99_ns: null, clock: "host" as const, most: 0 };
      const span = (p.end_ns - p.begin_ns) / 1e9;
      const bytes = had.bytes + p.bytes;
      const newer = p.count > had.most ? { p50_ns: p50, p99_ns: p99, clock: device ? ("device" as const) : ("host" as const), most: p.count } : {};
      out.set(p.begin_ns, { ...had, count: had.count + p.count, bytes, errors: had.errors + p.errors, rate: span > 0 ? bytes / span : null, ...newer });
    }
  }
  return [...out.values()].sort((a, b) => a.t_ns - b.t_ns);
}

export const kSeriesColumns: Column<SeriesPoint>[] = [
  { name: "t_ns", label: "time", value: (p) => p.t_ns, text: (p) => since_start(p.t_ns) },
  { name: "operations", label: "operations", value: (p) => p.count, text: (p) => grouped(p.count), number: true },
  { name: "bytes", label: "bytes", value: (p) => p.bytes, text: (p) => size_text(p.bytes), number: true },
  { name: "bytes_per_s", label: "rate", value: (p) => p.rate, text: (p) => rate_text(p.rate), number: true },
  { name: "p50_ns", label: "p50", value: (p) => p.p50_ns, text: (p) => duration_text(p.p50_ns), number: true },
  { name: "p99_ns", label: "p99", value: (p) => p.p99_ns, text: (p) => duration_text(p.p99_ns), number: true },
  { name: "errors", label: "errors", value: (p) => p.errors, text: (p) => grouped(p.errors), number: true },
];
