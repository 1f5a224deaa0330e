// Bins on the screen's pixels: of what falls on one, the busiest counts.

import type { RowLayout } from "./timeline_lanes";
import type { OpenBar } from "./timeline_live";
import type { Content } from "./timeline_scene";
import type { Piece } from "./timeline_tiles";
import { span_ns, type Span } from "./timeline_view";

export type PixelRow = {
  level: Uint8Array; // 0: nothing, 255: busy all the time
  kind: Uint8Array;
  error: Uint8Array;
};

export function pixel_rows(
  pieces: Piece<Content>[], layout: RowLayout, view: Span, width: number, scroll: number, height: number,
): Map<number, PixelRow> {
  const rows = new Map<number, PixelRow>();
  const px_ns = span_ns(view) / width;
  for (const piece of pieces) {
    const from = Math.max(piece.from, view.from);
    const to = Math.min(piece.to, view.to);
    if (from >= to) continue;
    add_piece(rows, piece.tile.content, { from, to }, layout, view.from, px_ns, width, { from: scroll, to: scroll + height });
  }
  return rows;
}

function add_piece(
  rows: Map<number, PixelRow>, content: Content, clip: Span, layout: RowLayout, origin: number, px_ns: number,
  width: number, seen: Span,
): void {
  const { bin, from } = content;
  const visible = layout.rows.map((r) => r.y + r.height >= seen.from && r.y <= seen.to);
  for (let i = 0; i < content.bin_at.length; ++i) {
    const begin = from + content.bin_at[i]! * bin;
    if (begin + bin <= clip.from || begin >= clip.to) continue;
    const index = layout.row_of_lane[content.bin_lane[i]!] ?? -1;
    if (index < 0 || !visible[index]) continue;
    let row = rows.get(index);
    if (!row) {
      row = { level: new Uint8Array(width), kind: new Uint8Array(width), error: new Uint8Array(width) };
      rows.set(index, row);
    }
    const left = Math.max(0, Math.floor((Math.max(begin, clip.from) - origin) / px_ns));
    const right = Math.min(width, Math.max(left + 1, Math.floor((Math.min(begin + bin, clip.to) - origin) / px_ns)));
    const level = Math.min(255, Math.max(8, Math.round(content.bin_busy[i]! * 255)));
    for (let x = left; x < right; ++x) {
      if (level <= row.level[x]!) continue;
      row.level[x] = level;
      row.kind[x] = content.bin_kind[i]!;
    }
    if (content.bin_errors[i]! > 0 && left < width) row.error[left] = 1;
  }
}

// A rank's open operations lie in its first row.
export function bars_by_row(bars: OpenBar[], layout: RowLayout): Map<number, OpenBar[]> {
  const rows = new Map<number, OpenBar[]>();
  for (const bar of bars) {
    const index = layout.rows.findIndex((r) => r.rank === bar.rank);
    if (index < 0) continue;
    rows.set(index, [...(rows.get(index) ?? []), bar]);
  }
  return rows;
}

export type Density = { share: number[]; errors: boolean[]; most: number };

// Of the whole run: operations by column, for the strip above the lanes.
export function density_of(content: Content, run: Span, columns: number): Density {
  const counts = new Array<number>(columns).fill(0);
  const errors = new Array<boolean>(columns).fill(false);
  const column = (ns: number): number => Math.floor(((ns - run.from) / Math.max(1, span_ns(run))) * columns);
  const add = (ns: number, n: number, failed: boolean): void => {
    const at = Math.min(columns - 1, column(ns));
    if (at < 0) return;
    counts[at]! += n;
    if (failed) errors[at] = true;
  };
  content.bin_at.forEach((at, i) => {
    const begin = content.from + at * content.bin;
    const first = Math.max(0, column(begin));
    const last = Math.min(columns - 1, Math.max(first, column(begin + content.bin) - 1));
    for (let x = first; x <= last; ++x) counts[x]! += content.bin_count[i]! / (last - first + 1);
    if (content.bin_errors[i]! > 0) errors[Math.min(first, columns - 1)] = true;
  });
  for (const op of content.ops) add(op.begin, 1, op.error);
  const most = Math.max(0, ...counts);
  return { share: counts.map((n) => (most > 0 ? n / most : 0)), errors, most };
}
