// What has begun and not ended: who is there, who is missing.
import type { InFlight } from "../api/types";
import { duration_text, size_text } from "./units";

export type Seat = { rank: number; state: "here" | "odd" | "missing" | "coming"; text: string };
export type Waiting = { title: string; note: string; severity: "critical" | "warning" | "ok"; verdict: string; seats: Seat[]; others: number };

const kMostSeats = 256;

export function waiting_of(item: InFlight): Waiting {
  const hang = item.finding !== null;
  const slow = item.normal_p999_ns !== null && item.age_ns > item.normal_p999_ns;
  const seats = seats_of(item, hang || slow);
  return {
    title: `${item.operation} #${item.sequence}`,
    note: `${item.communicator ?? "no communicator"}, ${size_text(item.bytes)}, ${item.entered.length} of ${item.ranks} ranks are in it`,
    severity: hang ? (item.finding!.severity === "critical" ? "critical" : "warning") : slow ? "warning" : "ok", verdict: verdict_of(item, hang, slow), seats: seats.slice(0, kMostSeats),
    others: Math.max(0, seats.length - kMostSeats),
  };
}

function verdict_of(item: InFlight, hang: boolean, slow: boolean): string {
  const age = `in flight for ${duration_text(item.age_ns)}`;
  const normal = item.normal_p999_ns === null ? "what is normal is not known yet" : `p99.9 is ${duration_text(item.normal_p999_ns)}`;
  if (item.mismatch) return `${item.mismatch} (${age})`;
  if (hang) return `${age}; ${normal}`;
  return `${age}; ${slow ? `longer than usual, ${normal}` : normal}`;
}

function seats_of(item: InFlight, late: boolean): Seat[] {
  const out: Seat[] = [];
  for (const e of item.entered) if (e.rank !== null) out.push({ rank: e.rank, state: e.odd ? "odd" : "here", text: `came ${duration_text(e.age_ns)} ago, pid ${e.pid}${e.odd ? "; it does something else than the others" : ""}` });
  for (const m of item.missing) out.push({ rank: m.rank, state: late ? "missing" : "coming", text: instead_text(m.instead) });
  return out.sort((a, b) => a.rank - b.rank);
}

function instead_text(instead: unknown): string {
  const other = instead as { operation?: string; sequence?: number; communicator?: string | null; age_ns?: number } | null | undefined;
  if (!other?.operation) return "has not come; nothing else of it is in flight";
  const where = other.communicator ? ` of ${other.communicator}` : "";
  const age = other.age_ns === undefined ? "" : ` since ${duration_text(other.age_ns)}`;
  return `has not come: it is in ${other.operation}${other.sequence === undefined ? "" : ` #${other.sequence}`}${where}${age}`;
}

export function by_urgency(a: InFlight, b: InFlight): number {
  return Number(b.finding !== null) - Number(a.finding !== null) || b.age_ns - a.age_ns;
}
