// Keeps lanes, tiles and the view together, and draws a frame when something has changed. Knows no framework.

import { lane_table, rows_of, type LaneTable, type RowLayout } from "../model/timeline_lanes";
import type { OpenBar } from "../model/timeline_live";
import { loader, stop, want, type Loader } from "../model/timeline_loader";
import { density_of, type Density } from "../model/timeline_pixels";
import { content_of, is_exact, scene_of, weight_of, type Answer, type Content, type Scene, type SceneOp } from "../model/timeline_scene";
import {
  coverage, level_for, neighbours, put_tile, stale, tile_cache, tile_key, tile_range, tiles_over, type Piece, type Tile,
  type TileAddress, type TileCache,
} from "../model/timeline_tiles";
import { span_ns, type Span } from "../model/timeline_view";
import { draw_axis } from "./timeline_axis";
import { draw_lanes } from "./timeline_draw";
import type { Ink } from "./timeline_ink";
import { draw_strip } from "./timeline_strip";

export type Ask = { from: number; to: number; bins: number; max_operations: number };

export type Engine = {
  lanes: HTMLCanvasElement;
  axis: HTMLCanvasElement;
  strip: HTMLCanvasElement;
  view: Span;
  goal: Span; // where the view glides to
  run: Span;
  live: boolean;
  now: number | null;
  table: LaneTable;
  layout: RowLayout;
  open: Set<string>;
  cache: TileCache<Content>;
  loader: Loader<Answer>;
  pieces: Piece<Content>[];
  shown: string; // the names of the pieces
  scene: Scene;
  density: Density | null;
  kinds: Set<number>; // that have been seen
  bars: OpenBar[];
  chosen: string | null;
  selected: Span | null;
  hovered: SceneOp | null;
  pointer: number | null; // ns
  scroll: number;
  room: number; // px for the rows
  ink: Ink;
  frame: number;
  clock_ms: number;
  events: Events;
};

// What the page hears of.
export type Events = {
  viewed: (view: Span, by_hand: boolean) => void;
  laid_out: (layout: RowLayout) => void;
  loaded: (state: Loaded) => void;
};
export type Loaded = { waiting: boolean; empty: boolean; exact: boolean; error: unknown; indexed: number; kinds: number[] };

const kBudget = 400_000;
const kBinsPerTile = 512;
const kOpsPerTile = 2000;
const kAgainMs = 1000; // for a tile that is still being written
const kWholeAgainMs = 5000; // for the strip
const kSettleNs = 2e9;
const kStripColumns = 600;
const kEmptyScene: Scene = { ops: [], bands: [], bins: [], longest: 0 };

export type Parts = Pick<Engine, "lanes" | "axis" | "strip" | "run" | "ink" | "events"> & {
  view: Span;
  ask: (ask: Ask, signal: AbortSignal) => Promise<Answer>;
};

export function start_engine(parts: Parts): Engine {
  const { ask, ...rest } = parts;
  const table = lane_table();
  const e: Engine = {
    ...rest, goal: parts.view, live: false, now: null, table, layout: rows_of(table, new Set()), open: new Set(),
    cache: tile_cache<Content>(kBudget), loader: undefined as unknown as Loader<Answer>, pieces: [], shown: "", scene: kEmptyScene,
    density: null, kinds: new Set(), bars: [], chosen: null, selected: null, hovered: null, pointer: null, scroll: 0, room: 0, frame: 0, clock_ms: 0,
  };
  const fetch = (a: TileAddress, signal: AbortSignal): Promise<Answer> => {
    const { from, to } = tile_range(a);
    return ask({ from: Math.floor(from), to: Math.ceil(to), bins: kBinsPerTile, max_operations: kOpsPerTile }, signal);
  };
  e.loader = loader(fetch, (a, answer, took_ms) => arrived(e, a, answer, took_ms), (_, error) => report(e, error));
  return e;
}

export function stop_engine(e: Engine): void {
  stop(e.loader);
  cancelAnimationFrame(e.frame);
  e.frame = -1;
}

// Other filters or another clock: nothing that is known holds any more.
export function forget(e: Engine): void {
  stop(e.loader);
  e.cache = tile_cache<Content>(kBudget);
  e.density = null;
  e.pieces = [];
  e.shown = "";
  e.scene = kEmptyScene;
  refresh(e);
}

function arrived(e: Engine, a: TileAddress, answer: Answer, took_ms: number): void {
  const lanes = e.table.lanes.length;
  const content = content_of(answer, e.table);
  const settled = answer.indexed_share >= 1 && (!e.live || tile_range(a).to < (e.now ?? 0) - kSettleNs);
  const tile: Tile<Content> = {
    ...a, content, exact: is_exact(content), settled, fetched_ms: performance.now(), took_ms, weight: weight_of(content),
  };
  put_tile(e.cache, tile, root_tiles(e));
  for (const op of content.ops) e.kinds.add(op.kind);
  for (const kind of content.bin_kind) e.kinds.add(kind);
  if (e.table.lanes.length !== lanes) lay_out(e);
  refresh(e, true);
  report(e, null, answer.indexed_share);
}

export function lay_out(e: Engine): void {
  e.layout = rows_of(e.table, e.open, e.room);
  e.events.laid_out(e.layout);
  invalidate(e);
}

function root_level(e: Engine): number {
  return Math.ceil(Math.log2(Math.max(span_ns(e.run), 2048)));
}
// One or two tiles that cover the whole run: they are kept, so that there is always something to show.
function root_tiles(e: Engine): TileAddress[] {
  return tiles_over(e.run, root_level(e), e.run);
}

