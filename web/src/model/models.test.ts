import { describe, expect, it } from "vitest";
import type { CollectiveTrace, Event, Finding, HeatMap, InFlight, PairRow, RankRow, Setting } from "../api/types";
import type { BenchFile, CompareRow } from "../api/shapes";
import { matcher_text, parse_matchers } from "./alerts";
import { left_out, operation_shown, short_names } from "./benchmarks";
import { csv } from "./csv";
import { merged, wanted } from "./events";
import { cell_at, frame_of, heat_rows, heat_share, time_at, used_buckets } from "./heat";
import { waiting_of } from "./in_flight";
import { kEmptyLatency, note_latency } from "./latency";
import { place_of } from "./overview";
import { matrix_of, metric_of, pairs_of, share_of_expected } from "./pairs";
import { ink_on, viridis } from "./palette";
import { row_verdict, stretch_of, whiskers } from "./profiles";
import { arrivals, communicator_of } from "./ranks";
import { groups_of_settings } from "./settings";
import { sorted } from "./sort";
import { spark_path } from "./spark";
import { parse_duration } from "./time";
import { trace_chart, trace_sentence } from "./trace";

const pair = (more: Partial<PairRow>): PairRow => ({
  communicator: "tp", from: 0, to: 1, operation: "send", count: 1, bytes: 100, errors: 0, span_ns: 1, operations_per_s: 1, bytes_per_s: 1, mean_host_ns: 1, mean_device_ns: 1, p50_ns: 10,
  bandwidth_gbs: 24, expected_gbs: 25, clock: "device", finding: null, ...more,
});

describe("pairs", () => {
  it("add up operations and take times from the one that moves the most", () => {
    const [one] = pairs_of([pair({}), pair({ operation: "copy", bytes: 900, errors: 2, bandwidth_gbs: 6, p50_ns: 99 })], "tp");
    expect(one).toMatchObject({ bytes: 1000, errors: 2, bandwidth_gbs: 6, p50_ns: 99, operations: ["send", "copy"] });
  });
  it("have no share of what is not known", () => {
    const [one] = pairs_of([pair({ expected_gbs: null })], null);
    expect(share_of_expected(one!)).toBe(null);
    expect(metric_of(one!, "expected")).toBe(null);
  });
  it("look equal where they are equal, however small", () => {
    const m = matrix_of(pairs_of([pair({ bandwidth_gbs: 24 }), pair({ from: 1, to: 0, bandwidth_gbs: 24.1 })], null), "bandwidth");
    expect(m.ranks).toEqual([0, 1]);
    expect([...m.cells.values()].map((c) => c.text)).toEqual(["24", "24"]);
  });
  it("mark one with a finding", () => {
    const m = matrix_of(pairs_of([pair({ finding: "slow_link:0-1" })], null), "bytes");
    expect(m.cells.get("0 1")?.bad).toBe(true);
  });
});

describe("arrivals", () => {
  const rank = (r: number, p50: number | null, last: number): RankRow => ({
    communicator: "tp", rank: r, count: 1, bytes: 1, errors: 0, span_ns: 1, operations_per_s: 1, bytes_per_s: 1, mean_host_ns: 1, mean_device_ns: null, collectives: 100, last_share: last,
    lateness_p50_ns: p50, lateness_p99_ns: p50 === null ? null : p50 * 1.2, wait_ns: 0, waited_for_ns: 0, communication_ns: 1, waiting_share: 0, device: r,
  });
  it("name the straggler and nobody where there is none", () => {
    expect(arrivals([rank(0, -300, 0), rank(1, 214_000, 0.97)]).rows.map((r) => r.late)).toEqual([false, true]);
    expect(arrivals([rank(0, 900, 0.5), rank(1, 950, 0.5)]).rows.some((r) => r.late)).toBe(false);
  });
  it("leave unknown lateness unknown", () => {
    expect(arrivals([rank(0, null, 0)]).rows[0]).toMatchObject({ p50_at: null, text: "–" });
  });
  it("show the busiest communicator unless one is selected", () => {
    const rows = [{ communicator: "a", bytes: 1 }, { communicator: "b", bytes: 5 }];
    expect(communicator_of(rows, null)).toBe("b");
    expect(communicator_of(rows, "a")).toBe("a");
    expect(communicator_of(rows, "gone")).toBe("b");
    expect(communicator_of([], null)).toBe(null);
  });
});

