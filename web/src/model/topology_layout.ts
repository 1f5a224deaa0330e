// Where each box lies. The same machine always looks the same: no forces, no chance.

import type { Box, Cable, Machine } from "./topology_tree";

export type Placed = {
  box: Box;
  x: number; // of the middle
  y: number;
  width: number;
  height: number;
  parent: string | null;
  leaf: boolean;
};

export type Wire = {
  cable: Cable;
  bend: number; // px off the straight line: several between two boxes lie side by side
  width: number; // for the capacity
  fill: number; // for the use; 0: none, or not known
};

export type Drawing = { placed: Placed[]; wires: Wire[]; width: number; height: number };

type Size = { width: number; height: number };
type Part = Size & { box: Box; at: { x: number; y: number }; parts: Part[] };

export const kLeaf: Size = { width: 128, height: 48 };
const kPad = 20;
const kHead = 24; // room for the label of a box that holds others
const kGap = 44;
const kWidest = 12;

// Of each pair of boxes that some cable joins, lifted to the children of one parent.
type Joined = (a: Box, b: Box) => boolean;
type How = { joined: Joined; narrow: boolean };

// `narrow`: for a phone, what would lie in a row lies in a column.
export function drawing_of(machine: Machine, narrow = false): Drawing {
  const joined = joined_of(machine);
  const how = { joined, narrow };
  const top = arrange(machine.roots.map((b) => measure(b, how)), how);
  const placed: Placed[] = [];
  for (const part of top.parts) place(part, 0, 0, null, placed);
  return { placed, wires: around(wires_of(machine.cables), placed, top.height), width: top.width, height: top.height };
}

function measure(box: Box, how: How): Part {
  const at = { x: 0, y: 0 };
  if (box.children.length === 0) return { ...kLeaf, box, at, parts: [] };
  const inner = arrange(box.children.map((c) => measure(c, how)), how);
  for (const p of inner.parts) {
    p.at.x += kPad;
    p.at.y += kPad + kHead;
  }
  return { width: inner.width + 2 * kPad, height: inner.height + 2 * kPad + kHead, box, at, parts: inner.parts };
}

function place(part: Part, x: number, y: number, parent: string | null, out: Placed[]): void {
  const left = x + part.at.x;
  const top = y + part.at.y;
  const { box, width, height } = part;
  out.push({ box, x: left + width / 2, y: top + height / 2, width, height, parent, leaf: part.parts.length === 0 });
  for (const inner of part.parts) place(inner, left, top, box.id, out);
}

// A hub in the middle of what hangs on it, a ring where most are joined to each other, else rows.
function arrange(parts: Part[], { joined, narrow }: How): Size & { parts: Part[] } {
  const degree = parts.map((a) => parts.filter((b) => a !== b && joined(a.box, b.box)).length);
  const pairs = degree.reduce((sum, d) => sum + d, 0) / 2;
  const most = Math.max(0, ...degree);
  const hubs = degree.filter((d) => d === most).length;
  if (parts.length > 3 && hubs === 1 && most === parts.length - 1 && pairs === most) {
    const hub = degree.indexOf(most);
    return ring(parts.filter((_, i) => i !== hub), parts[hub]!);
  }
  const some = pairs >= parts.length - 1 && degree.every((d) => d > 0);
  if (parts.length > 2 && parts.length <= 24 && alike(parts) && (parts.length > 3 ? some : pairs > 2)) return ring(parts, null);
  return rows(parts, narrow);
}

// One that is much larger than the others would blow a ring up.
function alike(parts: Part[]): boolean {
  const widths = parts.map((p) => p.width);
  return Math.max(...widths) <= 1.6 * Math.min(...widths);
}

function ring(parts: Part[], hub: Part | null): Size & { parts: Part[] } {
  const widest = Math.max(...parts.map((p) => p.width), hub?.width ?? 0);
  const highest = Math.max(...parts.map((p) => p.height), hub?.height ?? 0);
  const n = parts.length;
  const chord = Math.max(hub ? 1.1 : 0, 1 / (2 * Math.sin(Math.PI / n)));
  const rx = (widest + kGap) * chord;
  const ry = (highest + kGap * 1.4) * chord * (n > 6 ? 1.2 : 1);
  // Read from the left: three as a triangle, four as a square, more clockwise from the top.
  const first = n === 4 ? (-3 * Math.PI) / 4 : -Math.PI / 2;
  const step = ((n === 3 ? -2 : 2) * Math.PI) / n;
  parts.forEach((p, i) => {
    const angle = first + step * i;
    p.at = { x: rx * Math.cos(angle) - p.width / 2, y: ry * Math.sin(angle) - p.height / 2 };
  });
  const all = hub ? [...parts, hub] : parts;
  if (hub) hub.at = { x: -hub.width / 2, y: -hub.height / 2 };
  return to_origin(all);
}

