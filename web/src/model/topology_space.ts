// The same machine in space, for systems too large for a plane: hosts on a sphere, their devices round them.

import type { Link, Node, Topology } from "../api/types";

export type Point3 = { x: number; y: number; z: number };
export type SpaceNode = Point3 & { id: string; node: Node; size: number };
export type SpaceLink = { source: string; target: string; link: Link };

const kGolden = Math.PI * (3 - Math.sqrt(5));

// Evenly over a sphere, in an order that does not change.
export function on_sphere(i: number, n: number, radius: number): Point3 {
  if (n === 1) return { x: 0, y: 0, z: 0 };
  const y = 1 - (2 * i + 1) / n;
  const ring = Math.sqrt(1 - y * y);
  return { x: radius * ring * Math.cos(kGolden * i), y: radius * y, z: radius * ring * Math.sin(kGolden * i) };
}

function group_of(node: Node, by_id: Map<string, Node>): string {
  const seen = new Set<string>();
  let at = node;
  while (at.parent !== null && !seen.has(at.id)) {
    seen.add(at.id);
    const above = by_id.get(at.parent);
    if (!above) break;
    at = above;
  }
  return at.id;
}

export function space_of(topology: Topology): { nodes: SpaceNode[]; links: SpaceLink[] } {
  const by_id = new Map(topology.nodes.map((n) => [n.id, n]));
  const groups = new Map<string, Node[]>();
  for (const node of topology.nodes) {
    const key = group_of(node, by_id);
    groups.set(key, [...(groups.get(key) ?? []), node]);
  }
  const biggest = Math.max(1, ...[...groups.values()].map((g) => g.length));
  const own = 14 * Math.sqrt(biggest);
  const radius = own * 1.6 * Math.sqrt(groups.size);
  const nodes: SpaceNode[] = [];
  [...groups.entries()].forEach(([key, members], i) => {
    const middle = on_sphere(i, groups.size, radius);
    const around = members.filter((n) => n.id !== key);
    const head = by_id.get(key);
    if (head) nodes.push({ id: head.id, node: head, size: around.length > 0 ? 8 : 4, ...middle });
    around.forEach((node, j) => {
      const p = on_sphere(j, Math.max(2, around.length), own);
      nodes.push({ id: node.id, node, size: node.kind === "rank" ? 2 : 4, x: middle.x + p.x, y: middle.y + p.y, z: middle.z + p.z });
    });
  });
  const links = topology.links
    .filter((l) => by_id.has(l.from) && by_id.has(l.to))
    .map((link) => ({ source: link.from, target: link.to, link }));
  return { nodes, links };
}

// Changes when the picture has to: another node, another health; not with each figure.
export function space_key(topology: Topology): string {
  return JSON.stringify([topology.nodes.map((n) => [n.id, n.health]), topology.links.map((l) => [l.id, l.health, Math.round((l.utilisation ?? 0) * 4)])]);
}
