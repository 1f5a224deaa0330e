// The axis: ticks, what they count from, and where the pointer is.

import { axis_of, x_of, type Span } from "../model/timeline_view";
import type { Ink } from "./timeline_ink";

export type AxisFrame = { width: number; height: number; dpr: number; view: Span; hover: number | null; ink: Ink };

export function draw_axis(c: CanvasRenderingContext2D, a: AxisFrame): void {
  const axis = axis_of(a.view, a.width);
  c.setTransform(a.dpr, 0, 0, a.dpr, 0, 0);
  c.fillStyle = a.ink.surface;
  c.fillRect(0, 0, a.width, a.height);
  c.font = `12px ${a.ink.font}`;
  c.textBaseline = "middle";
  for (const tick of axis.ticks) {
    const x = Math.round(x_of(tick.at, a.view, a.width));
    c.fillStyle = a.ink.line_strong;
    c.fillRect(x, a.height - 6, 1, 6);
    c.fillStyle = a.ink.quiet;
    if (x + 4 + tick.text.length * 6.5 < a.width) c.fillText(tick.text, x + 4, a.height / 2 + 1);
  }
  c.fillStyle = a.ink.line;
  c.fillRect(0, a.height - 1, a.width, 1);
  if (a.hover === null) return;
  c.fillStyle = a.ink.accent;
  c.fillRect(Math.round(x_of(a.hover, a.view, a.width)) - 1, a.height - 8, 3, 8);
}
