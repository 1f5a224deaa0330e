import { expect, test } from "vitest";
import type { Operation, Page, Query } from "../api/types";
import { find_next } from "./timeline_find";

const all: Operation[] = [10, 20, 30].map((begin_ns, i) => ({ begin_ns, operation: "all_reduce", sequence: 100 + i, rank: i }));

// As the server does: from is included, to is excluded.
const ask = (query: Query): Promise<Page<Operation>> => {
  const from = Number(query.from ?? 0);
  const to = Number(query.to ?? Infinity);
  const items = all.filter((o) => o.begin_ns! >= from && o.begin_ns! < to);
  if (query.order === "newest") items.reverse();
  const at = Number(query.cursor ?? 0);
  const next = at + 1 < items.length ? String(at + 1) : null;
  return Promise.resolve({ items: items.slice(at, at + 1), next });
};
const where = { start: null, view: 0, back: false, filter: {} };

test("goes from match to match, and at the end begins again and says so", async () => {
  expect((await find_next("all_reduce", { ...where, view: 15 }, ask)).operation?.begin_ns).toBe(20);
  expect((await find_next("all_reduce", { ...where, start: 20 }, ask)).operation?.begin_ns).toBe(30);
  const again = await find_next("all_reduce", { ...where, start: 30 }, ask);
  expect(again.operation?.begin_ns).toBe(10);
  expect(again.text).toContain("from the start again");
});
test("goes back", async () => {
  expect((await find_next("", { ...where, start: 30, back: true }, ask)).operation?.begin_ns).toBe(20);
});
test("looks through pages for a sequence", async () => {
  expect((await find_next("seq 102", where, ask)).operation?.begin_ns).toBe(30);
  expect((await find_next("seq 7", where, ask)).operation).toBeNull();
});
test("asks nothing when the words make no sense", async () => {
  const found = await find_next("???", where, () => Promise.reject(new Error("asked")));
  expect(found.bad).toBe(true);
});
