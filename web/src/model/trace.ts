// One collective, rank by rank: where the bars of its chart are.
import type { CollectiveTrace } from "../api/types";
import type { Column } from "./table";
import { duration_text, kUnknown, size_text } from "./units";

export type Span = { at: number; width: number; title: string };
export type Lane = { rank: number; wait: Span | null; transfer: Span | null; device: Span[]; text: string; late: boolean; bad: boolean; title: string };
export type TraceChart = { lanes: Lane[]; missing: number[]; end_ns: number; ticks: { at: number; text: string }[] };
type RankTrace = CollectiveTrace["ranks"][number];

export function trace_chart(trace: CollectiveTrace): TraceChart {
  const ends = trace.ranks.flatMap((r) => [r.arrived_ns, r.left_ns ?? 0, r.completed_ns ?? 0, ...r.device.map((d) => d.begin_ns + d.duration_ns)]);
  const end_ns = Math.max(1, ...ends);
  const last = Math.max(0, ...trace.ranks.map((r) => r.arrived_ns));
  const lanes = [...trace.ranks].sort((a, b) => a.rank - b.rank).map((r) => lane_of(r, last, end_ns, trace));
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((at) => ({ at, text: at === 0 ? "0" : duration_text(end_ns * at) }));
  return { lanes, missing: trace.missing, end_ns, ticks };
}

function lane_of(r: RankTrace, last: number, end: number, trace: CollectiveTrace): Lane {
  const span = (from: number, to: number, title: string): Span => ({ at: from / end, width: Math.max(0, to - from) / end, title });
  const done = r.completed_ns ?? r.left_ns;
  const waits_to = done === null ? end : Math.min(last, done);
  return {
    rank: r.rank,
    wait: waits_to > r.arrived_ns ? span(r.arrived_ns, waits_to, `rank ${r.rank} waits ${duration_text(r.waited_ns ?? waits_to - r.arrived_ns)}`) : null,
    transfer: done === null || done <= waits_to ? null : span(Math.max(waits_to, r.arrived_ns), done, `rank ${r.rank}: transfer ${duration_text(done - Math.max(waits_to, r.arrived_ns))}`),
    device: r.device.map((d) => span(d.begin_ns, d.begin_ns + d.duration_ns, `device ${duration_text(d.duration_ns)}, stream ${d.stream}, channel ${d.channel}`)),
    text: `+${duration_text(r.arrived_ns)}`, late: r.arrived_ns === last && trace.ranks.length > 1 && last > 0, bad: r.odd || r.status !== "ok",
    title: `rank ${r.rank} came ${duration_text(r.arrived_ns)} after the first${r.odd ? "; it does something else than the others" : ""}${r.status === "ok" ? "" : `; ${r.status}`}`,
  };
}

export function trace_sentence(trace: CollectiveTrace): string {
  const last = [...trace.ranks].sort((a, b) => b.arrived_ns - a.arrived_ns)[0];
  if (trace.missing.length > 0) return `Rank ${trace.missing.join(", ")} never came.`;
  if (trace.mismatch) return trace.mismatch;
  if (!last || trace.ranks.length < 2) return "Only one rank's record is known.";
  const moved = trace.transfer_device_ns !== null ? `${duration_text(trace.transfer_device_ns)} (device clock)` : trace.transfer_host_ns !== null ? `${duration_text(trace.transfer_host_ns)} (host clock)` : kUnknown;
  return `Rank ${last.rank} came last, ${duration_text(trace.skew_host_ns)} after the first (host clock); then moving ${size_text(trace.bytes)} took ${moved}.`;
}

export const kTraceColumns: Column<RankTrace>[] = [
  { name: "rank", label: "rank", value: (r) => r.rank },
  { name: "arrived_ns", label: "arrived", value: (r) => r.arrived_ns, text: (r) => `+${duration_text(r.arrived_ns)}`, number: true, help: "after the first arrival, host clock" },
  { name: "waited_ns", label: "waited", value: (r) => r.waited_ns, text: (r) => duration_text(r.waited_ns), number: true },
  { name: "host_ns", label: "host", value: (r) => r.host_ns, text: (r) => duration_text(r.host_ns), number: true, help: "in the call" },
  { name: "device_ns", label: "device", value: (r) => device_ns(r), text: (r) => duration_text(device_ns(r)), number: true },
  { name: "completed_ns", label: "completed", value: (r) => r.completed_ns, text: (r) => (r.completed_ns === null ? kUnknown : `+${duration_text(r.completed_ns)}`), number: true },
  { name: "bytes", label: "bytes", value: (r) => r.bytes, text: (r) => size_text(r.bytes), number: true },
  { name: "device", label: "GPU", value: (r) => r.device_index, number: true },
  { name: "status", label: "status", value: (r) => (r.odd ? `${r.status}, does something else` : r.status) },
];
// Of a rank, from the first begin to the last end: channels run beside each other.
export function device_ns(r: RankTrace): number | null {
  if (r.device.length === 0) return null;
  const begin = Math.min(...r.device.map((d) => d.begin_ns));
  return Math.max(...r.device.map((d) => d.begin_ns + d.duration_ns)) - begin;
}

export type Round = { round: number; phase: string; moves: string[] };
export function rounds_of(trace: CollectiveTrace): Round[] {
  const out = new Map<number, Round>();
  for (const m of trace.moves) {
    const round = out.get(m.round) ?? { round: m.round, phase: m.phase, moves: [] };
    round.moves.push(`${m.from} → ${m.to}`);
    out.set(m.round, round);
  }
  return [...out.values()].sort((a, b) => a.round - b.round);
}
