// What the canvas draws: operations, collectives and bins of the tiles in view, once each, by lane.

import type { components } from "../api/schema";
import { kind_index } from "./timeline_kinds";
import { lane_ids, type LaneTable } from "./timeline_lanes";
import type { Piece } from "./timeline_tiles";

export type Answer = components["schemas"]["Timeline"];
export type AnswerOperation = Answer["operations"][number];

// An answer, its lanes numbered by the lane table.
export interface Content {
  from: number;
  bin: number;
  ops: SceneOp[];
  bin_lane: number[];
  bin_at: number[];
  bin_count: number[];
  bin_errors: number[];
  bin_busy: number[];
  bin_kind: number[];
}

export interface SceneOp {
  lane: number;
  begin: number;
  end: number | null; // null: how long it took is not known
  kind: number;
  error: boolean;
  op: AnswerOperation;
  band: Band | null;
}

// A collective: from its first arrival to its last everybody who is there waits.
export interface Band {
  key: string;
  communicator: string;
  operation: string;
  sequence: number;
  first: number;
  last: number;
  end: number | null;
  lanes: number[];
  error: boolean;
}

export interface Scene {
  ops: SceneOp[]; // by begin
  bands: Band[];
  bins: Piece<Content>[]; // only those whose content is bins
  longest: number; // of the operations, ns: how far left of the view one may begin and still be seen
}

export interface Chosen {
  communicator: string;
  operation: string;
  sequence: number;
}

export function band_key(c: Chosen): string {
  return `${c.communicator}/${c.operation}/${c.sequence}`;
}

export function content_of(answer: Answer, table: LaneTable): Content {
  const ids = lane_ids(table, answer.lanes);
  const ops = answer.operations.map((op): SceneOp => ({
    lane: ids[op.lane] ?? 0,
    begin: op.begin_ns,
    end: op.duration_ns === null ? null : op.begin_ns + op.duration_ns,
    kind: kind_index(op.operation),
    error: op.error,
    op,
    band: null,
  }));
  const b = answer.bins;
  return {
    from: answer.from_ns,
    bin: Math.max(1, answer.bin_ns),
    ops,
    bin_lane: b.lane.map((lane) => ids[lane] ?? 0),
    bin_at: b.bin,
    bin_count: b.count,
    bin_errors: b.errors,
    bin_busy: b.busy,
    bin_kind: b.operation.map(kind_index),
  };
}

export function is_exact(content: Content): boolean {
  return content.bin_at.length === 0;
}

export function weight_of(content: Content): number {
  return 16 + content.ops.length * 4 + content.bin_at.length;
}

export function scene_of(pieces: Piece<Content>[]): Scene {
  const seen = new Set<string>();
  const ops: SceneOp[] = [];
  let longest = 0;
  for (const piece of pieces) {
    for (const op of piece.tile.content.ops) {
      // One that began in the tile before may be in both.
      if (op.begin >= piece.to && piece.to < piece.tile.content.from) continue;
      const key = `${op.lane}/${op.begin}/${op.op.operation}/${op.op.sequence}`;
      if (seen.has(key)) continue;
      seen.add(key);
      ops.push(op);
      if (op.end !== null) longest = Math.max(longest, op.end - op.begin);
    }
  }
  ops.sort((a, b) => a.begin - b.begin);
  return { ops, bands: bands_of(ops), bins: pieces.filter((p) => !is_exact(p.tile.content)), longest };
}

// Operations of one communicator, name and sequence on several lanes.
export function bands_of(ops: SceneOp[]): Band[] {
  const bands = new Map<string, Band>();
  for (const op of ops) {
    const chosen = chosen_of(op);
    const key = band_key(chosen);
    const band = bands.get(key);
    op.band = band ?? null;
    if (band) {
      grow_band(band, op);
      continue;
    }
    const made: Band = { key, ...chosen, first: op.begin, last: op.begin, end: op.end, lanes: [op.lane], error: op.error };
    op.band = made;
    bands.set(key, made);
  }
  const several = [...bands.values()].filter((b) => b.lanes.length > 1);
  const kept = new Set(several);
  for (const op of ops) if (op.band && !kept.has(op.band)) op.band = null;
  return several;
}

function grow_band(band: Band, op: SceneOp): void {
  band.first = Math.min(band.first, op.begin);
  band.last = Math.max(band.last, op.begin);
  band.end = band.end === null || op.end === null ? null : Math.max(band.end, op.end);
  if (!band.lanes.includes(op.lane)) band.lanes.push(op.lane);
  band.error ||= op.error;
}

export function chosen_of(op: SceneOp): Chosen {
  return { communicator: op.op.communicator_id, operation: op.op.operation, sequence: op.op.sequence };
}

// The index of the first operation that begins at or after `ns`.
export function first_after(ops: SceneOp[], ns: number): number {
  let low = 0;
  let high = ops.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ops[middle]!.begin < ns) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The operation under a point of time in one of these lanes: the one that began last, with `slack` ns of grace.
export function op_at(scene: Scene, lanes: number[], ns: number, slack: number): SceneOp | null {
  const from = first_after(scene.ops, ns - scene.longest - slack);
  let best: SceneOp | null = null;
  for (let i = from; i < scene.ops.length; ++i) {
    const op = scene.ops[i]!;
    if (op.begin > ns + slack) break;
    if (!lanes.includes(op.lane) || (op.end ?? op.begin) + slack < ns) continue;
    if (!best || distance(op, ns) <= distance(best, ns)) best = op;
  }
  return best;
}

function distance(op: SceneOp, ns: number): number {
  const end = op.end ?? op.begin;
  return ns < op.begin ? op.begin - ns : ns > end ? ns - end : 0;
}
