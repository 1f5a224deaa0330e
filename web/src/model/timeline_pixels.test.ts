import { describe, expect, test } from "vitest";
import { lane_ids, lane_table, rows_of } from "./timeline_lanes";
import { bars_by_row, density_of, pixel_rows } from "./timeline_pixels";
import type { Content, SceneOp } from "./timeline_scene";
import { tip_of, tip_place, waited } from "./timeline_tip";

const table = lane_table();
lane_ids(table, [0, 1].map((rank) => ({ rank, pid: 1, thread: 0, stream: 0, label: "" })));
const layout = rows_of(table, new Set());

const content = (bins: [lane: number, at: number, count: number, errors: number, busy: number, kind: number][], ops: SceneOp[] = []): Content => ({
  from: 0, bin: 10, ops, bin_lane: bins.map((b) => b[0]), bin_at: bins.map((b) => b[1]), bin_count: bins.map((b) => b[2]),
  bin_errors: bins.map((b) => b[3]), bin_busy: bins.map((b) => b[4]), bin_kind: bins.map((b) => b[5]),
});
const piece = (c: Content, from: number, to: number) => ({
  from, to, tile: { level: 10, index: 0, content: c, exact: false, settled: true, fetched_ms: 0, took_ms: 0, weight: 1 },
});
const draw = (c: Content, from: number, to: number, width: number) => pixel_rows([piece(c, 0, 1000)], layout, { from, to }, width, 0, 500);

describe("bins on pixels", () => {
  test("of what falls on one pixel, the busiest counts", () => {
    const rows = draw(content([[0, 0, 1, 0, 0.2, 1], [0, 1, 1, 0, 0.9, 4]]), 0, 1000, 10);
    expect(rows.get(0)!.level[0]).toBe(230);
    expect(rows.get(0)!.kind[0]).toBe(4);
  });
  test("a bin wider than a pixel fills all that it covers, and nothing more", () => {
    const rows = draw(content([[1, 2, 1, 0, 1, 0]]), 0, 100, 100);
    const level = [...rows.get(1)!.level];
    expect(level.findIndex((l) => l > 0)).toBe(20);
    expect(level.filter((l) => l > 0)).toHaveLength(10);
    expect(rows.has(0)).toBe(false);
  });
  test("an error is marked though the bin is hardly busy", () => {
    const rows = draw(content([[0, 5, 1, 1, 0, 0]]), 0, 100, 10);
    expect([...rows.get(0)!.error]).toEqual([0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    expect(rows.get(0)!.level[5]).toBeGreaterThan(0);
  });
  test("outside of the view, or of the piece, nothing is drawn", () => {
    expect(draw(content([[0, 50, 1, 0, 1, 0]]), 0, 100, 10).size).toBe(0);
    expect(pixel_rows([piece(content([[0, 5, 1, 0, 1, 0]]), 0, 50)], layout, { from: 0, to: 100 }, 10, 0, 500).size).toBe(0);
  });
});

test("the strip counts operations and bins alike, and errors with them", () => {
  const op = { begin: 95, error: true } as SceneOp;
  const density = density_of(content([[0, 0, 4, 0, 1, 0]], [op]), { from: 0, to: 100 }, 10);
  expect(density.most).toBe(4);
  expect(density.share[0]).toBe(1);
  expect(density.share[9]).toBe(0.25);
  expect(density.errors.map(Number)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
});

test("an open operation lies in its rank's row; one of an unknown rank in none", () => {
  const bar = { begin: 0, kind: 0, hung: false, text: "" };
  const rows = bars_by_row([{ ...bar, rank: 1 }, { ...bar, rank: 9 }], layout);
  expect([...rows.keys()]).toEqual([1]);
});

describe("the tip", () => {
  const op = (more: Partial<SceneOp>): SceneOp => ({
    lane: 0, begin: 100, end: 300, kind: 0, error: false, band: null,
    op: { lane: 0, begin_ns: 100, duration_ns: 200, operation: "all_reduce", algorithm: "ring", bytes: 16384, sequence: 7, communicator_id: "c0", error: false },
    ...more,
  });
  const band = { key: "", communicator: "c0", operation: "all_reduce", sequence: 7, first: 50, last: 260, end: 320, lanes: [0, 1], error: false };

  test("says how long it took by which clock, and a reason where that is not known", () => {
    const text = (o: SceneOp) => tip_of(o, "device", null).lines.find((l) => l.label === "took (device)")!.text;
    expect(text(op({}))).toBe("200\u00a0ns");
    expect(text(op({ end: null }))).toBe("– not recorded");
  });
  test("knows how long it waited for the last of the others, never longer than it was there", () => {
    expect(waited(op({ band }))).toBe(160);
    expect(waited(op({ band: { ...band, last: 900 } }))).toBe(200);
    expect(waited(op({}))).toBeNull();
  });
  test("stays within the lanes", () => {
    expect(tip_place({ x: 90, y: 90 }, { width: 50, height: 40 }, { width: 100, height: 100 })).toEqual({ x: 26, y: 38 });
    expect(tip_place({ x: 10, y: 10 }, { width: 50, height: 40 }, { width: 100, height: 100 })).toEqual({ x: 24, y: 28 });
  });
});
