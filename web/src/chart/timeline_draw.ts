// Draws one frame of the lanes. What is narrower than a pixel is drawn once a pixel, so that a frame's cost is
// bounded by the screen and not by the number of operations.

import type { RowLayout } from "../model/timeline_lanes";
import type { OpenBar } from "../model/timeline_live";
import { bars_by_row, pixel_rows, type PixelRow } from "../model/timeline_pixels";
import { first_after, type Band, type Scene, type SceneOp } from "../model/timeline_scene";
import { span_ns, type Span } from "../model/timeline_view";
import { size_text } from "../model/units";
import { kHatchPx, move_hatches, type Ink } from "./timeline_ink";

export type Frame = {
  width: number;
  height: number;
  dpr: number;
  scroll: number; // px of the rows above the canvas
  view: Span;
  run: Span;
  now: number | null; // of a live run
  scene: Scene;
  layout: RowLayout;
  bars: OpenBar[];
  chosen: string | null; // key of a collective
  hovered: SceneOp | null;
  selected: Span | null;
  ink: Ink;
};

type Pen = { c: CanvasRenderingContext2D; f: Frame; x: (ns: number) => number };

const kInset = 4; // px between a row's edge and its bars
const kLabelPx = 72;

export function draw_lanes(c: CanvasRenderingContext2D, f: Frame): void {
  const scale = f.width / span_ns(f.view);
  const pen: Pen = { c, f, x: (ns) => (ns - f.view.from) * scale };
  c.setTransform(f.dpr, 0, 0, f.dpr, 0, 0);
  c.fillStyle = f.ink.surface;
  c.fillRect(0, 0, f.width, f.height);
  draw_rows(pen);
  draw_selected(pen);
  draw_bins(pen);
  move_hatches(f.ink, -((f.view.from * scale) % kHatchPx), f.dpr);
  draw_bands(pen);
  draw_open(pen);
  draw_ops(pen);
  draw_chosen(pen);
  draw_now(pen);
}

function row_y(pen: Pen, index: number): number {
  return pen.f.layout.rows[index]!.y - pen.f.scroll;
}

function draw_rows({ c, f, x }: Pen): void {
  const begin = Math.max(0, x(f.run.from));
  const end = Math.min(f.width, x(f.run.to));
  c.fillStyle = f.ink.sunken;
  if (begin > 0) c.fillRect(0, 0, begin, f.height);
  if (end < f.width) c.fillRect(end, 0, f.width - end, f.height);
  c.fillStyle = f.ink.line;
  for (const row of f.layout.rows) {
    const y = Math.round(row.y + row.height - f.scroll) - 1;
    if (y >= 0 && y < f.height) c.fillRect(0, y, f.width, 1);
  }
}

function draw_selected({ c, f, x }: Pen): void {
  if (!f.selected) return;
  const from = x(f.selected.from);
  const to = Math.max(from + 1, x(f.selected.to));
  c.fillStyle = f.ink.accent_soft;
  c.globalAlpha = 0.6;
  c.fillRect(from, 0, to - from, f.height);
  c.globalAlpha = 1;
  c.fillStyle = f.ink.accent;
  c.fillRect(Math.round(from), 0, 1, f.height);
  c.fillRect(Math.round(to) - 1, 0, 1, f.height);
}

function draw_bins(pen: Pen): void {
  const { f } = pen;
  if (f.scene.bins.length === 0) return;
  const rows = pixel_rows(f.scene.bins, f.layout, f.view, f.width, f.scroll, f.height);
  for (const [index, row] of rows) draw_pixel_row(pen, index, row);
}

