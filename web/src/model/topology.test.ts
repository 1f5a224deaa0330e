import { describe, expect, test } from "vitest";
import type { Link, Node, Topology } from "../api/types";
import { drawing_of, type Placed } from "./topology_layout";
import { path_of } from "./topology_path";
import { space_of } from "./topology_space";
import { blend, escape_xml, svg_of, type Ink } from "./topology_svg";
import { machine_of, rank_list } from "./topology_tree";

const node = (id: string, kind: Node["kind"], parent: string | null, n: number | null = null): Node => ({
  id, kind, label: id, parent, rank: kind === "rank" ? n : null, device: kind === "device" ? n : null, health: "ok", detail: "",
});
const link = (from: string, to: string, capacity_gbs: number | null = 100, used_gbs: number | null = 50): Link => ({
  id: `${from}-${to}`, from, to, type: "NV18", capacity_gbs, used_gbs,
  utilisation: capacity_gbs && used_gbs !== null ? used_gbs / capacity_gbs : null, health: "ok", errors: 0, finding: null,
});
const topology = (nodes: Node[], links: Link[] = []): Topology => ({ nodes, links, changes: [], note: null });

function host(name: string, devices: number, first = 0): Node[] {
  const nodes = [node(name, "host", null)];
  for (let i = 0; i < devices; ++i) {
    nodes.push(node(`${name}.gpu${i}`, "device", name, first + i), node(`${name}.rank${i}`, "rank", `${name}.gpu${i}`, first + i));
  }
  return nodes;
}
function mesh(name: string, devices: number): Link[] {
  const links: Link[] = [];
  for (let a = 0; a < devices; ++a) for (let b = a + 1; b < devices; ++b) links.push(link(`${name}.rank${a}`, `${name}.rank${b}`));
  return links;
}
const overlap = (a: Placed, b: Placed): boolean =>
  Math.abs(a.x - b.x) < (a.width + b.width) / 2 && Math.abs(a.y - b.y) < (a.height + b.height) / 2;

describe("the tree", () => {
  test("puts a rank into its device's box, and its links with it", () => {
    const machine = machine_of(topology(host("h", 2), [link("h.rank0", "h.rank1")]), new Set());
    expect(machine.roots[0]!.children.map((b) => [b.label, b.detail])).toEqual([["h.gpu0", "h.rank0"], ["h.gpu1", "h.rank1"]]);
    expect(machine.cables[0]).toMatchObject({ from: "h.gpu0", to: "h.gpu1", count: 1 });
  });
  test("survives parents that do not exist, and circles", () => {
    const machine = machine_of(topology([node("a", "host", "b"), node("b", "host", "a"), node("c", "rank", "nobody", 0)]), new Set());
    expect(machine.roots.map((b) => b.id).sort()).toEqual(["a", "b", "c"]);
  });
  test("shows hosts with counts when there are more than 64 ranks, and opens the one that is asked for", () => {
    const nodes = Array.from({ length: 9 }, (_, i) => host(`h${i}`, 8, i * 8)).flat();
    const links = [...mesh("h0", 8), link("h0.rank0", "h1.rank0", 50, 10), link("h0.rank1", "h1.rank1", 50, 20)];
    const closed = machine_of(topology(nodes, links), new Set());
    expect(closed.roots).toHaveLength(9);
    expect(closed.roots[0]).toMatchObject({ detail: "8 GPUs · 8 ranks", holds: 8, children: [] });
    expect(closed.cables).toHaveLength(1);
    expect(closed.cables[0]).toMatchObject({ count: 2, capacity_gbs: 100, used_gbs: 30, utilisation: 0.3 });
    expect(machine_of(topology(nodes, links), new Set(["h0"])).roots[0]!.children).toHaveLength(8);
  });
  test("shows a switch among what hangs on it where its links are known, else round it", () => {
    const nodes = [node("s", "socket", null), node("sw", "switch", "s"), node("g0", "device", "sw", 0), node("g1", "device", "sw", 1)];
    const wired = machine_of(topology(nodes, [link("sw", "g0"), link("sw", "g1")]), new Set());
    expect(wired.roots[0]!.children.map((b) => b.id)).toEqual(["sw", "g0", "g1"]);
    expect(machine_of(topology(nodes), new Set()).roots[0]!.children.map((b) => b.id)).toEqual(["sw"]);
  });
  test("names ranks by their runs", () => {
    expect(rank_list([3, 0, 1, 2, 6, 8, 9])).toBe("0–3, 6, 8, 9");
  });
});

