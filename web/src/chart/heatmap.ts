// The heat map of durations on a canvas.
import type { HeatMap } from "../api/types";
import { frame_of, heat_share, most_of, used_buckets, x_ticks, y_ticks } from "../model/heat";
import { css, viridis } from "../model/palette";
import { ink_of } from "./lines";

export type Band = { from: number; to: number } | null; // px, while dragging

export function draw_heat_map(canvas: HTMLCanvasElement, map: HeatMap, width: number, height: number, band: Band): void {
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  draw_axes(context, canvas, map, width, height);
  draw_cells(context, map, width, height);
  if (band) draw_band(context, band, height);
}

function draw_cells(context: CanvasRenderingContext2D, map: HeatMap, width: number, height: number): void {
  const frame = frame_of(width, height);
  const { first, last } = used_buckets(map);
  const most = most_of(map);
  const cell_height = frame.height / (last - first + 1);
  const cell_width = frame.width / map.columns.length;
  const colours = Array.from({ length: 65 }, (_, i) => css(viridis(0.08 + 0.92 * (i / 64))));
  map.columns.forEach((column, i) => {
    const x = Math.round(frame.left + i * cell_width);
    const next = Math.round(frame.left + (i + 1) * cell_width);
    for (let b = first; b <= last; ++b) {
      const count = column[b] ?? 0;
      if (count === 0) continue;
      const y = Math.round(frame.top + frame.height - (b - first + 1) * cell_height);
      context.fillStyle = colours[Math.round(heat_share(count, most) * 64)]!;
      context.fillRect(x, y, Math.max(1, next - x), Math.ceil(cell_height));
    }
  });
}

function draw_axes(context: CanvasRenderingContext2D, canvas: HTMLCanvasElement, map: HeatMap, width: number, height: number): void {
  const frame = frame_of(width, height);
  const ink = ink_of(canvas);
  context.font = ink.font;
  context.fillStyle = ink.text;
  context.strokeStyle = ink.grid;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const tick of y_ticks(map, frame)) {
    context.fillText(tick.text, frame.left - 8, Math.max(8, tick.at));
    context.beginPath();
    context.moveTo(frame.left, Math.round(tick.at) + 0.5);
    context.lineTo(frame.left + frame.width, Math.round(tick.at) + 0.5);
    context.stroke();
  }
  const ticks = x_ticks(map, frame);
  ticks.forEach((tick, i) => {
    context.textAlign = i === 0 ? "left" : i === ticks.length - 1 ? "right" : "center";
    context.fillText(tick.text, tick.at, frame.top + frame.height + 14);
  });
}

function draw_band(context: CanvasRenderingContext2D, band: { from: number; to: number }, height: number): void {
  context.fillStyle = "rgb(127 160 220 / 30%)";
  context.fillRect(Math.min(band.from, band.to), 0, Math.abs(band.to - band.from), height - 28);
}
