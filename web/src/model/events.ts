// Events: which ones are wanted, in which order.
import type { Event } from "../api/types";
import { text_of, digits } from "./units";

export const kSeverities = ["trace", "debug", "info", "warning", "error", "critical"] as const;
export type EventSeverity = (typeof kSeverities)[number];

export function severity_of(text: string | undefined): EventSeverity {
  return kSeverities.find((s) => s === text) ?? "debug";
}
export type EventFilter = { severity: EventSeverity; text: string; rank: number | null; communicator: string | null; from?: number; to?: number };

export function wanted(event: Event, f: EventFilter): boolean {
  if (kSeverities.indexOf(event.severity) < kSeverities.indexOf(f.severity)) return false;
  if (f.text && !event.text.toLowerCase().includes(f.text.toLowerCase())) return false;
  if (f.rank !== null && event.rank !== f.rank && event.peer !== f.rank) return false;
  if (f.communicator !== null && event.communicator !== f.communicator) return false;
  if (f.from !== undefined && event.t_ns < f.from) return false;
  return f.to === undefined || event.t_ns < f.to;
}

// What was asked for and what came since, each once, the newest first.
export function merged(asked: Event[], pushed: Event[], filter: EventFilter): Event[] {
  const newest = asked.reduce((id, e) => Math.max(id, e.id), -1);
  return [...pushed.filter((e) => e.id > newest), ...asked].filter((e) => wanted(e, filter)).sort((a, b) => b.id - a.id);
}

export function about(event: Event): string {
  const parts: string[] = [];
  if (event.rank !== null) parts.push(event.peer !== null ? `rank ${event.rank} → ${event.peer}` : `rank ${event.rank}`);
  if (event.device !== null) parts.push(`GPU ${event.device}`);
  if (event.operation !== null) parts.push(event.sequence !== null ? `${event.operation} #${event.sequence}` : event.operation);
  if (event.communicator !== null) parts.push(event.communicator);
  return parts.join(" · ");
}
export function value_text(event: Event): string {
  return event.value === null ? "" : text_of({ value: digits(event.value), unit: (event.unit ?? "").replace(/^us$/, "µs") });
}
