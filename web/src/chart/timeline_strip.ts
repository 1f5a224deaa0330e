// The strip above the lanes: how much went on in the whole run, and which part of it is on the screen.

import type { Density } from "../model/timeline_pixels";
import { x_of, type Span } from "../model/timeline_view";
import type { Ink } from "./timeline_ink";

export type Strip = {
  width: number;
  height: number;
  dpr: number;
  run: Span;
  view: Span;
  selected: Span | null;
  density: Density | null;
  ink: Ink;
};

export function draw_strip(c: CanvasRenderingContext2D, s: Strip): void {
  c.setTransform(s.dpr, 0, 0, s.dpr, 0, 0);
  c.fillStyle = s.ink.sunken;
  c.fillRect(0, 0, s.width, s.height);
  if (s.density) draw_density(c, s, s.density);
  if (s.selected) mark(c, s, s.selected);
  brush(c, s);
}

// By the square root: quiet stretches are seen beside busy ones.
function draw_density(c: CanvasRenderingContext2D, s: Strip, density: Density): void {
  const step = s.width / density.share.length;
  const full = s.height - 8;
  c.fillStyle = s.ink.quiet;
  density.share.forEach((share, i) => {
    if (share === 0) return;
    const high = Math.max(1, Math.sqrt(share) * full);
    c.fillRect(i * step, s.height - high, Math.max(1, step), high);
  });
  c.fillStyle = s.ink.critical;
  density.errors.forEach((failed, i) => {
    if (failed) c.fillRect(i * step - 2, 1, 5, 5);
  });
}

function mark(c: CanvasRenderingContext2D, s: Strip, span: Span): void {
  const from = x_of(span.from, s.run, s.width);
  c.fillStyle = s.ink.accent;
  c.globalAlpha = 0.25;
  c.fillRect(from, 0, Math.max(2, x_of(span.to, s.run, s.width) - from), s.height);
  c.globalAlpha = 1;
}

function brush(c: CanvasRenderingContext2D, s: Strip): void {
  const from = Math.max(0, x_of(s.view.from, s.run, s.width));
  const to = Math.min(s.width, Math.max(from + 3, x_of(s.view.to, s.run, s.width)));
  c.fillStyle = s.ink.surface;
  c.globalAlpha = 0.55;
  c.fillRect(0, 0, from, s.height);
  c.fillRect(to, 0, s.width - to, s.height);
  c.globalAlpha = 1;
  c.strokeStyle = s.ink.accent;
  c.lineWidth = 2;
  c.strokeRect(from + 1, 1, Math.max(1, to - from - 2), s.height - 2);
}