describe("the heat map", () => {
  const map: HeatMap = { from_ns: 0, to_ns: 200, column_ns: 100, clock: "host", bucket_top_ns: [10, 20, 40, 80, 160], columns: [[0, 0, 9, 1, 0], [0, 0, 0, 0, 0]] };
  it("shows the buckets that hold something and one around", () => {
    expect(used_buckets(map)).toEqual({ first: 1, last: 4 });
  });
  it("finds the cell under the pointer", () => {
    const frame = frame_of(488, 136);
    expect(cell_at(map, frame, frame.left + 1, frame.top + frame.height - 1)).toEqual({ column: 0, bucket: 1 });
    expect(cell_at(map, frame, frame.left + frame.width - 1, frame.top + 1)).toEqual({ column: 1, bucket: 4 });
    expect(cell_at(map, frame, 2, 2)).toBe(null);
    expect(time_at(map, frame, frame.left + frame.width / 2)).toBe(100);
  });
  it("lets one among thousands be seen", () => {
    expect(heat_share(1, 10_000)).toBeGreaterThan(0.05);
    expect(heat_share(10_000, 10_000)).toBe(1);
  });
  it("has a table behind it, unknown where a column is empty", () => {
    expect(heat_rows(map)).toEqual([{ t_ns: 0, count: 10, p50_ns: 40, p99_ns: 80 }, { t_ns: 100, count: 0, p50_ns: null, p99_ns: null }]);
  });
});

describe("a collective", () => {
  const rank = (r: number, arrived: number): CollectiveTrace["ranks"][number] => ({
    rank: r, arrived_ns: arrived, host_ns: 300 - arrived, left_ns: 300, waited_ns: 200 - arrived, completed_ns: 300, odd: false, status: "ok", bytes: 1, operation: "all_reduce", device_index: r, device: [], phases: [],
  });
  const trace: CollectiveTrace = {
    operation: "all_reduce", algorithm: "direct", communicator: "tp", sequence: 1, bytes: 16384, first_arrival_ns: 0, skew_host_ns: 200, transfer_host_ns: 100, transfer_device_ns: null, wait_device_ns: null,
    complete: true, missing: [], mismatch: null, ranks: [rank(1, 200), rank(0, 0)], transfers: [], moves: [], plan_unknown: null,
  };
  it("waits until the last one has come, then transfers", () => {
    const [first, last] = trace_chart(trace).lanes;
    expect(first).toMatchObject({ rank: 0, late: false, wait: { at: 0, width: 2 / 3 } });
    expect(first!.transfer!.at).toBeCloseTo(2 / 3);
    expect(last).toMatchObject({ rank: 1, late: true, wait: null });
  });
  it("says who came last, or who never came", () => {
    expect(trace_sentence(trace)).toMatch(/^Rank 1 came last, 200\u00a0ns after/);
    expect(trace_sentence({ ...trace, missing: [3] })).toBe("Rank 3 never came.");
  });
});

