// The drawing as an SVG file that stands alone.

import type { Drawing, Placed, Wire } from "./topology_layout";
import type { Health } from "./topology_tree";

export type Ink = {
  surface: string;
  line: string;
  text: string;
  quiet: string;
  track: string; // of a wire: its capacity
  health: Record<Health, string>;
};

export const kHealthMark: Record<Health, string> = { ok: "●", warning: "▲", critical: "■", unknown: "○" };

// `share` of the way from one #rrggbb (or #rgb) to another.
export function blend(a: string, b: string, share: number): string {
  const long = (hex: string): string => (hex.length === 4 ? hex.replace(/[0-9a-f]/gi, "$&$&") : hex);
  const parts = (hex: string): number[] => [1, 3, 5].map((i) => parseInt(long(hex).slice(i, i + 2), 16));
  const [from, to] = [parts(a), parts(b)];
  if ([...from, ...to].some(Number.isNaN)) return b;
  return "#" + from.map((v, i) => Math.round(v + (to[i]! - v) * share).toString(16).padStart(2, "0")).join("");
}

export function escape_xml(text: string): string {
  const named: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (c) => named[c]!).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "");
}

function box_svg(p: Placed, ink: Ink): string {
  const left = p.x - p.width / 2;
  const top = p.y - p.height / 2;
  const label = escape_xml(p.box.label);
  const mark = p.box.health === "warning" || p.box.health === "critical" ? `${kHealthMark[p.box.health]} ` : "";
  const stroke = mark ? ink.health[p.box.health] : ink.line;
  const frame = `<rect x="${left}" y="${top}" width="${p.width}" height="${p.height}" rx="6" fill="${ink.surface}" stroke="${stroke}"/>`;
  if (!p.leaf) return `${frame}<text x="${left + 12}" y="${top + 20}" fill="${ink.quiet}">${mark}${label}</text>`;
  const y = p.box.detail ? p.y - 3 : p.y + 5;
  const second = p.box.detail
    ? `<text x="${p.x}" y="${p.y + 15}" text-anchor="middle" fill="${ink.quiet}" font-size="11">${escape_xml(p.box.detail)}</text>`
    : "";
  return `${frame}<text x="${p.x}" y="${y}" text-anchor="middle" fill="${ink.text}">${mark}${label}</text>${second}`;
}

// Where the straight line from the middle of `a` to the middle of `b` leaves `a`.
function leave(a: Placed, b: Placed): { x: number; y: number } {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const share = Math.min(a.width / 2 / Math.max(1e-9, Math.abs(dx)), a.height / 2 / Math.max(1e-9, Math.abs(dy)), 1);
  return { x: Math.round(a.x + dx * share), y: Math.round(a.y + dy * share) };
}

function wire_svg(w: Wire, at: Map<string, Placed>, ink: Ink): string {
  const from = at.get(w.cable.from);
  const to = at.get(w.cable.to);
  if (!from || !to) return "";
  const a = leave(from, to);
  const b = leave(to, from);
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const x = (a.x + b.x) / 2 - ((b.y - a.y) / length) * w.bend * 2;
  const y = (a.y + b.y) / 2 + ((b.x - a.x) / length) * w.bend * 2;
  const d = w.bend === 0 ? `M${a.x} ${a.y}L${b.x} ${b.y}` : `M${a.x} ${a.y}Q${x} ${y} ${b.x} ${b.y}`;
  const dash = w.cable.capacity_gbs === null ? ' stroke-dasharray="4 4"' : "";
  const track = `<path d="${d}" fill="none" stroke="${ink.track}" stroke-width="${w.width}"${dash}/>`;
  if (w.fill === 0) return track;
  return `${track}<path d="${d}" fill="none" stroke="${ink.health[w.cable.health]}" stroke-width="${w.fill}"/>`;
}

export function svg_of(drawing: Drawing, ink: Ink): string {
  const at = new Map(drawing.placed.map((p) => [p.box.id, p]));
  const frames = drawing.placed.filter((p) => !p.leaf).map((p) => box_svg(p, ink));
  const wires = drawing.wires.map((w) => wire_svg(w, at, ink));
  const leaves = drawing.placed.filter((p) => p.leaf).map((p) => box_svg(p, ink));
  const margin = 24;
  const width = drawing.width + 2 * margin;
  const height = drawing.height + 2 * margin;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${-margin} ${-margin} ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<rect x="${-margin}" y="${-margin}" width="${width}" height="${height}" fill="${ink.surface}"/>`,
    ...frames, ...wires, ...leaves, "</svg>",
  ].join("\n");
}
