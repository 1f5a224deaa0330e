// What the page says about boxes, links and paths.

import type { CollectiveTrace, Topology } from "../api/types";
import type { Path } from "./topology_path";
import type { Box, Health, Machine } from "./topology_tree";
import { bandwidth_text, count_text, share_text, size_text } from "./units";

export type Line = { label: string; text: string; why: string | undefined; health?: Health };
export type Detail = { title: string; note: string | undefined; lines: Line[]; finding: string | null; host: string | null };
type What = { kind: "box" | "cable"; id: string } | null;

export function is_empty(topology: Topology): boolean {
  return topology.nodes.length === 0;
}

export function boxes_of(machine: Machine): Map<string, Box> {
  const all = new Map<string, Box>();
  const visit = (box: Box): void => {
    all.set(box.id, box);
    box.children.forEach(visit);
  };
  machine.roots.forEach(visit);
  return all;
}

export function labels_of(machine: Machine): Map<string, string> {
  return new Map([...boxes_of(machine)].map(([id, box]) => [id, box.label]));
}

// "a,b": the hosts that are open, as the address has them.
export function hosts_in(text: string | undefined): Set<string> {
  return new Set((text ?? "").split(",").filter((id) => id !== ""));
}
export function with_host(open: Set<string>, host: string): string {
  const next = new Set(open);
  if (!next.delete(host)) next.add(host);
  return [...next].sort().join(",");
}

const line = (label: string, text: string, why?: string): Line => ({ label, text, why: text === "–" ? (why ?? "not known") : undefined });

export function detail_of(machine: Machine, what: What, path: Path | null): Detail {
  if (what?.kind === "cable") return cable_detail(machine, what.id, path) ?? summary_of(machine);
  const box = what ? boxes_of(machine).get(what.id) : undefined;
  return box ? box_detail(machine, box) : summary_of(machine);
}

function cable_detail(machine: Machine, id: string, path: Path | null): Detail | null {
  const c = machine.cables.find((x) => x.id === id);
  if (!c) return null;
  const labels = labels_of(machine);
  const lines = [
    { ...line("health", c.health), health: c.health },
    line("measured", bandwidth_text(c.used_gbs), "nothing was measured on it in this window"),
    line("expected", bandwidth_text(c.capacity_gbs), "what it can carry is not known here"),
    line("use", share_text(c.utilisation), "needs both figures above"),
    line("errors", count_text(c.errors), "its counters cannot be read"),
  ];
  const travel = path?.by_cable.get(c.id);
  if (travel) lines.push(line("of the collective", `${size_text(travel.bytes)} in ${travel.moves} move${travel.moves === 1 ? "" : "s"}`));
  const note = c.count > 1 ? `${c.count} links` : c.type;
  return { title: `${labels.get(c.from)} – ${labels.get(c.to)}`, note, lines, finding: c.finding, host: null };
}

function box_detail(machine: Machine, box: Box): Detail {
  const own = machine.cables.filter((c) => c.from === box.id || c.to === box.id);
  const used = own.map((c) => c.used_gbs).filter((g) => g !== null);
  const lines: Line[] = [{ ...line("health", box.health), health: box.health }];
  if (box.detail) lines.push(line(box.holds > 0 ? "holds" : "runs", box.detail));
  if (box.title && box.title !== box.label) lines.push(line("is", box.title));
  lines.push(line("links", count_text(own.length)));
  lines.push(line("all links carry", used.length > 0 ? bandwidth_text(used.reduce((a, b) => a + b, 0)) : "–", "nothing was measured in this window"));
  const finding = own.find((c) => c.finding !== null)?.finding ?? null;
  const host = machine.grouped && machine.roots.some((r) => r.id === box.id) ? box.id : null;
  return { title: box.label, note: box.kind, lines, finding, host };
}

// Nothing is chosen: the machine in a few figures.
function summary_of(machine: Machine): Detail {
  const boxes = [...boxes_of(machine).values()];
  const is_troubled = (part: { health: string }): boolean => part.health === "warning" || part.health === "critical";
  const leaves = boxes.filter((b) => b.children.length === 0);
  const troubled = machine.cables.filter(is_troubled);
  const busiest = Math.max(...machine.cables.map((c) => c.utilisation ?? -1));
  const lines = [
    line("boxes", count_text(leaves.length)),
    line("links", count_text(machine.cables.reduce((n, c) => n + c.count, 0))),
    line("parts with a finding", count_text(troubled.length + leaves.filter(is_troubled).length)),
    line("busiest link", busiest < 0 ? "–" : share_text(busiest), "no link's use is known"),
  ];
  return { title: "The machine", note: "choose a link or a box", lines, finding: troubled[0]?.finding ?? null, host: null };
}

export function path_sentence(trace: CollectiveTrace, path: Path): string {
  if (trace.plan_unknown) return `goes over links that are not known: ${trace.plan_unknown}`;
  if (trace.moves.length === 0) return "moves nothing between ranks.";
  const links = path.by_cable.size;
  return `(${trace.algorithm}) makes ${trace.moves.length} move${trace.moves.length === 1 ? "" : "s"} over ${links} link${links === 1 ? "" : "s"}.`;
}

export function nowhere_text(pairs: [number, number][]): string {
  const named = pairs.slice(0, 4).map(([a, b]) => `${a}→${b}`).join(", ");
  return `No link is known for ${named}${pairs.length > 4 ? ` and ${pairs.length - 4} more` : ""}.`;
}
