// The machine as a tree, made from what the server lists: ranks lie in their device, a large system shows its hosts.

import type { Link, Node, Topology } from "../api/types";

export type Health = Node["health"];

export type Box = {
  id: string;
  kind: Node["kind"];
  label: string;
  detail: string; // the second line
  title: string;
  health: Health;
  rank: number | null;
  device: number | null;
  children: Box[];
  holds: number; // ranks, or devices where no rank is known, in a box that is closed; else 0
};

export type Cable = {
  id: string;
  from: string; // ids of boxes
  to: string;
  type: string;
  capacity_gbs: number | null;
  used_gbs: number | null;
  utilisation: number | null;
  health: Health;
  errors: number | null;
  finding: string | null;
  count: number; // links that it stands for
};

export type Machine = {
  roots: Box[];
  cables: Cable[];
  box_of: Map<string, string>; // of each node: the box that shows it
  grouped: boolean;
};

export const kMostRanks = 64;

const kKinds: Node["kind"][] = ["host", "socket", "switch", "device", "rank"];
const kHealth: Health[] = ["unknown", "ok", "warning", "critical"];

export function worse(a: Health, b: Health): Health {
  return kHealth.indexOf(a) >= kHealth.indexOf(b) ? a : b;
}

type Tree = { roots: Node[]; children: Map<string, Node[]> };

// A parent that does not exist, or that lies below its own child, is none.
function tree_of(nodes: Node[]): Tree {
  const by_id = new Map(nodes.map((n) => [n.id, n]));
  const roots: Node[] = [];
  const children = new Map<string, Node[]>();
  for (const node of [...by_id.values()].sort(compare)) {
    const parent = node.parent === null ? undefined : by_id.get(node.parent);
    if (!parent || in_circle(node, by_id)) roots.push(node);
    else children.set(parent.id, [...(children.get(parent.id) ?? []), node]);
  }
  return { roots, children };
}

// A switch whose links to what hangs on it are listed is a box among them, not one round them.
function lift_from_switches(tree: Tree, links: Link[]): Tree {
  const parent = new Map<string, string>();
  for (const [id, below] of tree.children) for (const n of below) parent.set(n.id, id);
  const wired = new Set<string>();
  for (const l of links) {
    if (parent.get(l.to) === l.from) wired.add(l.from);
    if (parent.get(l.from) === l.to) wired.add(l.to);
  }
  const flat = (n: Node): Node[] => {
    const below = (tree.children.get(n.id) ?? []).flatMap(flat);
    if (n.kind !== "switch" || !wired.has(n.id)) {
      if (below.length > 0) children.set(n.id, below);
      return [n];
    }
    return [n, ...below];
  };
  const children = new Map<string, Node[]>();
  return { roots: tree.roots.flatMap(flat), children };
}

function in_circle(node: Node, by_id: Map<string, Node>): boolean {
  const seen = new Set<string>();
  for (let at: Node | undefined = node; at; at = at.parent === null ? undefined : by_id.get(at.parent)) {
    if (seen.has(at.id)) return true;
    seen.add(at.id);
  }
  return false;
}

function compare(a: Node, b: Node): number {
  return (
    kKinds.indexOf(a.kind) - kKinds.indexOf(b.kind) ||
    (a.device ?? a.rank ?? 0) - (b.device ?? b.rank ?? 0) ||
    a.id.localeCompare(b.id, "en", { numeric: true })
  );
}

export function is_large(topology: Topology): boolean {
  const of = (kind: Node["kind"]): number => topology.nodes.filter((n) => n.kind === kind).length;
  return Math.max(of("rank"), of("device")) > kMostRanks;
}

// `open`: ids of hosts that show what is in them though the system is large.
export function machine_of(topology: Topology, open: Set<string>): Machine {
  const tree = lift_from_switches(tree_of(topology.nodes), topology.links);
  const grouped = is_large(topology) && tree.roots.some((n) => (tree.children.get(n.id)?.length ?? 0) > 0);
  const box_of = new Map<string, string>();
  const roots = tree.roots.map((n) => box_from(n, tree, box_of, grouped && !open.has(n.id)));
  return { roots, cables: cables_of(topology.links, box_of), box_of, grouped };
}