// What covers the view now; asks for what is missing. `force`: though the pieces have the same names.
export function refresh(e: Engine, force = false): void {
  const width = e.lanes.clientWidth || 1;
  const level = Math.min(level_for(span_ns(e.view), width), root_level(e));
  // One tile more on the left: operations that began there may reach into the view.
  const wide = { from: e.view.from - 2 ** level * 0.25, to: e.view.to };
  const { pieces, missing } = coverage(e.cache, wide, level, e.run);
  const name = pieces.map((p) => `${tile_key(p.tile)}@${p.from}`).join(" ");
  if (force || name !== e.shown) {
    e.shown = name;
    e.pieces = pieces;
    e.scene = scene_of(pieces);
    e.hovered = null;
  }
  const roots = root_tiles(e);
  const known = (a: TileAddress): boolean => e.cache.tiles.has(tile_key(a));
  const now_ms = performance.now();
  const whole = roots.flatMap((a) => piece_of(e, a));
  const old = e.live ? [...stale(pieces, now_ms, kAgainMs), ...stale(whole, now_ms, kWholeAgainMs)] : [];
  const soon = missing.length === 0 ? neighbours(e.view, level, e.run).filter((a) => !known(a) && !covered(e, a)) : [];
  want(e.loader, [...missing, ...roots.filter((a) => !known(a)), ...old, ...soon]);
  invalidate(e);
}

function piece_of(e: Engine, a: TileAddress): Piece<Content>[] {
  const tile = e.cache.tiles.get(tile_key(a));
  return tile ? [{ tile, ...tile_range(a) }] : [];
}

function covered(e: Engine, a: TileAddress): boolean {
  let index = a.index;
  for (let level = a.level; level <= root_level(e); ++level) {
    if (e.cache.tiles.get(`${level}/${index}`)?.exact) return true;
    index = Math.floor(index / 2);
  }
  return false;
}

function report(e: Engine, error: unknown, indexed = 1): void {
  const exact = e.pieces.length > 0 && e.pieces.every((p) => p.tile.exact);
  const empty = e.cache.tiles.size > 0 && e.scene.ops.length === 0 && e.scene.bins.length === 0;
  e.events.loaded({ waiting: e.pieces.length === 0 && e.loader.running.size > 0, empty, exact, error, indexed, kinds: [...e.kinds] });
  e.density = root_density(e);
}

// The strip's figures come from the tiles that cover the whole run.
function root_density(e: Engine): Density | null {
  const roots = root_tiles(e).flatMap((a) => piece_of(e, a));
  if (roots.length === 0) return null;
  const parts = roots.map((p) => density_of(p.tile.content, e.run, kStripColumns));
  const sum = new Array<number>(kStripColumns).fill(0);
  for (const d of parts) d.share.forEach((s, i) => (sum[i]! += s * d.most));
  const most = Math.max(0, ...sum);
  const errors = sum.map((_, i) => parts.some((d) => d.errors[i]));
  return { share: sum.map((s) => (most > 0 ? s / most : 0)), errors, most };
}

// ---- frames ----

export function look_at(e: Engine, view: Span, by_hand: boolean, glide = false): void {
  e.goal = view;
  if (!glide || matchMedia("(prefers-reduced-motion: reduce)").matches) e.view = view;
  e.events.viewed(view, by_hand);
  refresh(e);
}

export function invalidate(e: Engine): void {
  if (e.frame !== 0) return;
  e.clock_ms = performance.now();
  e.frame = requestAnimationFrame((ms) => paint(e, ms));
}

function paint(e: Engine, ms: number): void {
  e.frame = 0;
  const moved = glide(e, Math.min(64, Math.max(1, ms - e.clock_ms)));
  draw(e);
  if (moved) refresh(e);
}

// A quarter of the way each 16 ms; true while on the way.
function glide(e: Engine, ms: number): boolean {
  if (e.view === e.goal) return false;
  const share = 1 - 0.75 ** (ms / 16);
  const from = e.view.from + (e.goal.from - e.view.from) * share;
  const to = e.view.to + (e.goal.to - e.view.to) * share;
  const left = Math.abs(from - e.goal.from) + Math.abs(to - e.goal.to);
  e.view = left < span_ns(e.goal) * 0.002 ? e.goal : { from, to };
  return true;
}

function sized(canvas: HTMLCanvasElement, dpr: number): { width: number; height: number; c: CanvasRenderingContext2D } {
  const width = Math.max(1, canvas.clientWidth);
  const height = Math.max(1, canvas.clientHeight);
  if (canvas.width !== Math.round(width * dpr)) canvas.width = Math.round(width * dpr);
  if (canvas.height !== Math.round(height * dpr)) canvas.height = Math.round(height * dpr);
  return { width, height, c: canvas.getContext("2d", { alpha: false })! };
}

function draw(e: Engine): void {
  const dpr = window.devicePixelRatio || 1;
  const lanes = sized(e.lanes, dpr);
  const { view, run, ink, selected } = e;
  draw_lanes(lanes.c, {
    ...lanes, dpr, scroll: e.scroll, view, run, now: e.live ? e.now : null, scene: e.scene, layout: e.layout, bars: e.bars,
    chosen: e.chosen, hovered: e.hovered, selected, ink,
  });
  const axis = sized(e.axis, dpr);
  draw_axis(axis.c, { ...axis, dpr, view, hover: e.pointer, ink });
  const strip = sized(e.strip, dpr);
  draw_strip(strip.c, { ...strip, dpr, run, view, selected, density: e.density, ink });
}
