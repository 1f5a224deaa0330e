// Which links a collective's moves go over.

import type { CollectiveTrace, Topology } from "../api/types";
import type { Machine } from "./topology_tree";

export type Travel = { bytes: number | null; moves: number };
export type Path = {
  by_cable: Map<string, Travel>;
  boxes: Set<string>;
  nowhere: [from: number, to: number][]; // no link is known between these ranks
};

type Neighbours = Map<string, { to: string; cable: string }[]>;

export function box_of_rank(topology: Topology, machine: Machine, rank: number): string | null {
  const node =
    topology.nodes.find((n) => n.kind === "rank" && n.rank === rank) ?? topology.nodes.find((n) => n.rank === rank);
  return node ? (machine.box_of.get(node.id) ?? null) : null;
}

export function path_of(topology: Topology, machine: Machine, moves: CollectiveTrace["moves"]): Path {
  const path: Path = { by_cable: new Map(), boxes: new Set(), nowhere: [] };
  const around = neighbours_of(machine);
  const ways = new Map<string, string[] | null>();
  const missing = new Set<string>();
  for (const move of moves) {
    const from = box_of_rank(topology, machine, move.from);
    const to = box_of_rank(topology, machine, move.to);
    if (from !== null) path.boxes.add(from);
    if (to !== null) path.boxes.add(to);
    if (from !== null && from === to) continue;
    const key = `${move.from}>${move.to}`;
    if (!ways.has(key)) ways.set(key, from === null || to === null ? null : shortest(around, from, to));
    const way = ways.get(key);
    if (way) way.forEach((cable) => travel(path, cable, move.bytes));
    else if (!missing.has(key)) {
      missing.add(key);
      path.nowhere.push([move.from, move.to]);
    }
  }
  return path;
}

function travel(path: Path, cable: string, bytes: number | null): void {
  const known = path.by_cable.get(cable);
  if (!known) {
    path.by_cable.set(cable, { bytes, moves: 1 });
    return;
  }
  known.moves += 1;
  known.bytes = known.bytes === null || bytes === null ? null : known.bytes + bytes;
}

function neighbours_of(machine: Machine): Neighbours {
  const around: Neighbours = new Map();
  const add = (from: string, to: string, cable: string): void => {
    around.set(from, [...(around.get(from) ?? []), { to, cable }]);
  };
  for (const c of machine.cables) {
    add(c.from, c.to, c.id);
    add(c.to, c.from, c.id);
  }
  return around;
}

function shortest(around: Neighbours, from: string, to: string): string[] | null {
  const came = new Map<string, { from: string; cable: string } | null>([[from, null]]);
  const queue = [from];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    if (at === to) return walk_back(came, to);
    for (const next of around.get(at) ?? []) {
      if (came.has(next.to)) continue;
      came.set(next.to, { from: at, cable: next.cable });
      queue.push(next.to);
    }
  }
  return null;
}

function walk_back(came: Map<string, { from: string; cable: string } | null>, to: string): string[] {
  const cables: string[] = [];
  for (let step = came.get(to); step; step = came.get(step.from)) cables.unshift(step.cable);
  return cables;
}