describe("what is in flight", () => {
  const item: InFlight = {
    operation: "all_gather", communicator: "dp", communicator_id: "0000000000000001", sequence: 77, bytes: 65536, ranks: 3, age_ns: 5e9, normal_p50_ns: 1e4, normal_p999_ns: 3e5, mismatch: null,
    entered: [{ rank: 2, pid: 7, age_ns: 5e9 }, { rank: 0, pid: 5, age_ns: 5e9 }], missing: [{ rank: 1, instead: { operation: "send", sequence: 4 } }], finding: null,
  };
  it("shows each rank once, in order, and what the missing one does instead", () => {
    const w = waiting_of(item);
    expect(w.seats.map((s) => [s.rank, s.state])).toEqual([[0, "here"], [1, "missing"], [2, "here"]]);
    expect(w.seats[1]!.text).toContain("it is in send #4");
    expect(w.severity).toBe("warning");
  });
  it("is calm about what is young", () => {
    const w = waiting_of({ ...item, age_ns: 1e4 });
    expect([w.severity, w.seats[1]!.state]).toEqual(["ok", "coming"]);
  });
});

describe("events", () => {
  const event = (id: number, severity: Event["severity"], text = "x"): Event => ({
    id, t_ns: id, time: "", severity, kind: "k", text, communicator: null, operation: null, sequence: null, rank: null, peer: null, device: null, pid: null, value: null, unit: null, repeated: 1,
  });
  const filter = { severity: "warning" as const, text: "", rank: null, communicator: null };
  it("are kept at this severity and worse", () => {
    expect(wanted(event(1, "info"), filter)).toBe(false);
    expect(wanted(event(1, "critical"), filter)).toBe(true);
  });
  it("come once each, the newest first, asked for or pushed", () => {
    expect(merged([event(2, "error"), event(1, "error")], [event(3, "error"), event(2, "error")], filter).map((e) => e.id)).toEqual([3, 2, 1]);
  });
});

