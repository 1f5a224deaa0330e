// Profiles and their comparison, in words.
import type { CompareRow, ProfileComparison, ProfileRow, ProfileRank } from "../api/shapes";
import type { Column } from "./table";
import { bandwidth_text, digits, duration_text, grouped, kUnknown, share_text, size_text } from "./units";

export const kProfileColumns: Column<ProfileRow>[] = [
  { name: "operation", label: "operation", value: (r) => r.operation },
  { name: "size_bytes", label: "size", value: (r) => r.size_bytes, text: (r) => size_text(r.size_bytes), number: true },
  { name: "algorithm", label: "algorithm", value: (r) => r.algorithm },
  { name: "count", label: "count", value: (r) => r.count, text: (r) => grouped(r.count), number: true },
  { name: "host_p50_ns", label: "host p50", value: (r) => r.host?.p50_ns, text: (r) => duration_text(r.host?.p50_ns), number: true },
  { name: "host_p99_ns", label: "host p99", value: (r) => r.host?.p99_ns, text: (r) => duration_text(r.host?.p99_ns), number: true },
  { name: "device_p50_ns", label: "device p50", value: (r) => r.device?.p50_ns, text: (r) => duration_text(r.device?.p50_ns), number: true },
  { name: "device_p99_ns", label: "device p99", value: (r) => r.device?.p99_ns, text: (r) => duration_text(r.device?.p99_ns), number: true },
  { name: "skew_p50_ns", label: "skew p50", value: (r) => r.skew_host?.p50_ns, text: (r) => duration_text(r.skew_host?.p50_ns), number: true },
  { name: "busbw_gbs", label: "busbw", value: (r) => r.busbw_gbs, text: (r) => bandwidth_text(r.busbw_gbs), title: (r) => (r.bandwidth_clock ? `${r.bandwidth_clock} clock` : undefined), number: true },
  { name: "errors", label: "errors", value: (r) => r.errors, text: (r) => grouped(r.errors), number: true },
];
export const kProfileRankColumns: Column<ProfileRank>[] = [
  { name: "rank", label: "rank", value: (r) => r.rank },
  { name: "communicator", label: "communicator", value: (r) => r.communicator },
  { name: "count", label: "operations", value: (r) => r.count, text: (r) => grouped(r.count), number: true },
  { name: "bytes", label: "bytes", value: (r) => r.bytes, text: (r) => size_text(r.bytes), number: true },
  { name: "wait_share", label: "waits", value: (r) => r.wait_share, text: (r) => share_text(r.wait_share), number: true, help: "share of its communication time that it waits for others" },
  { name: "waited_for_share", label: "is waited for", value: (r) => r.waited_for_share, text: (r) => share_text(r.waited_for_share), number: true },
];

export function compare_sentence(c: ProfileComparison): string {
  if (c.rows.length === 0) return "The two have no operation in common: there is nothing to compare.";
  const best = [...c.groups].sort((a, b) => b.wins - a.wins)[0];
  if (!best || best.wins === 0) return `No difference that can be told, in ${c.rows.length === 1 ? "the one row" : `any of ${c.rows.length} rows`}.`;
  const other = c.groups.filter((g) => g.name !== best.name).reduce((sum, g) => sum + g.wins, 0);
  const open = c.undecided > 0 ? `; ${c.undecided} cannot be told` : "";
  return `${best.name} is faster in ${best.wins} of ${c.rows.length}${other > 0 ? `, slower in ${other}` : ""}${open}.`;
}

export function row_verdict(row: CompareRow): string {
  if (row.winner === null) return "no difference that can be told";
  return `${row.winner} is ${speedup_text(row)} faster`;
}
function speedup_text(row: CompareRow): string {
  if (row.speedup === null) return kUnknown;
  return row.speedup >= 2 ? `${digits(row.speedup)} ×` : share_text(row.speedup - 1);
}

// Where each group's median and its interval lie, on the row's own scale.
export type Whisker = { name: string; at: number | null; low: number | null; high: number | null; text: string };
export function whiskers(row: CompareRow): Whisker[] {
  const known = row.groups.flatMap((g) => [g.median_low_ns, g.median_ns, g.median_high_ns]).filter((v): v is number => v !== null);
  const low = Math.min(...known);
  const high = Math.max(...known);
  const pad = (high - low || high || 1) * 0.12;
  const at = (v: number | null): number | null => (v === null ? null : (v - low + pad) / (high - low + 2 * pad || 1));
  return row.groups.map((g) => ({
    name: g.name, at: at(g.median_ns), low: at(g.median_low_ns ?? g.median_ns), high: at(g.median_high_ns ?? g.median_ns),
    text: g.median_ns === null ? kUnknown : `${duration_text(g.median_ns)}${g.median_low_ns === null ? "" : ` (${duration_text(g.median_low_ns)} to ${duration_text(g.median_high_ns)})`}, n = ${grouped(g.samples)}`,
  }));
}

export const kCompareColumns: Column<CompareRow>[] = [
  { name: "operation", label: "operation", value: (r) => r.operation },
  { name: "size_bytes", label: "size", value: (r) => r.size_bytes, text: (r) => size_text(r.size_bytes), number: true },
  { name: "clock", label: "clock", value: (r) => r.clock },
  { name: "winner", label: "winner", value: (r) => r.winner, text: (r) => row_verdict(r) },
  { name: "speedup", label: "speed-up", value: (r) => r.speedup, text: (r) => (r.speedup === null ? kUnknown : `${digits(r.speedup)} ×`), number: true },
  { name: "p_adjusted", label: "p", value: (r) => r.pairs[0]?.p_adjusted, text: (r) => (r.pairs[0]?.p_adjusted == null ? kUnknown : p_text(r.pairs[0].p_adjusted)), number: true },
];
export function p_text(p: number): string {
  return p < 0.001 ? "< 0.001" : digits(p, 2);
}

// "12 s .. 20 s" as one writes it, or a session's name: what the server takes.
export function stretch_of(text: string, parse: (t: string) => number | null): string | null {
  const match = /^\s*(.+?)\s*\.\.\s*(.+?)\s*$/.exec(text);
  if (!match) return text.trim() || null;
  const [from, to] = [parse(match[1]!), parse(match[2]!)];
  return from === null || to === null || to <= from ? null : `${from}..${to}`;
}
