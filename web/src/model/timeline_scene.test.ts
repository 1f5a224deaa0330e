import { describe, expect, test } from "vitest";
import { kind_index, kKindColours } from "./timeline_kinds";
import { lane_ids, lane_table, rank_height, row_at, rows_of, type Lane } from "./timeline_lanes";
import { open_bars } from "./timeline_live";
import { bands_of, content_of, first_after, is_exact, op_at, scene_of, type Answer, type Content } from "./timeline_scene";
import type { Piece } from "./timeline_tiles";

const lane = (rank: number | null, thread = 1, stream = 0): Lane => ({ rank, pid: 10, thread, stream, label: "" });

function answer(ops: [lane: number, begin: number, duration: number | null, sequence: number][], lanes: Lane[]): Answer {
  return {
    from_ns: 0, to_ns: 1024, bin_ns: 2, indexed_share: 1, lanes,
    operations: ops.map(([l, begin_ns, duration_ns, sequence]) => ({
      lane: l, begin_ns, duration_ns, operation: "all_reduce", algorithm: "ring", bytes: 16384, sequence,
      communicator_id: "c0ffee", error: sequence === 9,
    })),
    bins: { lane: [], bin: [], count: [], errors: [], busy: [], operation: [] },
  };
}
const piece = (content: Content, from: number, to: number): Piece<Content> => ({
  from, to, tile: { level: 10, index: 0, content, exact: true, settled: true, fetched_ms: 0, took_ms: 0, weight: 1 },
});

describe("lanes", () => {
  test("have one number, whatever order an answer lists them in", () => {
    const table = lane_table();
    expect(lane_ids(table, [lane(0), lane(1)])).toEqual([0, 1]);
    expect(lane_ids(table, [lane(1), lane(2), lane(0)])).toEqual([1, 2, 0]);
  });
  test("are rows by rank, without a rank last; an open rank has its lanes below it", () => {
    const table = lane_table();
    lane_ids(table, [lane(null), lane(1, 2), lane(1, 1), lane(0)]);
    expect(rows_of(table, new Set()).rows.map((r) => [r.label, r.kind])).toEqual([
      ["rank 0", "single"], ["rank 1", "folded"], ["no rank", "single"],
    ]);
    const open = rows_of(table, new Set(["1"]));
    expect(open.rows.map((r) => r.kind)).toEqual(["single", "open", "lane", "lane", "single"]);
    expect(open.rows[open.row_of_lane[2]!]!.label).toBe("thread 1");
    expect(row_at(open, open.rows[3]!.y + 1)).toBe(3);
    expect(row_at(open, open.height + 1)).toBe(-1);
  });
});

test("few ranks have high rows, many have rows that can still be read", () => {
  expect(rank_height(2, 400)).toBe(64);
  expect(rank_height(10, 400)).toBe(40);
  expect(rank_height(500, 400)).toBe(28);
});

describe("the scene", () => {
  const table = lane_table();
  const content = content_of(answer([[0, 100, 50, 7], [1, 120, 30, 7], [0, 200, 10, 8], [1, 300, null, 9]], [lane(0), lane(1)]), table);

  test("joins a collective over its lanes: waiting until the last arrival, transfer from then on", () => {
    const scene = scene_of([piece(content, 0, 1024)]);
    expect(scene.bands).toHaveLength(1);
    expect(scene.bands[0]).toMatchObject({ first: 100, last: 120, end: 150, lanes: [0, 1], sequence: 7 });
    expect(scene.ops.filter((o) => o.band)).toHaveLength(2);
  });
  test("has each operation once, though two tiles hold it", () => {
    expect(scene_of([piece(content, 0, 512), piece({ ...content }, 512, 1024)]).ops).toHaveLength(4);
  });
  test("does not know the end of what has no duration", () => {
    const bands = bands_of(content_of(answer([[0, 1, 5, 1], [1, 2, null, 1]], [lane(0), lane(1)]), table).ops);
    expect(bands[0]!.end).toBeNull();
  });
  test("finds the operation under the cursor, and nothing in another lane", () => {
    const scene = scene_of([piece(content, 0, 1024)]);
    expect(op_at(scene, [0], 130, 0)?.op.sequence).toBe(7);
    expect(op_at(scene, [0], 170, 5)).toBeNull();
    expect(op_at(scene, [1], 302, 5)?.op.sequence).toBe(9);
    expect(op_at(scene, [], 130, 0)).toBeNull();
    expect(first_after(scene.ops, 121)).toBe(2);
  });
  test("an answer without bins is exact", () => {
    expect(is_exact(content)).toBe(true);
  });
});

test("each operation has a colour, and no name belongs to two", () => {
  const all = kKindColours.flatMap((c) => c.kinds);
  expect(new Set(all).size).toBe(all.length);
  expect(kind_index("<b>nonsense</b>")).toBe(kKindColours.length - 1);
});

test("what is in flight grows from when each rank entered to now", () => {
  const bars = open_bars(
    [{
      operation: "all_reduce", communicator: "tp", communicator_id: "0000000000000001", sequence: 5, bytes: 1, ranks: 2, age_ns: 50, normal_p50_ns: null,
      normal_p999_ns: null, mismatch: null, finding: null, entered: [{ rank: 1, pid: 2, age_ns: 40 }], missing: [{ rank: 0 }],
    }],
    1000,
  );
  expect(bars).toEqual([{ rank: 1, begin: 960, kind: 0, hung: false }]);
});
