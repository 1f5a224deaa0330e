// Benchmark results: curves of bandwidth against size, comparison, words.
import type { BenchChange, BenchComparison, BenchFile, BenchRow } from "../api/shapes";
import type { Line, LinesOptions } from "../chart/lines";
import { series_colour } from "./palette";
import type { Column } from "./table";
import { bandwidth_text, digits, duration_text, grouped, kUnknown, share_text, size_text } from "./units";

export function curve_name(row: BenchRow): string {
  return [row.operation, row.algorithm, row.backend, row.dtype, row.redop === "none" ? "" : row.redop, `${row.ranks} ranks`, row.graph ? "graph" : ""].filter(Boolean).join(" ");
}

// Without the words that all have in common: "direct cuda", "ring nccl".
export function short_names(names: string[]): Map<string, string> {
  const words = names.map((n) => n.split(" "));
  const common = new Set((words[0] ?? []).filter((w) => words.every((ws) => ws.includes(w))));
  return new Map(names.map((n, i) => [n, words[i]!.filter((w) => !common.has(w)).join(" ") || n]));
}

// What to look at by itself: a suite has more curves than a chart can show.
const kMostCurves = 8;
export function operations_of(file: BenchFile): string[] {
  return [...new Set(file.rows.map((row) => row.operation))];
}
export function operation_shown(file: BenchFile, asked: string | undefined): string | null {
  const all = operations_of(file);
  if (asked !== undefined && (asked === "all" || all.includes(asked))) return asked === "all" ? null : asked;
  return new Set(file.rows.map(curve_name)).size > kMostCurves ? all[0]! : null;
}
export function only_operation(file: BenchFile, operation: string | null): BenchFile {
  return operation === null ? file : { ...file, rows: file.rows.filter((row) => row.operation === operation) };
}

// "cuda p2p, cuda all_reduce and 19 more: there is no CUDA driver here": what was left out for one reason, together.
export function left_out(skipped: string[]): string[] {
  const by_reason = new Map<string, string[]>();
  for (const text of skipped) {
    const at = text.indexOf(": ");
    const reason = at < 0 ? "" : text.slice(at + 2);
    by_reason.set(reason, [...(by_reason.get(reason) ?? []), at < 0 ? text : text.slice(0, at)]);
  }
  return [...by_reason].map(([reason, steps]) => {
    const more = steps.length > 4 ? ` and ${steps.length - 3} more` : "";
    return `${(more ? steps.slice(0, 3) : steps).join(", ")}${more}${reason ? `: ${reason}` : ""}`;
  });
}

type Result = { name: string; file: BenchFile };

// Points that stand alone are left to the table, where others make lines.
function drawn(file: BenchFile): BenchFile {
  const sizes = new Map<string, Set<number>>();
  for (const row of file.rows) sizes.set(curve_name(row), (sizes.get(curve_name(row)) ?? new Set()).add(row.bytes));
  const lines = file.rows.filter((row) => sizes.get(curve_name(row))!.size > 1);
  return lines.length > 0 ? { ...file, rows: lines } : file;
}

// One line a curve through the sizes it was measured at. The same curve has the same colour in each result; the
// one compared with is dashed.
export function curve_options(all: Result[], what: "busbw" | "time", dark: boolean): LinesOptions {
  const results = all.map((result) => ({ ...result, file: drawn(result.file) }));
  const x = [...new Set(results.flatMap((r) => r.file.rows.map((row) => row.bytes)))].filter((b) => b > 0).sort((a, b) => a - b);
  const names = [...new Set(results.flatMap((r) => r.file.rows.map(curve_name)))];
  const short = short_names(names);
  const lines = results.flatMap((result, i) => names.map((name, n): Line => {
    const rows = new Map(result.file.rows.filter((r) => curve_name(r) === name).map((r) => [r.bytes, r]));
    const prefix = results.length > 1 ? `${result.name}: ` : "";
    return { name: prefix + (names.length > 1 ? short.get(name)! : name), colour: series_colour(n, dark), values: x.map((b) => value_of(rows.get(b), what)), points: true, joined: true, dashed: i > 0 };
  }));
  return { x, lines: lines.filter((line) => line.values.some((v) => v !== null)), x_text: size_text, y_text: what === "busbw" ? bandwidth_text : duration_text, log_x: true, log_y: true };
}
function value_of(row: BenchRow | undefined, what: "busbw" | "time"): number | null {
  if (row === undefined) return null;
  if (what === "time") return row.time_us * 1000;
  return row.busbw_gbs > 0 ? row.busbw_gbs : null; // a logarithmic axis has no 0
}

