// What is being looked at, as an address that a colleague can open.
import type { Window } from "../api/types";

export const kPages = [
  "overview", "timeline", "topology", "pairs", "operations", "profiler", "debugger", "benchmarks", "alerts",
  "configuration",
] as const;
export type PageName = (typeof kPages)[number];

export type Route = { page: PageName; params: Record<string, string> };

// These go along from page to page; the rest belongs to one page.
export const kShared = ["range", "from", "to", "rank", "peer", "device", "communicator", "operation", "collective"];

export function parse_hash(hash: string): Route {
  const text = hash.replace(/^#\/?/, "");
  const mark = text.indexOf("?");
  const name = mark < 0 ? text : text.slice(0, mark);
  const page = kPages.find((p) => p === name) ?? "overview";
  const params: Record<string, string> = {};
  for (const [key, value] of new URLSearchParams(mark < 0 ? "" : text.slice(mark + 1))) params[key] = value;
  return { page, params };
}

export function format_hash(route: Route): string {
  const search = new URLSearchParams();
  for (const key of Object.keys(route.params).sort()) {
    const value = route.params[key];
    if (value !== undefined && value !== "") search.set(key, value);
  }
  const text = search.toString().replaceAll("%2F", "/").replaceAll("%2C", ",");
  return `#/${route.page}${text ? `?${text}` : ""}`;
}

export type Changes = Record<string, string | number | boolean | null | undefined>;

export function changed(params: Record<string, string>, changes: Changes): Record<string, string> {
  const out = { ...params };
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "" || value === false) delete out[key];
    else out[key] = String(value);
  }
  return out;
}

export function carried(params: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(params).filter(([key]) => kShared.includes(key)));
}

// ---- the selection ----

export type Selection = {
  rank: number | null;
  peer: number | null;
  device: number | null;
  communicator: string | null;
  operation: string | null;
  collective: CollectiveKey | null;
};
export type CollectiveKey = { communicator: string; operation: string; sequence: number; near: number | null };

function number_or_null(text: string | undefined): number | null {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}

// "a1b2/all_reduce/4711@123456": communicator's id, operation, sequence, and when.
export function parse_collective(text: string | undefined): CollectiveKey | null {
  const match = /^([0-9a-f]+)\/([a-z_]+)\/(\d+)(?:@(\d+))?$/.exec(text ?? "");
  if (!match) return null;
  return { communicator: match[1]!, operation: match[2]!, sequence: Number(match[3]), near: number_or_null(match[4]) };
}
export function format_collective(key: CollectiveKey): string {
  const near = key.near === null ? "" : `@${Math.round(key.near)}`;
  return `${key.communicator}/${key.operation}/${key.sequence}${near}`;
}

export function selection_of(params: Record<string, string>): Selection {
  return {
    rank: number_or_null(params.rank),
    peer: number_or_null(params.peer),
    device: number_or_null(params.device),
    communicator: params.communicator ?? null,
    operation: params.operation ?? null,
    collective: parse_collective(params.collective),
  };
}

// ---- the time range ----

export type Range =
  | { kind: "last"; ns: number; name: string; window: Window }
  | { kind: "all"; name: string; window: Window }
  | { kind: "custom"; from: number; to: number };

export const kRanges: Record<string, Range> = {
  "10s": { kind: "last", ns: 10e9, name: "last 10 s", window: "10s" },
  "1m": { kind: "last", ns: 60e9, name: "last 1 min", window: "1m" },
  "5m": { kind: "last", ns: 300e9, name: "last 5 min", window: "1m" },
  all: { kind: "all", name: "all", window: "all" },
};

export function range_of(params: Record<string, string>): Range {
  const from = number_or_null(params.from);
  const to = number_or_null(params.to);
  if (from !== null && to !== null && to > from) return { kind: "custom", from, to };
  return kRanges[params.range ?? "10s"] ?? kRanges["10s"]!;
}

// What a query by moments gets. `now` moves; without it (nothing stored yet) there is no limit.
export function bounds(range: Range, now_ns: number | null, first_ns: number | null): { from?: number; to?: number } {
  if (range.kind === "custom") return { from: range.from, to: range.to };
  if (range.kind === "all" || now_ns === null) return {};
  return { from: Math.max(first_ns ?? 0, Math.floor(now_ns - range.ns)), to: Math.ceil(now_ns) };
}

// How often what covers a range is worth asking for again: a fixed range never changes, a long one hardly.
export function refresh_ms(range: Range): number {
  if (range.kind === "custom") return 0;
  if (range.kind === "all") return 5000;
  return range.ns <= 60e9 ? 1000 : 2000;
}

// Figures of windows exist for 1 s, 10 s, 1 min and all; says which one a range gets.
export function window_of(range: Range): Window {
  return range.kind === "custom" ? "all" : range.window;
}
export const kWindowNames: Record<Window, string> = {
  "1s": "last 1 s", "10s": "last 10 s", "1m": "last 1 min", all: "whole run",
};
