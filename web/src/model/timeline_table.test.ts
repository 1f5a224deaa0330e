import { expect, test } from "vitest";
import type { Session } from "../api/types";
import { next_query } from "./timeline_step";
import { format_view, in_view, parse_view, run_of, view_of, view_text } from "./timeline_table";

test("the view survives the address", () => {
  expect(parse_view(format_view({ from: 12.3, to: 4000.1 }))).toEqual({ from: 12, to: 4001 });
  expect(parse_view(format_view({ from: -5, to: 10 }))).toEqual({ from: -5, to: 10 });
});
test("an address that makes no sense is none", () => {
  for (const text of [undefined, "", "5..5", "9..3", "a..b", "1e9..2e9"]) expect(parse_view(text)).toBeNull();
});
test("without a hand on it, the view is the chosen range", () => {
  const run = { from: 0, to: 100e9 };
  expect(view_of({ kind: "custom", from: 100, to: 200 }, run)).toEqual({ from: 90, to: 210 });
  expect(view_of({ kind: "last", ns: 10e9, name: "", window: "10s" }, run)!.from).toBe(90e9);
  expect(view_of({ kind: "all", name: "", window: "all" }, run)).toBeNull();
});
test("the server is never asked for time before the start", () => {
  expect(in_view({ from: -50.5, to: 10.2 })).toEqual({ from: 0, to: 11 });
});
test("says how much time is shown, and from when", () => {
  expect(view_text({ from: 1e9, to: 1.5e9 })).toBe("500\u00a0ms from 1 s");
  expect(view_text({ from: 273_899_023_925, to: 284_000_000_000 })).toBe("10.1\u00a0s from 273.900 s");
});
test("a run without operations is none; a live one goes on to now", () => {
  const session = { first_ns: 100, last_ns: 5000 } as Session;
  expect(run_of({ ...session, first_ns: null }, 9000)).toBeNull();
  expect(run_of(session, null)).toEqual({ from: 100, to: 5000 });
  expect(run_of(session, 9000)).toEqual({ from: 100, to: 9000 });
});
test("the next collective comes after the chosen one; without one, the first in view", () => {
  const chosen = { communicator: "c0", operation: "all_reduce", sequence: 4, near: 500 };
  expect(next_query(chosen, 1, null, {})).toMatchObject({ communicator: "c0", from: 501, order: "oldest", limit: 1 });
  expect(next_query(chosen, -1, null, {})).toMatchObject({ to: 500, order: "newest" });
  expect(next_query(null, 1, { from: 10.5, to: 20 }, { operation: "gather" })).toMatchObject({ from: 10, operation: "gather" });
});
