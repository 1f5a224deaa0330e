import { expect, test } from "vitest";
import type { CollectiveTrace } from "../api/types";
import { card_of, card_sentence } from "./timeline_card";
import { kTraceColumns } from "./trace";

const rank = (n: number, arrived_ns: number, left_ns: number | null): CollectiveTrace["ranks"][number] => ({
  rank: n, arrived_ns, host_ns: left_ns === null ? null : left_ns - arrived_ns, left_ns, waited_ns: null, completed_ns: null, odd: false,
  status: "ok", bytes: 16, operation: "all_reduce", device_index: n, phases: [],
  device: n === 0 ? [{ begin_ns: 10, duration_ns: 20, channel: 0, stream: 1 }, { begin_ns: 15, duration_ns: 35, channel: 1, stream: 1 }] : [],
});
const trace = (ranks: CollectiveTrace["ranks"], more: Partial<CollectiveTrace> = {}): CollectiveTrace => ({
  operation: "all_reduce", algorithm: "ring", communicator: "tp", sequence: 1, bytes: 16, first_arrival_ns: 0, skew_host_ns: 60,
  transfer_host_ns: 40, transfer_device_ns: null, wait_device_ns: null, complete: true, missing: [], mismatch: null, ranks,
  transfers: [], moves: [], plan_unknown: null, ...more,
});

test("each rank's stay is waiting until the last arrival, and then work", () => {
  const card = card_of(trace([rank(1, 60, 100), rank(0, 0, 100)]));
  expect(card.stays.map((s) => [s.rank, s.begin, s.wait, s.work, s.last])).toEqual([[0, 0, 0.6, 0.4, false], [1, 0.6, 0, 0.4, true]]);
  expect(card.stays[0]!.device_ns).toBe(40);
  expect(card.stays[1]!.device_ns).toBeNull();
});

test("a rank's device time is the same in the table: channels run beside each other", () => {
  const column = kTraceColumns.find((c) => c.name === "device_ns")!;
  expect([rank(0, 0, 100), rank(1, 60, 100)].map((r) => column.value(r))).toEqual([40, null]);
});

test("says who came last, and on which clock", () => {
  const t = trace([rank(0, 0, 100), rank(1, 60, 100)]);
  expect(card_sentence(t, card_of(t))).toBe("Rank 1 came last, 60.0\u00a0ns after the first (host). The transfer took 40.0\u00a0ns (host).");
});

test("says who is missing, and does not make up a transfer that nobody measured", () => {
  const t = trace([rank(0, 0, null)], { missing: [1, 2], transfer_host_ns: null });
  expect(card_sentence(t, card_of(t))).toBe("Ranks 1, 2 have no record of it.");
  const unknown = trace([rank(0, 0, null)], { transfer_host_ns: null });
  expect(card_sentence(unknown, card_of(unknown))).toBe("How long the transfer took is not known.");
});