function box_from(node: Node, tree: Tree, box_of: Map<string, string>, closed: boolean): Box {
  const below = tree.children.get(node.id) ?? [];
  box_of.set(node.id, node.id);
  const box: Box = {
    id: node.id, kind: node.kind, label: node.label, detail: "", title: node.detail, health: node.health,
    rank: node.rank, device: node.device, children: [], holds: 0,
  };
  if (below.length === 0) return box;
  if (closed) return close(box, node, tree, box_of);
  if (below.every((n) => n.kind === "rank" && !tree.children.has(n.id))) return hold_ranks(box, below, box_of);
  box.children = below.map((n) => box_from(n, tree, box_of, false));
  return box;
}

// A device and its ranks are one box with two lines: boxes in boxes are hard to read.
function hold_ranks(box: Box, ranks: Node[], box_of: Map<string, string>): Box {
  for (const n of ranks) {
    box_of.set(n.id, box.id);
    box.health = worse(box.health, n.health);
  }
  const names = ranks.map((n) => n.rank).filter((r) => r !== null);
  box.rank = names.length === 1 ? names[0]! : null;
  box.detail = ranks.length === 1 ? ranks[0]!.label : `ranks ${rank_list(names)}`;
  return box;
}

// 0–3, 6: runs of numbers as people write them.
export function rank_list(ranks: number[]): string {
  const runs: [number, number][] = [];
  for (const r of [...ranks].sort((a, b) => a - b)) {
    const last = runs[runs.length - 1];
    if (last && r === last[1] + 1) last[1] = r;
    else runs.push([r, r]);
  }
  return runs.map(([a, b]) => (a === b ? `${a}` : b === a + 1 ? `${a}, ${b}` : `${a}–${b}`)).join(", ");
}

function close(box: Box, node: Node, tree: Tree, box_of: Map<string, string>): Box {
  const counts = { rank: 0, device: 0 };
  const visit = (n: Node): void => {
    for (const child of tree.children.get(n.id) ?? []) {
      box_of.set(child.id, box.id);
      box.health = worse(box.health, child.health);
      if (child.kind === "rank" || child.kind === "device") counts[child.kind] += 1;
      visit(child);
    }
  };
  visit(node);
  box.holds = counts.rank || counts.device;
  const words: string[] = [];
  if (counts.device > 0) words.push(`${counts.device} GPU${counts.device === 1 ? "" : "s"}`);
  if (counts.rank > 0) words.push(`${counts.rank} rank${counts.rank === 1 ? "" : "s"}`);
  box.detail = words.join(" · ");
  return box;
}

const add = (a: number | null, b: number | null): number | null => (a === null ? b : b === null ? a : a + b);

// Links between the same two boxes become one where a box stands for many; otherwise each stays itself.
function cables_of(links: Link[], box_of: Map<string, string>): Cable[] {
  const cables = new Map<string, Cable>();
  for (const link of links) {
    const from = box_of.get(link.from);
    const to = box_of.get(link.to);
    if (from === undefined || to === undefined || from === to) continue;
    const lifted = from !== link.from || to !== link.to;
    const key = lifted ? [from, to].sort().join("\u0000") : link.id;
    const old = cables.get(key);
    if (!old) {
      cables.set(key, { ...link, id: link.id, from, to, count: 1 });
      continue;
    }
    merge_link(old, link);
  }
  return [...cables.values()];
}

function merge_link(cable: Cable, link: Link): void {
  cable.count += 1;
  cable.capacity_gbs = add(cable.capacity_gbs, link.capacity_gbs);
  cable.used_gbs = add(cable.used_gbs, link.used_gbs);
  cable.errors = add(cable.errors, link.errors);
  cable.health = worse(cable.health, link.health);
  cable.finding ??= link.finding;
  if (cable.type !== link.type) cable.type = "several";
  const { used_gbs: used, capacity_gbs: capacity } = cable;
  cable.utilisation = used !== null && capacity !== null && capacity > 0 ? Math.min(1, used / capacity) : null;
}
