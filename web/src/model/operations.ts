// The columns of everything about operations.
import type { AggregateRow, Collective, Distribution, Operation, OperationRow } from "../api/types";
import type { Column } from "./table";
import { since_start } from "./time";
import { bandwidth_text, count_text, duration_text, grouped, kUnknown, per_second, share_text, size_text, text_of } from "./units";

export type ClockChoice = "host" | "device";

export function stat_columns(clock: ClockChoice): Column<OperationRow>[] {
  const times = (r: OperationRow): Distribution | null => (clock === "device" ? r.device : r.host);
  return [
    { name: "operation", label: "operation", value: (r) => r.operation, text: (r) => (r.other ? "everything else" : r.operation) },
    { name: "size_bytes", label: "size", value: (r) => r.size_bytes, text: (r) => size_text(r.size_bytes), title: (r) => `up to ${grouped(r.size_bytes)} bytes`, number: true },
    { name: "algorithm", label: "algorithm", value: (r) => r.algorithm },
    { name: "operations_per_s", label: "rate", value: (r) => r.operations_per_s, text: (r) => text_of(per_second(r.operations_per_s)), number: true },
    ...quantiles(times, clock),
    { name: "transfer_p50_ns", label: "transfer p50", value: (r) => r.transfer?.p50_ns, text: (r) => duration_text(r.transfer?.p50_ns), number: true, help: "all there until done, host clock" },
    { name: "skew_p50_ns", label: "skew p50", value: (r) => r.skew?.p50_ns, text: (r) => duration_text(r.skew?.p50_ns), number: true, help: "last arrival minus the first, host clock" },
    { name: "busbw_gbs", label: "busbw", value: (r) => r.busbw_gbs, text: (r) => bandwidth_text(r.busbw_gbs), title: (r) => (r.busbw_gbs === null ? "no clock tells" : `${r.bandwidth_clock} clock`), number: true },
    { name: "errors", label: "errors", value: (r) => r.errors, text: (r) => (r.errors > 0 ? `${grouped(r.errors)} (${share_text(1 - (r.success_rate ?? 1))})` : "0"), number: true },
  ];
}

function quantiles<T>(times: (row: T) => Distribution | null, clock: string): Column<T>[] {
  const one = (name: keyof Distribution, label: string): Column<T> => ({
    name: `${clock}_${name}`, label, number: true, value: (r) => times(r)?.[name] as number | null | undefined, text: (r) => duration_text(times(r)?.[name] as number | null | undefined),
    title: (r) => quantile_title(times(r), name, clock),
  });
  return [one("p50_ns", "p50"), one("p90_ns", "p90"), one("p99_ns", "p99"), one("p999_ns", "p99.9")];
}
function quantile_title(d: Distribution | null, name: string, clock: string): string {
  if (!d) return `no ${clock} times`;
  const interval = name === "p50_ns" && d.p50_low_ns !== null ? `, 95 % between ${duration_text(d.p50_low_ns)} and ${duration_text(d.p50_high_ns)}` : "";
  return `${clock} clock, n = ${grouped(d.count)}${interval}`;
}

export const kGroupKeys = ["operation", "algorithm", "protocol", "size", "rank", "peer", "device", "communicator", "process", "backend", "status"] as const;
export type GroupKey = (typeof kGroupKeys)[number];
export function groups_of(text: string | undefined): GroupKey[] {
  const wanted = (text ?? "operation,size").split(",");
  const known = kGroupKeys.filter((k) => wanted.includes(k));
  return known.length > 0 ? known : ["operation"];
}
export function key_text(key: string, value: string | number | null | undefined): string {
  if (value === null || value === undefined || value === "") return kUnknown;
  return key === "size" ? size_text(Number(value)) : String(value);
}
export function row_key(row: { key: Record<string, string | number | null> }): string {
  return JSON.stringify(row.key);
}

export function aggregate_columns(keys: GroupKey[], clock: ClockChoice, extra: { q: string; values: Map<string, number | null> } | null): Column<AggregateRow>[] {
  const times = (r: AggregateRow): Distribution | null => (clock === "device" ? r.device : r.host);
  const more: Column<AggregateRow>[] = extra ? [{ name: `${clock}_p${extra.q}_ns`, label: `p${extra.q}`, value: (r) => extra.values.get(row_key(r)), text: (r) => duration_text(extra.values.get(row_key(r))), number: true }] : [];
  return [
    ...keys.map((k): Column<AggregateRow> => ({ name: k, label: k, value: (r) => r.key[k], text: (r) => (r.other ? "the rest" : key_text(k, r.key[k])), number: ["size", "rank", "peer", "device", "process"].includes(k) })),
    { name: "count", label: "count", value: (r) => r.count, text: (r) => grouped(r.count), number: true },
    { name: "bytes", label: "bytes", value: (r) => r.bytes, text: (r) => size_text(r.bytes), number: true },
    { name: `${clock}_mean_ns`, label: "mean", value: (r) => times(r)?.mean_ns, text: (r) => duration_text(times(r)?.mean_ns), number: true },
    ...quantiles(times, clock), ...more,
    { name: `${clock}_max_ns`, label: "max", value: (r) => times(r)?.max_ns, text: (r) => duration_text(times(r)?.max_ns), number: true },
    { name: "errors", label: "errors", value: (r) => r.errors, text: (r) => grouped(r.errors), number: true },
  ];
}