function rows(parts: Part[], narrow: boolean): Size & { parts: Part[] } {
  const area = parts.reduce((sum, p) => sum + (p.width + kGap) * (p.height + kGap), 0);
  const limit = Math.max(Math.sqrt(area * (narrow ? 0.4 : 1.9)), ...parts.map((p) => p.width));
  let x = 0;
  let y = 0;
  let high = 0;
  for (const p of parts) {
    if (x > 0 && x + p.width > limit && (narrow || parts.length > 3)) {
      x = 0;
      y += high + kGap;
      high = 0;
    }
    p.at = { x, y };
    x += p.width + kGap;
    high = Math.max(high, p.height);
  }
  return to_origin(parts);
}

function to_origin(parts: Part[]): Size & { parts: Part[] } {
  const left = Math.min(...parts.map((p) => p.at.x));
  const top = Math.min(...parts.map((p) => p.at.y));
  for (const p of parts) p.at = { x: Math.round(p.at.x - left), y: Math.round(p.at.y - top) };
  const width = Math.max(0, ...parts.map((p) => p.at.x + p.width));
  const height = Math.max(0, ...parts.map((p) => p.at.y + p.height));
  return { parts, width, height };
}

function joined_of(machine: Machine): Joined {
  const above = new Map<string, string[]>(); // of each box: itself and all that hold it
  const visit = (box: Box, chain: string[]): void => {
    const own = [box.id, ...chain];
    above.set(box.id, own);
    for (const child of box.children) visit(child, own);
  };
  for (const box of machine.roots) visit(box, []);
  const pairs = new Set<string>();
  for (const c of machine.cables) {
    for (const a of above.get(c.from) ?? []) {
      for (const b of above.get(c.to) ?? []) if (a !== b) pairs.add(`${a}\u0000${b}`).add(`${b}\u0000${a}`);
    }
  }
  return (a, b) => pairs.has(`${a.id}\u0000${b.id}`);
}

export function wires_of(cables: Cable[]): Wire[] {
  const most = Math.max(0, ...cables.map((c) => c.capacity_gbs ?? 0));
  const between = new Map<string, number>();
  const key = (c: Cable): string => [c.from, c.to].sort().join("\u0000");
  for (const c of cables) between.set(key(c), (between.get(key(c)) ?? 0) + 1);
  const met = new Map<string, number>();
  return cables.map((cable) => {
    const k = key(cable);
    const i = met.get(k) ?? 0;
    met.set(k, i + 1);
    const side = (i - ((between.get(k) ?? 1) - 1) / 2) * 40;
    const width = wire_width(cable.capacity_gbs, most);
    const use = cable.utilisation === null ? 0 : Math.min(1, Math.max(0, cable.utilisation));
    return { cable, bend: cable.from < cable.to ? side : -side, width, fill: use === 0 ? 0 : Math.max(1.5, use * width) };
  });
}

// A wire that would run through other boxes goes round them, downwards in the lower half, else upwards.
function around(wires: Wire[], placed: Placed[], height: number): Wire[] {
  const at = new Map(placed.map((p) => [p.box.id, p]));
  const leaves = placed.filter((p) => p.leaf);
  return wires.map((w) => {
    const a = at.get(w.cable.from);
    const b = at.get(w.cable.to);
    if (!a || !b || w.bend !== 0 || !a.leaf || !b.leaf) return w;
    const between = leaves.filter((p) => p !== a && p !== b && crosses(a, b, p)).length;
    if (between === 0) return w;
    const side = (a.y + b.y) / 2 >= height / 2 - 1 ? 1 : -1;
    const way = a.x <= b.x ? 1 : -1;
    return { ...w, bend: side * way * (28 + 48 * between) };
  });
}

function crosses(a: Placed, b: Placed, p: Placed): boolean {
  const kSteps = 24;
  for (let i = 1; i < kSteps; ++i) {
    const x = a.x + ((b.x - a.x) * i) / kSteps;
    const y = a.y + ((b.y - a.y) * i) / kSteps;
    if (Math.abs(x - p.x) < p.width / 2 && Math.abs(y - p.y) < p.height / 2) return true;
  }
  return false;
}

// How high a picture of it is at the size of life, with air round it.
export function natural_height(drawing: Drawing): number {
  return Math.round(drawing.height * 1.5 + 96);
}

function wire_width(capacity: number | null, most: number): number {
  if (capacity === null || most <= 0) return 2;
  return Math.max(3, kWidest * Math.sqrt(capacity / most));
}
