import { describe, expect, it } from "vitest";
import { bounds, carried, changed, format_collective, format_hash, parse_collective, parse_hash, range_of, selection_of } from "./url";
import { chips_of } from "./chips";
import { filter_query, selected_row } from "./filter";

describe("the address", () => {
  it("survives a round trip, whatever a name holds", () => {
    const route = { page: "pairs" as const, params: { communicator: "tp & <b>=1</b>", rank: "2" } };
    expect(parse_hash(format_hash(route))).toEqual(route);
  });
  it("opens the overview where the page is unknown", () => {
    expect(parse_hash("#/nothing?rank=1").page).toBe("overview");
    expect(parse_hash("").page).toBe("overview");
  });
  it("drops what is cleared", () => {
    expect(changed({ rank: "1", peer: "2" }, { rank: null, q: "" })).toEqual({ peer: "2" });
    expect(changed({}, { rank: 0 })).toEqual({ rank: "0" });
  });
  it("takes the selection along, not what belongs to one page", () => {
    expect(carried({ rank: "1", range: "1m", q: "x", metric: "latency" })).toEqual({ rank: "1", range: "1m" });
  });
});

describe("the selection", () => {
  it("takes numbers only as numbers", () => {
    expect(selection_of({ rank: "2", peer: "x" })).toMatchObject({ rank: 2, peer: null });
    expect(selection_of({ rank: "-1" }).rank).toBe(null);
  });
  it("names a collective by communicator, operation, sequence and time", () => {
    const key = { communicator: "5f3a", operation: "all_reduce", sequence: 4711, near: 12_000 };
    expect(parse_collective(format_collective(key))).toEqual(key);
    expect(parse_collective("../../x/all_reduce/1")).toBe(null);
  });
  it("does not exclude a row for what the row does not say", () => {
    expect(selected_row({ rank: 1 }, { rank: "1", communicator: "tp" })).toBe(true);
    expect(selected_row({ rank: 2 }, { rank: "1" })).toBe(false);
    expect(selected_row({ operation: "send" }, { operation: "all_reduce,send" })).toBe(true);
  });
  it("shows each part as a chip that clears it", () => {
    expect(chips_of({ rank: "2", from: "1000000000", to: "2000000000" }).map((c) => c.clears)).toEqual([["rank"], ["from", "to"]]);
  });
});

describe("the time range", () => {
  it("is the last 10 s where nothing is said or what is said makes no sense", () => {
    expect(range_of({})).toMatchObject({ kind: "last", ns: 10e9 });
    expect(range_of({ range: "7y" })).toMatchObject({ ns: 10e9 });
    expect(range_of({ from: "9", to: "3" })).toMatchObject({ ns: 10e9 });
  });
  it("ends now and never begins before what is stored", () => {
    expect(bounds(range_of({ range: "1m" }), 100e9, 70e9)).toEqual({ from: 70e9, to: 100e9 });
    expect(bounds(range_of({ range: "1m" }), 300e9, 70e9)).toEqual({ from: 240e9, to: 300e9 });
    expect(bounds(range_of({ range: "all" }), 300e9, 0)).toEqual({});
    expect(bounds(range_of({ from: "5", to: "8" }), 300e9, 0)).toEqual({ from: 5, to: 8 });
  });
  it("goes into the query with the filters", () => {
    expect(filter_query({ rank: "0", from: "5", to: "8", status: "error" }, 10, 0)).toMatchObject({ rank: 0, from: 5, to: 8, status: "error" });
  });
});