export const kAllFields: Column<Operation>[] = [
  { name: "begin_ns", label: "begin", value: (o) => o.begin_ns, text: (o) => since_start(o.begin_ns), title: (o) => `${o.begin_ns ?? kUnknown} ns since the start`, number: true },
  { name: "operation", label: "operation", value: (o) => o.operation },
  { name: "bytes", label: "bytes", value: (o) => o.bytes, text: (o) => size_text(o.bytes), title: (o) => `${grouped(o.bytes)} bytes`, number: true },
  { name: "rank", label: "rank", value: (o) => o.rank, number: true },
  { name: "peer", label: "peer", value: (o) => o.peer, number: true },
  { name: "host_ns", label: "host", value: (o) => o.host_ns, text: (o) => duration_text(o.host_ns), number: true, help: "in the call; of an asynchronous one: the enqueue" },
  { name: "device_ns", label: "device", value: (o) => o.device_ns, text: (o) => duration_text(o.device_ns), number: true },
  { name: "status", label: "status", value: (o) => o.status },
  { name: "sequence", label: "sequence", value: (o) => o.sequence, number: true },
  { name: "communicator", label: "communicator", value: (o) => o.communicator },
  { name: "communicator_id", label: "communicator id", value: (o) => o.communicator_id, mono: true },
  { name: "algorithm", label: "algorithm", value: (o) => o.algorithm },
  { name: "protocol", label: "protocol", value: (o) => o.protocol },
  { name: "dtype", label: "type", value: (o) => o.dtype },
  { name: "backend", label: "backend", value: (o) => o.backend },
  { name: "device", label: "GPU", value: (o) => o.device, number: true },
  { name: "stream", label: "stream", value: (o) => o.stream, number: true },
  { name: "channel", label: "channel", value: (o) => o.channel, number: true },
  { name: "pid", label: "pid", value: (o) => o.pid, number: true },
  { name: "thread", label: "thread", value: (o) => o.thread, number: true },
  { name: "weight", label: "stands for", value: (o) => o.weight, text: (o) => count_text(o.weight), number: true },
];
const kUsual = ["begin_ns", "operation", "bytes", "rank", "peer", "host_ns", "device_ns", "status", "sequence", "communicator"];
export function fields_of(text: string | undefined): string[] {
  const wanted = text?.split(",") ?? kUsual;
  const known = kAllFields.map((f) => f.name).filter((n) => wanted.includes(n));
  return known.length > 0 ? known : kUsual;
}
// What selecting a line needs, shown or not.
export const kNeeded = ["begin_ns", "operation", "sequence", "communicator_id"];

export const kCollectiveColumns: Column<Collective>[] = [
  { name: "first_ns", label: "first arrival", value: (c) => c.first_ns, text: (c) => since_start(c.first_ns), number: true },
  { name: "operation", label: "operation", value: (c) => c.operation },
  { name: "bytes", label: "bytes", value: (c) => c.bytes, text: (c) => size_text(c.bytes), number: true },
  { name: "skew_ns", label: "skew", value: (c) => c.skew_ns, text: (c) => duration_text(c.skew_ns), number: true, help: "host clock" },
  { name: "transfer_ns", label: "transfer", value: (c) => c.transfer_ns, text: (c) => duration_text(c.transfer_ns), number: true, help: "host clock" },
  { name: "device_transfer_ns", label: "device transfer", value: (c) => c.device_transfer_ns, text: (c) => duration_text(c.device_transfer_ns), number: true },
  { name: "last_rank", label: "last rank", value: (c) => c.last_rank, number: true },
  { name: "seen", label: "ranks", value: (c) => c.seen, text: (c) => `${c.seen} of ${c.ranks}`, number: true },
  { name: "algorithm", label: "algorithm", value: (c) => c.algorithm },
  { name: "communicator", label: "communicator", value: (c) => c.communicator },
  { name: "sequence", label: "sequence", value: (c) => c.sequence, number: true },
];
