// The next operation that fits, from where one is; once past the end, from the other end again.

import type { Operation, Page, Query } from "../api/types";
import { parse_search, search_query, type Search } from "./timeline_search";
import { exact_seconds } from "./timeline_view";
import { grouped } from "./units";

export type Found = { operation: Operation | null; text: string; bad: boolean };
export type Where = { start: number | null; view: number; back: boolean; filter: Query }; // start: the match before
export type AskPage = (query: Query) => Promise<Page<Operation>>;

const kPage = 5000;
const kMostPages = 40; // looked through for a sequence

export async function find_next(text: string, where: Where, ask: AskPage): Promise<Found> {
  const parsed = parse_search(text);
  if (!parsed.ok) return { operation: null, text: parsed.message, bad: true };
  const query = { ...where.filter, ...search_query(parsed.search) };
  const here = Math.max(0, Math.floor(where.start ?? where.view));
  const onward: Query = where.back ? { to: here, order: "newest" } : { from: where.start === null ? here : here + 1, order: "oldest" };
  const first = await look(parsed.search, { ...query, ...onward }, ask);
  if (first) return found(first, "");
  const again = await look(parsed.search, { ...query, order: onward.order }, ask);
  if (again) return found(again, where.back ? ", from the end again" : ", from the start again");
  return { operation: null, text: "Nothing fits. Fewer words, or clear the filters above.", bad: false };
}

function found(op: Operation, from: string): Found {
  const rank = op.rank === null || op.rank === undefined ? "" : `, rank ${op.rank}`;
  const text = `${op.operation} ${grouped(op.sequence)}${rank} at ${exact_seconds(op.begin_ns ?? 0)}${from}`;
  return { operation: op, text, bad: false };
}

async function look(search: Search, query: Query, ask: AskPage): Promise<Operation | null> {
  if (search.sequence === null) return (await ask({ ...query, limit: 1 })).items[0] ?? null;
  let cursor: string | null = null;
  for (let i = 0; i < kMostPages; ++i) {
    const page: Page<Operation> = await ask({ ...query, limit: kPage, cursor });
    const hit = page.items.find((op) => op.sequence === search.sequence);
    if (hit) return hit;
    cursor = page.next;
    if (cursor === null) break;
  }
  return null;
}
