import { expect, test } from "vitest";
import { format_view, in_view, parse_view, view_of, view_text } from "./timeline_table";

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
});