describe("the layout", () => {
  const big = topology([...host("a", 8), ...host("b", 3, 8)], [...mesh("a", 8), link("a.rank0", "b.rank0")]);

  test("is the same whatever order the server lists things in", () => {
    const mixed = topology([...big.nodes].reverse(), big.links);
    const at = (t: Topology) => drawing_of(machine_of(t, new Set())).placed.map((p) => [p.box.id, p.x, p.y]);
    expect(at(mixed)).toEqual(at(big));
  });
  test("lets no two boxes overlap, and keeps each within what holds it", () => {
    const { placed } = drawing_of(machine_of(big, new Set()));
    const leaves = placed.filter((p) => p.leaf);
    leaves.forEach((a, i) => leaves.slice(i + 1).forEach((b) => expect(overlap(a, b), `${a.box.id} ${b.box.id}`).toBe(false)));
    for (const p of placed) {
      const parent = placed.find((q) => q.box.id === p.parent);
      if (!parent) continue;
      expect(Math.abs(p.x - parent.x) + p.width / 2).toBeLessThanOrEqual(parent.width / 2 + 1);
      expect(Math.abs(p.y - parent.y) + p.height / 2).toBeLessThanOrEqual(parent.height / 2 + 1);
    }
  });
  test("keeps rings of any size apart", () => {
    for (let n = 2; n <= 24; ++n) {
      const leaves = drawing_of(machine_of(topology(host("h", n), mesh("h", n)), new Set())).placed.filter((p) => p.leaf);
      leaves.forEach((a, i) => leaves.slice(i + 1).forEach((b) => expect(overlap(a, b), `${n}: ${a.box.id} ${b.box.id}`).toBe(false)));
    }
  });
  test("puts what would lie in a row into a column where there is no room", () => {
    const machine = machine_of(topology([...host("a", 2), ...host("b", 2, 2)]), new Set());
    const [wide, narrow] = [drawing_of(machine), drawing_of(machine, true)];
    expect(wide.width).toBeGreaterThan(wide.height);
    expect(narrow.height).toBeGreaterThan(narrow.width);
  });
  test("leads a wire round what lies between", () => {
    const t = topology(["s0", "s1"].flatMap((s, i) => [node(s, "socket", null), node(`${s}a`, "device", s, 2 * i), node(`${s}b`, "device", s, 2 * i + 1)]),
      [link("s0a", "s0b"), link("s0a", "s1b"), link("s0b", "s1a")]);
    expect(drawing_of(machine_of(t, new Set())).wires.map((w) => w.bend !== 0)).toEqual([false, true, false]);
  });
  test("draws capacity as width and use as its part; what is not known is thin and empty", () => {
    const t = topology([node("r0", "rank", null, 0), node("r1", "rank", null, 1), node("r2", "rank", null, 2)],
      [link("r0", "r1", 400, 200), link("r1", "r2", 100, 0), link("r0", "r2", null, null)]);
    const [full, slow, unknown] = drawing_of(machine_of(t, new Set())).wires;
    expect(full!.fill).toBeCloseTo(full!.width / 2);
    expect(slow!.width).toBeLessThan(full!.width);
    expect(slow!.fill).toBe(0);
    expect([unknown!.width, unknown!.fill]).toEqual([2, 0]);
  });
  test("of nothing is nothing", () => {
    expect(drawing_of(machine_of(topology([]), new Set()))).toEqual({ placed: [], wires: [], width: 0, height: 0 });
  });
});

describe("the path of a collective", () => {
  const t = topology(host("h", 3), [link("h.rank0", "h.rank1"), link("h.rank1", "h.rank2")]);
  const move = (from: number, to: number, bytes: number | null = 10) => ({ round: 0, from, to, block: 0, bytes, phase: "reduce" });

  test("adds up what goes over each link, by other ranks where no link is direct", () => {
    const path = path_of(t, machine_of(t, new Set()), [move(0, 1), move(1, 0), move(0, 2)]);
    expect(path.by_cable.get("h.rank0-h.rank1")).toEqual({ bytes: 30, moves: 3 });
    expect(path.by_cable.get("h.rank1-h.rank2")).toEqual({ bytes: 10, moves: 1 });
    expect(path.nowhere).toEqual([]);
  });
  test("says between which ranks no link is known, once", () => {
    const path = path_of(t, machine_of(t, new Set()), [move(0, 7), move(0, 7), move(1, 2, null)]);
    expect(path.nowhere).toEqual([[0, 7]]);
    expect(path.by_cable.get("h.rank1-h.rank2")!.bytes).toBeNull();
  });
});

test("in space, each node has a place of its own", () => {
  const nodes = Array.from({ length: 9 }, (_, i) => host(`h${i}`, 8, i * 8)).flat();
  const space = space_of(topology(nodes, [link("h0.rank0", "h1.rank0"), link("h0.rank0", "gone")]));
  expect(space.nodes).toHaveLength(nodes.length);
  expect(space.links).toHaveLength(1);
  expect(new Set(space.nodes.map((n) => `${n.x.toFixed(2)},${n.y.toFixed(2)},${n.z.toFixed(2)}`)).size).toBe(nodes.length);
});

test("names in the picture are text, never markup", () => {
  const ink: Ink = {
    surface: "#fff", line: "#ccc", text: "#000", quiet: "#555", track: "#ddd",
    health: { ok: "#0a0", warning: "#aa0", critical: "#a00", unknown: "#888" },
  };
  const evil = node('<script>alert("1")</script>', "rank", null, 0);
  const svg = svg_of(drawing_of(machine_of(topology([evil]), new Set())), ink);
  expect(svg).not.toContain("<script");
  expect(svg).toContain(escape_xml(evil.label));
});

test("colours blend, short ones too", () => {
  expect(blend("#fff", "#000000", 0.2)).toBe("#cccccc");
  expect(blend("white", "#112233", 0.5)).toBe("#112233");
});