function draw_pixel_row({ c, f }: Pen, index: number, pixels: PixelRow): void {
  const row = f.layout.rows[index]!;
  const bottom = row.y - f.scroll + row.height - kInset;
  const full = row.height - 2 * kInset;
  for (let x = 0; x < f.width; ) {
    const level = pixels.level[x]!;
    const kind = pixels.kind[x]!;
    let end = x + 1;
    while (end < f.width && pixels.level[end] === level && (level === 0 || pixels.kind[end] === kind)) ++end;
    if (level > 0) {
      const high = Math.max(2, Math.sqrt(level / 255) * full); // by the root: 1 % is still seen
      c.fillStyle = f.ink.kinds[kind]!;
      c.fillRect(x, bottom - high, end - x, high);
    }
    x = end;
  }
  c.fillStyle = f.ink.critical;
  for (let x = 0; x < f.width; ++x) if (pixels.error[x]) error_mark(c, x, row.y - f.scroll + 1);
}

// A square, as everywhere for what is critical, above the bar.
function error_mark(c: CanvasRenderingContext2D, x: number, y: number): void {
  c.fillRect(x - 2.5, y, 6, 6);
}

// Over all the lanes between the first and the last one that takes part.
function draw_bands(pen: Pen): void {
  const { c, f, x } = pen;
  for (const band of f.scene.bands) {
    const end = band.end ?? band.last;
    if (end < f.view.from || band.first > f.view.to) continue;
    const from = x(band.first);
    const to = x(end);
    if (to - from < 3) continue;
    const extent = band_extent(pen, band);
    if (!extent) continue;
    const last = x(band.last);
    c.globalAlpha = band.key === f.chosen ? 0.3 : 0.13;
    c.fillStyle = f.ink.quiet;
    c.fillRect(from, extent.top, last - from, extent.bottom - extent.top);
    c.globalAlpha = band.key === f.chosen ? 0.5 : 0.26;
    c.fillRect(last, extent.top, to - last, extent.bottom - extent.top);
  }
  c.globalAlpha = 1;
}

function band_extent(pen: Pen, band: Band): { top: number; bottom: number } | null {
  let top = Infinity;
  let bottom = -Infinity;
  for (const lane of band.lanes) {
    const index = pen.f.layout.row_of_lane[lane] ?? -1;
    if (index < 0) continue;
    const y = row_y(pen, index);
    top = Math.min(top, y + kInset);
    bottom = Math.max(bottom, y + pen.f.layout.rows[index]!.height - kInset);
  }
  return bottom < 0 || top > pen.f.height ? null : { top, bottom };
}

function draw_ops(pen: Pen): void {
  const { f, x } = pen;
  const { ops, longest } = f.scene;
  const drawn = new Int32Array(f.layout.rows.length).fill(-1000);
  for (let i = first_after(ops, f.view.from - longest); i < ops.length; ++i) {
    const op = ops[i]!;
    if (op.begin > f.view.to) break;
    const index = f.layout.row_of_lane[op.lane] ?? -1;
    if (index < 0) continue;
    const y = row_y(pen, index);
    const height = f.layout.rows[index]!.height;
    if (y + height < 0 || y > f.height) continue;
    const from = x(op.begin);
    const to = Math.max(from + 1, x(op.end ?? op.begin));
    if (to < 0) continue;
    if (to - from <= 1.5 && Math.floor(from) === drawn[index] && !op.error) continue;
    drawn[index] = Math.floor(from);
    draw_op(pen, op, from, to, y + kInset, height - 2 * kInset);
  }
}

function draw_op(pen: Pen, op: SceneOp, from: number, to: number, y: number, height: number): void {
  const { c, f, x } = pen;
  const waits = op.band ? Math.min(to, Math.max(from, x(op.band.last))) : from;
  // A gap of a pixel keeps neighbours apart once there is room for it.
  const end = to - from > 4 ? to - 1 : to;
  const left = Math.max(from, -2);
  const right = Math.min(end, f.width + 2);
  const middle = Math.min(Math.max(waits, left), right);
  if (middle > left) {
    c.fillStyle = middle - left < 3 ? f.ink.kinds[op.kind]! : f.ink.hatches[op.kind]!;
    c.globalAlpha = middle - left < 3 ? 0.45 : 1;
    c.fillRect(left, y, middle - left, height);
    c.globalAlpha = 1;
  }
  c.fillStyle = f.ink.kinds[op.kind]!;
  if (right > middle) c.fillRect(middle, y, right - middle, height);
  if (op.end === null) c.fillRect(left, y, 2, height);
  if (op === f.hovered || op.error) outline(pen, op, left, y, right - left, height);
  if (right - middle > kLabelPx) label(pen, op, middle, y, right - middle, height);
}

