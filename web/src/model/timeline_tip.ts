// The lines of the tip at the pointer.

import type { SceneOp } from "./timeline_scene";
import { absolute_time, exact_seconds } from "./timeline_view";
import { duration_text, grouped, size_text } from "./units";

export type TipLine = { label: string; text: string; bad: boolean };
export type Tip = { size: string; lines: TipLine[] };

export function tip_of(op: SceneOp, clock: "host" | "device", start_unix_ns: string | null): Tip {
  const lines: TipLine[] = [];
  const add = (label: string, text: string, bad = false): unknown => lines.push({ label, text, bad });
  add("begin", exact_seconds(op.begin));
  if (start_unix_ns) add("at", absolute_time(start_unix_ns, op.begin));
  add(`took (${clock})`, op.end === null ? "– not recorded" : duration_text(op.end - op.begin));
  const wait = waited(op);
  if (wait !== null) add("waited", duration_text(wait));
  if (op.op.algorithm) add("algorithm", op.op.algorithm);
  add("sequence", grouped(op.op.sequence));
  if (op.error) add("status", "■ failed", true);
  return { size: size_text(op.op.bytes), lines };
}

// For the last of the others, as far as it was still there.
export function waited(op: SceneOp): number | null {
  if (!op.band) return null;
  return Math.max(0, Math.min(op.band.last, op.end ?? op.band.last) - op.begin);
}

// Beside the pointer, on the side where there is room; above it rather than cut off below.
export function tip_place(
  at: { x: number; y: number }, tip: { width: number; height: number }, room: { width: number; height: number },
): { x: number; y: number } {
  const x = at.x + 14 + tip.width > room.width ? Math.max(0, at.x - 14 - tip.width) : at.x + 14;
  const y = at.y + 18 + tip.height > room.height ? at.y - 12 - tip.height : at.y + 18;
  return { x, y };
}
