import { expect, test } from "vitest";
import { parse_search, search_query } from "./timeline_search";

const query = (text: string) => {
  const result = parse_search(text);
  return result.ok ? search_query(result.search) : result.message;
};

test("understands what people type", () => {
  expect(query("all_reduce bytes > 1 MB error")).toEqual({ operation: "all_reduce", min_bytes: "1048577", status: "error" });
  expect(query("bytes=16KB rank:2")).toEqual({ min_bytes: "16384", max_bytes: "16384", rank: "2" });
  expect(query("comm tp-0 gather,reduce")).toEqual({ communicator: "tp-0", operation: "gather,reduce" });
});

test("takes the sequence, which the server does not filter by", () => {
  const result = parse_search("seq 48211");
  expect(result.ok && result.search.sequence).toBe(48211);
});

test("says what it does not understand, and how to write it", () => {
  expect(query("bytes > 3 parsecs")).toContain("is no size");
  expect(query("??? all_reduce")).toContain("try all_reduce");
});

test("finds everything when nothing is typed", () => {
  expect(query("  ")).toEqual({});
});