function outline({ c, f }: Pen, op: SceneOp, left: number, y: number, width: number, height: number): void {
  c.strokeStyle = op.error ? f.ink.critical : f.ink.text;
  c.lineWidth = 2;
  if (width > 3) c.strokeRect(left, y, width, height);
  if (!op.error) return;
  c.fillStyle = f.ink.critical;
  error_mark(c, left, y - kInset + 1);
}

// Black on the light colours and on all of the dark theme's, which are bright; else white.
function label({ c, f }: Pen, op: SceneOp, left: number, y: number, width: number, height: number): void {
  c.fillStyle = f.ink.dark || op.kind === 1 || op.kind === 3 || op.kind === 4 || op.kind === 5 ? "#0b0e13" : "#ffffff";
  c.font = `12px ${f.ink.font}`;
  c.textBaseline = "middle";
  const most = Math.floor((width - 12) / 6.4);
  const long = `${op.op.operation}  ${size_text(op.op.bytes)}`;
  const text = long.length <= most ? long : op.op.operation.length <= most ? op.op.operation : "";
  if (text) c.fillText(text, left + 6, y + height / 2 + 0.5);
}

function draw_open(pen: Pen): void {
  const { c, f, x } = pen;
  if (f.now === null) return;
  for (const [index, bars] of bars_by_row(f.bars, f.layout)) {
    const row = f.layout.rows[index]!;
    const y = row.y - f.scroll + kInset;
    for (const bar of bars) {
      const from = Math.max(-2, x(bar.begin));
      const to = Math.min(f.width + 2, x(f.now));
      if (to < 0 || from > f.width || to - from < 1) continue;
      c.fillStyle = f.ink.hatches[bar.kind]!;
      c.fillRect(from, y, to - from, row.height - 2 * kInset);
      c.strokeStyle = bar.hung ? f.ink.critical : f.ink.kinds[bar.kind]!;
      c.lineWidth = 1.5;
      c.setLineDash([4, 3]);
      c.strokeRect(from, y, to - from, row.height - 2 * kInset);
      c.setLineDash([]);
    }
  }
}

function draw_chosen(pen: Pen): void {
  const { c, f, x } = pen;
  if (f.chosen === null) return;
  c.strokeStyle = f.ink.accent;
  c.lineWidth = 2;
  const band = f.scene.bands.find((b) => b.key === f.chosen);
  if (band) {
    const extent = band_extent(pen, band);
    const from = x(band.first);
    const width = Math.max(4, x(band.end ?? band.last) - from);
    if (extent) c.strokeRect(from - 2, extent.top - 3, width + 4, extent.bottom - extent.top + 6);
    return;
  }
  for (const op of f.scene.ops) {
    if (`${op.op.communicator_id}/${op.op.operation}/${op.op.sequence}` !== f.chosen) continue;
    const index = f.layout.row_of_lane[op.lane] ?? -1;
    if (index < 0) continue;
    const from = x(op.begin);
    const width = Math.max(4, x(op.end ?? op.begin) - from);
    c.strokeRect(from - 2, row_y(pen, index) + 1, width + 4, f.layout.rows[index]!.height - 2);
  }
}

function draw_now({ c, f, x }: Pen): void {
  if (f.now === null) return;
  const at = Math.round(x(f.now));
  if (at < 0 || at > f.width) return;
  c.fillStyle = f.ink.accent;
  c.fillRect(at, 0, 1, f.height);
}

