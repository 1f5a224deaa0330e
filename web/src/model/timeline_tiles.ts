// Tiles of the timeline: answers of the server on a grid of powers of two, the least recently used forgotten
// first. A tile that has single operations is exact: whatever lies within it needs no finer one.

import type { Span } from "./timeline_view";

export interface TileAddress {
  level: number; // it covers 2^level ns
  index: number;
}

export interface Tile<T> extends TileAddress {
  content: T;
  exact: boolean;
  settled: boolean; // no more operations will come into it
  fetched_ms: number;
  took_ms: number; // to fetch it
  weight: number;
}

export interface TileCache<T> {
  tiles: Map<string, Tile<T>>; // the least recently used first
  weight: number;
  budget: number;
}

// What to draw: a tile, and the part of time for which it is the best there is.
export interface Piece<T> extends Span {
  tile: Tile<T>;
}

export const kTilePx = 512;
export const kFinestLevel = 10;
export const kCoarsestLevel = 52;

export function tile_cache<T>(budget: number): TileCache<T> {
  return { tiles: new Map(), weight: 0, budget };
}

export function tile_key(a: TileAddress): string {
  return `${a.level}/${a.index}`;
}

export function tile_range(a: TileAddress): Span {
  const span = 2 ** a.level;
  return { from: a.index * span, to: (a.index + 1) * span };
}

// The level at which a tile is at most kTilePx wide.
export function level_for(span: number, width: number): number {
  const level = Math.floor(Math.log2((span / Math.max(1, width)) * kTilePx));
  return Math.min(Math.max(level, kFinestLevel), kCoarsestLevel);
}

export function tiles_over(span: Span, level: number, run: Span): TileAddress[] {
  const size = 2 ** level;
  const from = Math.max(span.from, run.from);
  const to = Math.min(span.to, run.to);
  const found: TileAddress[] = [];
  for (let i = Math.floor(from / size); i * size <= to && from <= to; ++i) found.push({ level, index: i });
  return found;
}

export function put_tile<T>(cache: TileCache<T>, tile: Tile<T>, pinned?: TileAddress[]): void {
  const key = tile_key(tile);
  const old = cache.tiles.get(key);
  if (old) cache.weight -= old.weight;
  cache.tiles.delete(key);
  cache.tiles.set(key, tile);
  cache.weight += tile.weight;
  const keep = new Set((pinned ?? []).map(tile_key));
  for (const [name, victim] of cache.tiles) {
    if (cache.weight <= cache.budget) break;
    if (name === key || keep.has(name)) continue;
    cache.tiles.delete(name);
    cache.weight -= victim.weight;
  }
}

function use<T>(cache: TileCache<T>, a: TileAddress): Tile<T> | undefined {
  const key = tile_key(a);
  const tile = cache.tiles.get(key);
  if (!tile) return undefined;
  cache.tiles.delete(key);
  cache.tiles.set(key, tile);
  return tile;
}

// The tile itself, or the nearest one above it.
function at_or_above<T>(cache: TileCache<T>, a: TileAddress): Tile<T> | undefined {
  let index = a.index;
  for (let level = a.level; level <= kCoarsestLevel; ++level) {
    const tile = use(cache, { level, index });
    if (tile) return tile;
    index = Math.floor(index / 2);
  }
  return undefined;
}

function exact_above<T>(cache: TileCache<T>, a: TileAddress): Tile<T> | undefined {
  let index = Math.floor(a.index / 2);
  for (let level = a.level + 1; level <= kCoarsestLevel; ++level) {
    const tile = cache.tiles.get(tile_key({ level, index }));
    if (tile?.exact) return use(cache, tile);
    index = Math.floor(index / 2);
  }
  return undefined;
}

// All of it from finer tiles, at most three levels below; nothing if a part is missing.
function from_below<T>(cache: TileCache<T>, a: TileAddress, depth: number): Piece<T>[] | undefined {
  const own = use(cache, a);
  if (own) return [{ tile: own, ...tile_range(a) }];
  if (depth === 0) return undefined;
  const left = from_below(cache, { level: a.level - 1, index: a.index * 2 }, depth - 1);
  const right = left && from_below(cache, { level: a.level - 1, index: a.index * 2 + 1 }, depth - 1);
  return left && right ? [...left, ...right] : undefined;
}

// What to draw now, and what to ask for. Coarser tiles stand in until finer ones come, finer ones until coarser.
export function coverage<T>(
  cache: TileCache<T>, view: Span, level: number, run: Span,
): { pieces: Piece<T>[]; missing: TileAddress[] } {
  const pieces: Piece<T>[] = [];
  const missing: TileAddress[] = [];
  for (const a of tiles_over(view, level, run)) {
    const range = tile_range(a);
    const exact = exact_above(cache, a);
    if (exact) {
      pieces.push({ tile: exact, ...range });
      continue;
    }
    if (!cache.tiles.has(tile_key(a))) missing.push(a);
    const finer = from_below(cache, a, 3);
    if (finer) {
      pieces.push(...finer);
      continue;
    }
    const coarser = at_or_above(cache, a);
    if (coarser) pieces.push({ tile: coarser, ...range });
  }
  return { pieces: join_pieces(pieces), missing };
}

// Neighbours that come from one tile become one piece.
function join_pieces<T>(pieces: Piece<T>[]): Piece<T>[] {
  const joined: Piece<T>[] = [];
  for (const p of pieces) {
    const last = joined[joined.length - 1];
    if (last && last.tile === p.tile && last.to === p.from) last.to = p.to;
    else joined.push({ ...p });
  }
  return joined;
}

// Where the view may go next: to both sides, then out, then in.
export function neighbours(view: Span, level: number, run: Span): TileAddress[] {
  const seen = tiles_over(view, level, run);
  const first = seen[0];
  const last = seen[seen.length - 1];
  if (!first || !last) return [];
  const around: TileAddress[] = [];
  const add = (a: TileAddress) => {
    const r = tile_range(a);
    if (r.to > run.from && r.from < run.to) around.push(a);
  };
  add({ level, index: last.index + 1 });
  add({ level, index: first.index - 1 });
  for (const a of tiles_over(view, level + 1, run)) add(a);
  return around;
}

const kShare = 5; // of the time at most a fifth goes into asking for the same tile again

// Tiles that more operations may have come into, and that were asked for too long ago.
export function stale<T>(pieces: Piece<T>[], now_ms: number, after_ms: number): TileAddress[] {
  const due = (t: Tile<T>): boolean => now_ms - t.fetched_ms >= Math.max(after_ms, kShare * t.took_ms);
  return pieces.filter((p) => !p.tile.settled && due(p.tile)).map((p) => p.tile);
}