describe("small things", () => {
  it("sort unknown to the end either way", () => {
    const rows = [{ v: null }, { v: 2 }, { v: 10 }];
    expect(sorted(rows, (r) => r.v, false).map((r) => r.v)).toEqual([2, 10, null]);
    expect(sorted(rows, (r) => r.v, true).map((r) => r.v)).toEqual([10, 2, null]);
  });
  it("quote CSV and defuse formulas", () => {
    expect(csv(["a", "b"], [['x"y', null], ["=1+1", -5]])).toBe('a,b\r\n"x""y",\r\n\'=1+1,-5\r\n');
  });
  it("leave gaps in a sparkline where nothing is known", () => {
    const spark = spark_path([1, null, 3, 4], { width: 60, height: 20, slots: 4, from_zero: true });
    expect(spark.line.match(/M/g)?.length).toBe(2);
    expect([spark.low, spark.high]).toEqual([1, 4]);
    expect(spark_path([null], { width: 1, height: 1, slots: 1, from_zero: true })).toMatchObject({ line: "", low: null });
  });
  it("keep text readable on every colour of the scale", () => {
    expect([ink_on(viridis(0)), ink_on(viridis(1))]).toEqual(["#ffffff", "#000000"]);
  });
  it("count what reached the screen, and the slowest", () => {
    expect(note_latency(note_latency(kEmptyLatency, [40, 20], 9), [30], 7)).toEqual({ count: 3, last_ms: 30, max_ms: 40, samples_ms: [40, 20, 30], page_ms: [9, 7] });
  });
  it("read conditions of a silence, and refuse nonsense", () => {
    expect(parse_matchers('rule = straggler, rank!="2"')?.map(matcher_text)).toEqual(["rule = straggler", "rank != 2"]);
    expect(parse_matchers("rule ~ slow*")).toEqual([{ name: "rule", op: "~", value: "slow*" }]);
    expect(parse_matchers("what")).toBe(null);
    expect(parse_matchers("")).toBe(null);
    expect(parse_matchers('rank = 2, "')).toBe(null);
    expect(parse_matchers("rank = 2,, peer =,")).toEqual([{ name: "rank", op: "=", value: "2" }, { name: "peer", op: "=", value: "" }]);
  });
  it.each(["dp,rank=0", 'a "b" c', '\\",', "", " edge ", "back\\slash", "=x"])("read back the value that they wrote: %j", (value) => {
    const all = [{ name: "communicator", op: "=" as const, value }, { name: "rank", op: "!~" as const, value: "1*" }];
    expect(parse_matchers(all.map(matcher_text).join(", "))).toEqual(all);
  });
  it("leave out of curve names what all have in common", () => {
    expect([...short_names(["all_reduce direct cuda", "all_reduce ring nccl"]).values()]).toEqual(["direct cuda", "ring nccl"]);
    expect([...short_names(["one"]).values()]).toEqual(["one"]);
  });
  it("show one operation of a suite, all of a few", () => {
    const row = (operation: string, algorithm: string) => ({ operation, algorithm, backend: "host", dtype: "f32", redop: "sum", ranks: 2, graph: false, bytes: 8 });
    const file = (count: number) => ({ rows: Array.from({ length: count }, (_, i) => row(i < 5 ? "all_reduce" : "reduce", `a${i}`)) }) as unknown as BenchFile;
    expect(operation_shown(file(8), undefined)).toBe(null);
    expect(operation_shown(file(9), undefined)).toBe("all_reduce");
    expect(operation_shown(file(9), "reduce")).toBe("reduce");
    expect(operation_shown(file(9), "all")).toBe(null);
    expect(operation_shown(file(9), "gather")).toBe("all_reduce");
  });
  it("say once why several steps were left out", () => {
    expect(left_out(["cuda a: no driver", "cuda b: no driver", "c"])).toEqual(["cuda a, cuda b: no driver", "c"]);
    expect(left_out(["a: x", "b: x", "c: x", "d: x", "e: x"])).toEqual(["a, b, c and 2 more: x"]);
  });
  it("take a session's name or a stretch to compare", () => {
    expect(stretch_of("prefill", parse_duration)).toBe("prefill");
    expect(stretch_of("10 s .. 20 s", parse_duration)).toBe("10000000000..20000000000");
    expect(stretch_of("20 s .. 10 s", parse_duration)).toBe(null);
    expect(stretch_of("  ", parse_duration)).toBe(null);
  });
  it("name a winner only where there is one", () => {
    const group = { name: "a", operations: 9, samples: 9, median_ns: 10, median_low_ns: 9, median_high_ns: 11 };
    const row: CompareRow = { operation: "send", size_bytes: 1, ranks: 2, clock: "host", winner: null, verdict: "inconclusive", speedup: null, why: "", groups: [group, { ...group, name: "b", median_ns: null, median_low_ns: null, median_high_ns: null }], pairs: [] };
    expect(row_verdict(row)).toBe("no difference that can be told");
    expect(row_verdict({ ...row, winner: "a", speedup: 1.25 })).toBe("a is 25\u00a0% faster");
    expect(whiskers(row).map((w) => w.at)).toEqual([0.5, null]);
  });
  it("lead from a finding to where it is seen", () => {
    const finding = { kind: "slow_link", subject: { rank: 1, peer: 3, device: null, link: null, communicator: null, operation: null } } as Finding;
    expect(place_of(finding)).toMatchObject({ page: "pairs", changes: { rank: 1, peer: 3 } });
    expect(place_of({ ...finding, kind: "hang" }).page).toBe("debugger");
  });
  it("find keys by their help, and those that can change now", () => {
    const key = (k: string, live: boolean, help = ""): Setting => ({ key: k, value: 1, written: "1", origin: "built-in", type: "integer", choices: [], unit: "", help, live, default: "1" });
    const all = [key("a.x", true, "how late"), key("a.y", false), key("b.z", true)];
    expect(groups_of_settings(all, "LATE", "all").flatMap((g) => g.settings.map((s) => s.key))).toEqual(["a.x"]);
    expect(groups_of_settings(all, "", "live").map((g) => g.section)).toEqual(["a", "b"]);
    expect(groups_of_settings(all, "", "changed")).toEqual([]);
    const set = [...all, { ...key("b.w", true), written: '"1"', origin: "run time" }];
    expect(groups_of_settings(set, "", "changed").flatMap((g) => g.settings.map((s) => s.key))).toEqual(["b.w"]);
  });
});
