// Durations over time as a grid: geometry, colours and words. Nothing here draws.
import type { HeatMap } from "../api/types";
import { since_start } from "./time";
import { duration_text, grouped } from "./units";

export type HeatFrame = { left: number; top: number; width: number; height: number };
export const frame_of = (width: number, height: number): HeatFrame => ({ left: 72, top: 8, width: Math.max(1, width - 88), height: Math.max(1, height - 36) });

export function most_of(map: HeatMap): number {
  let most = 0;
  for (const column of map.columns) for (const count of column) most = Math.max(most, count);
  return most;
}
// Few among many must be seen: the share grows with the logarithm.
export function heat_share(count: number, most: number): number {
  return most <= 1 ? 1 : Math.log1p(count) / Math.log1p(most);
}

// The buckets that hold something, with one more at each side.
export function used_buckets(map: HeatMap): { first: number; last: number } {
  let first = map.bucket_top_ns.length;
  let last = -1;
  for (const column of map.columns) {
    column.forEach((count, b) => {
      if (count === 0) return;
      first = Math.min(first, b);
      last = Math.max(last, b);
    });
  }
  if (last < 0) return { first: 0, last: map.bucket_top_ns.length - 1 };
  return { first: Math.max(0, first - 1), last: Math.min(map.bucket_top_ns.length - 1, last + 1) };
}

export type Cell = { column: number; bucket: number };
export function cell_at(map: HeatMap, frame: HeatFrame, x: number, y: number): Cell | null {
  const { first, last } = used_buckets(map);
  const column = Math.floor(((x - frame.left) / frame.width) * map.columns.length);
  const row = Math.floor(((frame.top + frame.height - y) / frame.height) * (last - first + 1));
  const bucket = first + row;
  if (column < 0 || column >= map.columns.length || row < 0 || bucket > last) return null;
  return { column, bucket };
}
export function cell_words(map: HeatMap, { column, bucket }: Cell): string {
  const count = map.columns[column]?.[bucket] ?? 0;
  const low = bucket > 0 ? duration_text(map.bucket_top_ns[bucket - 1]) : "0";
  const from = map.from_ns + column * map.column_ns;
  return `${grouped(count)} operations of ${low} to ${duration_text(map.bucket_top_ns[bucket])} (${map.clock} clock), at ${since_start(from)}`;
}
export function time_at(map: HeatMap, frame: HeatFrame, x: number): number {
  const share = Math.min(1, Math.max(0, (x - frame.left) / frame.width));
  return map.from_ns + share * (map.to_ns - map.from_ns);
}

export type Tick = { at: number; text: string };
export function y_ticks(map: HeatMap, frame: HeatFrame): Tick[] {
  const { first, last } = used_buckets(map);
  const rows = last - first + 1;
  const every = Math.max(1, Math.ceil((rows * 24) / frame.height));
  const out: Tick[] = [];
  for (let b = first; b <= last; b += every) out.push({ at: frame.top + frame.height - ((b - first + 1) / rows) * frame.height, text: duration_text(map.bucket_top_ns[b]) });
  return out;
}
export function x_ticks(map: HeatMap, frame: HeatFrame): Tick[] {
  const count = Math.max(1, Math.floor(frame.width / 140));
  return Array.from({ length: count + 1 }, (_, i) => ({ at: frame.left + (i / count) * frame.width, text: since_start(map.from_ns + (i / count) * (map.to_ns - map.from_ns)) }));
}

// For the table behind the picture: each column's count, median and 99th percentile by bucket.
export type HeatRow = { t_ns: number; count: number; p50_ns: number | null; p99_ns: number | null };
export function heat_rows(map: HeatMap): HeatRow[] {
  return map.columns.map((column, i) => {
    const count = column.reduce((sum, c) => sum + c, 0);
    const top_at = (q: number): number | null => {
      let seen = 0;
      for (let b = 0; b < column.length; ++b) {
        seen += column[b]!;
        if (count > 0 && seen >= q * count) return map.bucket_top_ns[b] ?? null;
      }
      return null;
    };
    return { t_ns: map.from_ns + i * map.column_ns, count, p50_ns: top_at(0.5), p99_ns: top_at(0.99) };
  });
}
