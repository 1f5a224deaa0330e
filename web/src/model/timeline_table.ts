// The page's words and addresses around the lanes: what is in view, as text and as query.

import type { Operation, Query, Session } from "../api/types";
import { exact_seconds, span_ns, type Span } from "./timeline_view";
import { count_text, duration_text } from "./units";
import type { CollectiveKey, Range } from "./url";

// "1200-3400": the view in the address, in whole ns.
export function format_view(view: Span): string {
  return `${Math.floor(view.from)}..${Math.ceil(view.to)}`;
}
export function parse_view(text: string | undefined): Span | null {
  const m = /^(-?\d+)\.\.(-?\d+)$/.exec(text ?? "");
  if (!m) return null;
  const view = { from: Number(m[1]), to: Number(m[2]) };
  return view.to > view.from ? view : null;
}

// What to show when nobody has moved: the chosen range, or the last of a live run.
export function view_of(range: Range, run: Span): Span | null {
  if (range.kind === "custom") {
    const room = (range.to - range.from) * 0.1;
    return { from: range.from - room, to: range.to + room };
  }
  if (range.kind === "all") return null;
  return { from: run.to - range.ns, to: run.to + range.ns * 0.02 };
}

// Which range the address asks for: when another one is chosen, the view follows it.
export function range_key(params: Record<string, string>): string {
  return [params.range, params.from, params.to].join(" ");
}

export function in_view(view: Span): { from: number; to: number } {
  return { from: Math.max(0, Math.floor(view.from)), to: Math.max(1, Math.ceil(view.to)) };
}

export function view_text(view: Span): string {
  const digit = 10 ** Math.max(0, Math.floor(Math.log10(span_ns(view) / 1000)));
  return `${duration_text(span_ns(view))} from ${exact_seconds(Math.max(0, Math.round(view.from / digit) * digit))}`;
}

export function key_of(op: Operation): CollectiveKey | null {
  if (op.communicator_id === undefined || op.operation === undefined || op.sequence === undefined) return null;
  return { communicator: op.communicator_id, operation: op.operation, sequence: op.sequence, near: op.begin_ns ?? null };
}

export function shown_text(exact: boolean, operations: number): string {
  if (exact) return `${count_text(operations)} operations, one by one`;
  return "height: how busy (square root); zoom in for single operations";
}

// The lanes have a time of their own: only what else is selected filters them.
export function without_times(query: Query): Query {
  const { from: _from, to: _to, ...rest } = query;
  return rest;
}

// null: nothing has been recorded. The last operation of a file began at last_ns: leave room for it to end.
export function run_of(session: Session, now: number | null): Span | null {
  if (session.first_ns === null) return null;
  const last = Math.max(session.last_ns ?? session.first_ns, now ?? 0);
  return { from: session.first_ns, to: Math.max(last, session.first_ns + 1000) };
}
