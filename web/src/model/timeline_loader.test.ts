import { expect, test } from "vitest";
import { loader, stop, want } from "./timeline_loader";
import type { TileAddress } from "./timeline_tiles";

type Ask = { a: TileAddress; signal: AbortSignal; answer: (text: string) => void; refuse: (e: Error) => void };

function harness(most = 2) {
  const asks: Ask[] = [];
  const arrived: string[] = [];
  const failed: string[] = [];
  const clock = { ms: 0 };
  const l = loader<string>(
    (a, signal) => new Promise((answer, refuse) => asks.push({ a, signal, answer, refuse })),
    (_, content) => arrived.push(content),
    (_, error) => failed.push(String(error)),
    most,
    () => clock.ms,
  );
  return { l, asks, arrived, failed, clock };
}
const at = (index: number): TileAddress => ({ level: 10, index });
const turn = () => new Promise((done) => setTimeout(done, 0));

test("asks for a few at a time, in order, each once", async () => {
  const h = harness();
  want(h.l, [at(1), at(2), at(3)]);
  want(h.l, [at(1), at(2), at(3)]);
  expect(h.asks.map((x) => x.a.index)).toEqual([1, 2]);
  h.asks[0]!.answer("one");
  await turn();
  expect(h.arrived).toEqual(["one"]);
  expect(h.asks.map((x) => x.a.index)).toEqual([1, 2, 3]);
});

test("drops what is no longer wanted", async () => {
  const h = harness();
  want(h.l, [at(1), at(2)]);
  want(h.l, [at(2), at(5)]);
  expect(h.asks[0]!.signal.aborted).toBe(true);
  h.asks[0]!.answer("late");
  await turn();
  expect(h.arrived).toEqual([]);
  expect(h.asks.map((x) => x.a.index)).toEqual([1, 2, 5]);
});

test("leaves a tile that failed alone for a while, then asks again", async () => {
  const h = harness();
  want(h.l, [at(1)]);
  h.asks[0]!.refuse(new Error("gone"));
  await turn();
  expect(h.failed).toEqual(["Error: gone"]);
  want(h.l, [at(1)]);
  expect(h.asks).toHaveLength(1);
  h.clock.ms = 2500;
  want(h.l, [at(1)]);
  expect(h.asks).toHaveLength(2);
});

test("stops everything", () => {
  const h = harness();
  want(h.l, [at(1), at(2)]);
  stop(h.l);
  expect(h.asks.every((x) => x.signal.aborted)).toBe(true);
});
