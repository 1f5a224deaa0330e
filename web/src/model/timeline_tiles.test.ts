import { describe, expect, test } from "vitest";
import {
  coverage, level_for, neighbours, put_tile, stale, tile_cache, tile_range, tiles_over, type Tile, type TileCache,
} from "./timeline_tiles";

const run = { from: 0, to: 2 ** 30 };
const tile = (level: number, index: number, exact = false, weight = 1): Tile<string> => ({
  level, index, content: `${level}/${index}`, exact, settled: true, fetched_ms: 0, took_ms: 0, weight,
});
const with_tiles = (...tiles: Tile<string>[]): TileCache<string> => {
  const cache = tile_cache<string>(1000);
  for (const t of tiles) put_tile(cache, t);
  return cache;
};

describe("tiles", () => {
  test("of a level cover the view without a gap", () => {
    const view = { from: 1000.5, to: 1e6 };
    const over = tiles_over(view, 12, run);
    expect(tile_range(over[0]!).from).toBeLessThanOrEqual(view.from);
    expect(tile_range(over[over.length - 1]!).to).toBeGreaterThanOrEqual(view.to);
    over.slice(1).forEach((t, i) => expect(t.index).toBe(over[i]!.index + 1));
  });
  test("are at most as many as a screen needs", () => {
    for (const span of [20, 1e3, 1e6, 1e9]) {
      const level = level_for(span, 2560);
      expect(tiles_over({ from: 1e6, to: 1e6 + span }, level, run).length).toBeLessThanOrEqual(12);
    }
  });
});

describe("zooming never blanks", () => {
  test("in: the coarser tile stands in, and the finer one is asked for", () => {
    const cache = with_tiles(tile(20, 0));
    const { pieces, missing } = coverage(cache, { from: 0, to: 2 ** 19 - 1 }, 18, run);
    expect(pieces).toHaveLength(1);
    expect(pieces[0]!.tile.level).toBe(20);
    expect(missing).toEqual([{ level: 18, index: 0 }, { level: 18, index: 1 }]);
  });
  test("out: finer tiles stand in where they are all there", () => {
    const cache = with_tiles(tile(18, 0), tile(18, 1));
    const { pieces, missing } = coverage(cache, { from: 0, to: 100 }, 19, run);
    expect(pieces.map((p) => p.tile.level)).toEqual([18, 18]);
    expect(missing).toEqual([{ level: 19, index: 0 }]);
  });
  test("any coarser tile is better than a hole", () => {
    const cache = with_tiles(tile(30, 0), tile(18, 0));
    const { pieces } = coverage(cache, { from: 0, to: 100 }, 19, run);
    expect(pieces.map((p) => p.tile.level)).toEqual([30]);
  });
  test("an exact tile answers for everything within it", () => {
    const cache = with_tiles(tile(25, 0, true));
    const { pieces, missing } = coverage(cache, { from: 0, to: 1e6 }, 12, run);
    expect(missing).toEqual([]);
    expect(pieces).toHaveLength(1);
  });
});

describe("the cache", () => {
  test("forgets what was not used for longest, never what is pinned", () => {
    const cache = tile_cache<string>(3);
    const root = tile(30, 0);
    put_tile(cache, root);
    put_tile(cache, tile(10, 1));
    put_tile(cache, tile(10, 2));
    coverage(cache, { from: 1024, to: 1025 }, 10, run);
    put_tile(cache, tile(10, 3), [root]);
    expect(cache.tiles.has("10/1")).toBe(true);
    expect(cache.tiles.has("10/2")).toBe(false);
    expect(cache.tiles.has("30/0")).toBe(true);
    expect(cache.weight).toBe(3);
  });
  test("replaces a tile without counting it twice", () => {
    const cache = with_tiles(tile(10, 1, false, 5), tile(10, 1, false, 7));
    expect(cache.weight).toBe(7);
  });
  test("asks again for what is still being written, and only for that", () => {
    const open = { ...tile(10, 1), settled: false, fetched_ms: 1000 };
    const pieces = [{ tile: open, from: 0, to: 1 }, { tile: tile(10, 2), from: 1, to: 2 }];
    expect(stale(pieces, 1500, 1000)).toHaveLength(0);
    expect(stale(pieces, 2000, 1000).map((a) => a.index)).toEqual([1]);
    const slow = [{ tile: { ...open, took_ms: 800 }, from: 0, to: 1 }];
    expect(stale(slow, 4000, 1000)).toHaveLength(0);
    expect(stale(slow, 5000, 1000)).toHaveLength(1);
  });
});

test("neighbours lie within the run", () => {
  for (const a of neighbours({ from: 0, to: 2 ** 20 }, 19, run)) {
    expect(tile_range(a).to).toBeGreaterThan(run.from);
    expect(tile_range(a).from).toBeLessThan(run.to);
  }
});