export const kBenchColumns: Column<BenchRow>[] = [
  { name: "bytes", label: "size", value: (r) => r.bytes, text: (r) => size_text(r.bytes), title: (r) => `${grouped(r.bytes)} bytes`, number: true },
  { name: "operation", label: "operation", value: (r) => r.operation },
  { name: "algorithm", label: "algorithm", value: (r) => r.algorithm },
  { name: "backend", label: "backend", value: (r) => r.backend },
  { name: "dtype", label: "type", value: (r) => r.dtype },
  { name: "time_us", label: "time", value: (r) => r.time_us, text: (r) => duration_text(r.time_us * 1000), title: (r) => (r.ci_low_us === null ? undefined : `95 % between ${duration_text(r.ci_low_us * 1000)} and ${duration_text((r.ci_high_us ?? r.ci_low_us) * 1000)}, n = ${r.samples}`), number: true },
  { name: "device_us", label: "device", value: (r) => r.device_us, text: (r) => duration_text(r.device_us === null ? null : r.device_us * 1000), number: true },
  { name: "algbw_gbs", label: "algbw", value: (r) => r.algbw_gbs, text: (r) => bandwidth_text(r.algbw_gbs), number: true },
  { name: "busbw_gbs", label: "busbw", value: (r) => r.busbw_gbs, text: (r) => bandwidth_text(r.busbw_gbs), number: true },
  { name: "wrong", label: "wrong", value: (r) => r.wrong, text: (r) => (r.wrong === null ? kUnknown : grouped(r.wrong)), title: (r) => (r.wrong === null ? "not checked" : undefined), number: true },
];
export const kChangeColumns: Column<BenchChange>[] = [
  { name: "key", label: "what", value: (c) => c.key },
  { name: "bytes", label: "size", value: (c) => c.bytes, text: (c) => size_text(c.bytes), number: true },
  { name: "baseline_us", label: "before", value: (c) => c.baseline_us, text: (c) => duration_text(c.baseline_us * 1000), number: true },
  { name: "new_us", label: "after", value: (c) => c.new_us, text: (c) => duration_text(c.new_us * 1000), number: true },
  { name: "ratio", label: "time", value: (c) => c.ratio, text: (c) => change_text(c), number: true },
  { name: "p", label: "p", value: (c) => c.p, text: (c) => (c.p === null ? kUnknown : c.p < 0.001 ? "< 0.001" : digits(c.p, 2)), number: true },
  { name: "verdict", label: "verdict", value: (c) => c.verdict, text: (c) => `${verdict_mark(c.verdict)} ${c.verdict}` },
];
function change_text(c: BenchChange): string {
  const shown = (r: number): string => (r < 1 ? `−${share_text(1 - r)}` : `+${share_text(r - 1)}`);
  return c.ratio_low === null || c.ratio_high === null ? shown(c.ratio) : `${shown(c.ratio)} (${shown(c.ratio_low)} to ${shown(c.ratio_high)})`;
}
export function verdict_mark(verdict: string): string {
  return verdict === "slower" ? "■" : verdict === "faster" ? "●" : "○";
}
export function bench_sentence(c: BenchComparison): string {
  if (c.compared === 0) return "The two results have nothing in common.";
  if (c.slower === 0 && c.faster === 0) return `No difference that can be told, in ${c.compared} rows.`;
  const parts = [c.slower > 0 ? `${c.slower} became slower` : "", c.faster > 0 ? `${c.faster} became faster` : "", c.inconclusive > 0 ? `${c.inconclusive} cannot be told` : ""].filter(Boolean);
  return `${parts.join(", ")}, of ${c.compared}.`;
}

// For the history of a machine: the best bandwidth of each result, the oldest first.
export function best_busbw(file: BenchFile): number | null {
  const values = file.rows.map((r) => r.busbw_gbs).filter((v) => v > 0);
  return values.length > 0 ? Math.max(...values) : null;
}
