import { expect, test } from "vitest";
import type { CollectiveTrace, Link, Topology } from "../api/types";
import { machine_of } from "./topology_tree";
import { detail_of, hosts_in, nowhere_text, path_sentence, with_host } from "./topology_words";

const link = (more: Partial<Link>): Link => ({
  id: "l", from: "a", to: "b", type: "NV18", capacity_gbs: 300, used_gbs: 150, utilisation: 0.5, health: "ok", errors: 0, finding: null, ...more,
});
const machine = (l: Link) => {
  const node = (id: string) => ({ id, kind: "rank" as const, label: id.toUpperCase(), parent: null, rank: 0, device: null, health: "ok" as const, detail: "" });
  const topology: Topology = { nodes: [node("a"), node("b")], links: [l], changes: [], note: null };
  return machine_of(topology, new Set());
};
const lines = (l: Link) => detail_of(machine(l), { kind: "cable", id: "l" }, null).lines;

test("a link says what is measured and what is expected", () => {
  const texts = Object.fromEntries(lines(link({})).map((x) => [x.label, x.text]));
  expect(texts).toMatchObject({ measured: "150\u00a0GB/s", expected: "300\u00a0GB/s", use: "50\u00a0%", errors: "0" });
});
test("what is not known is a dash with a reason, never 0", () => {
  for (const l of lines(link({ used_gbs: null, capacity_gbs: null, utilisation: null, errors: null })).slice(1)) {
    expect(l.text).toBe("–");
    expect(l.why).toBeTruthy();
  }
});
test("a choice that is gone falls back to the machine", () => {
  expect(detail_of(machine(link({})), { kind: "cable", id: "gone" }, null).title).toBe("The machine");
});
test("hosts open and close in the address", () => {
  expect(with_host(hosts_in("h2,h1"), "h3")).toBe("h1,h2,h3");
  expect(with_host(hosts_in("h1"), "h1")).toBe("");
  expect(hosts_in(undefined).size).toBe(0);
});
test("a path whose plan is not known says so", () => {
  const trace = { moves: [], algorithm: "ring", plan_unknown: "NCCL does not tell its plan" } as unknown as CollectiveTrace;
  const path = { by_cable: new Map(), boxes: new Set<string>(), nowhere: [] };
  expect(path_sentence(trace, path)).toContain("NCCL does not tell its plan");
  expect(path_sentence({ ...trace, plan_unknown: null }, path)).toBe("moves nothing between ranks.");
});
test("of many pairs without a link, four are named and the rest counted", () => {
  expect(nowhere_text([[0, 1], [0, 2], [0, 3], [0, 4], [0, 5], [0, 6]])).toBe("No link is known for 0→1, 0→2, 0→3, 0→4 and 2 more.");
});
