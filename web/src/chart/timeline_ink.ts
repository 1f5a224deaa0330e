// The colours of the canvas, from the page's tokens: one set a theme.

import { kKindColours } from "../model/timeline_kinds";

export type Ink = {
  dark: boolean;
  surface: string;
  sunken: string;
  line: string;
  line_strong: string;
  text: string;
  quiet: string;
  accent: string;
  accent_soft: string;
  critical: string;
  font: string;
  kinds: string[];
  hatches: CanvasPattern[];
};

export const kHatchPx = 8;

export function read_ink(dark: boolean, dpr: number): Ink {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string): string => style.getPropertyValue(name).trim();
  const kinds = kKindColours.map((c) => (dark ? c.dark : c.light));
  return {
    dark,
    surface: token("--surface"),
    sunken: token("--sunken"),
    line: token("--line"),
    line_strong: token("--line-strong"),
    text: token("--text"),
    quiet: token("--text-3"),
    accent: token("--accent"),
    accent_soft: token("--accent-soft"),
    critical: token("--critical"),
    font: token("--font") || "sans-serif",
    kinds,
    hatches: kinds.map((colour) => hatch(colour, dpr)),
  };
}

// Strokes from corner to corner, drawn at the screen's own resolution.
function hatch(colour: string, dpr: number): CanvasPattern {
  const side = Math.round(kHatchPx * dpr);
  const tile = document.createElement("canvas");
  tile.width = side;
  tile.height = side;
  const c = tile.getContext("2d")!;
  c.globalAlpha = 0.16;
  c.fillStyle = colour;
  c.fillRect(0, 0, side, side);
  c.globalAlpha = 0.85;
  c.strokeStyle = colour;
  c.lineWidth = 1.5 * dpr;
  for (const shift of [-side, 0, side]) {
    c.beginPath();
    c.moveTo(shift - dpr, side + dpr);
    c.lineTo(shift + side + dpr, -dpr);
    c.stroke();
  }
  return c.createPattern(tile, "repeat")!;
}

// The hatch moves with what it is on: `shift` px.
export function move_hatches(ink: Ink, shift: number, dpr: number): void {
  const matrix = new DOMMatrix().translate(shift, 0).scale(1 / dpr);
  for (const h of ink.hatches) h.setTransform(matrix);
}
