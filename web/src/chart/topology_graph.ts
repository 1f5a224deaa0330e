// The machine's graph on cytoscape: a track as wide as what a link can carry, in it what it carries.

import cytoscape, { type Core, type EdgeSingular, type ElementDefinition, type EventObject, type NodeSingular, type StylesheetJson } from "cytoscape";
import type { Drawing, Placed, Wire } from "../model/topology_layout";
import type { Path } from "../model/topology_path";
import { blend, kHealthMark, type Ink } from "../model/topology_svg";
import type { Health } from "../model/topology_tree";

export type GraphInk = Ink & { accent: string; font: string };
export type GraphEvents = {
  hover: (what: { kind: "box" | "cable"; id: string; x: number; y: number } | null) => void;
  pick: (what: { kind: "box" | "cable"; id: string } | null) => void;
};
export type Graph = { core: Core; stop: () => void };

export function read_graph_ink(): GraphInk {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string): string => style.getPropertyValue(name).trim();
  const health: Record<Health, string> = {
    ok: token("--ok"), warning: token("--warning"), critical: token("--critical"), unknown: token("--text-3"),
  };
  return {
    surface: token("--surface"), line: token("--line"), text: token("--text"), quiet: token("--text-3"),
    track: blend(token("--surface"), token("--text-3"), 0.32), health, accent: token("--accent"), font: token("--font") || "sans-serif",
  };
}

// cytoscape would add a <style> element, which the page's policy refuses; it does not if one of that name exists.
function keep_styles_out(): void {
  const id = "__________cytoscape_stylesheet";
  if (document.getElementById(id)) return;
  const mark = document.createElement("meta");
  mark.id = id;
  document.head.append(mark);
}

export function start_graph(container: HTMLElement, on: GraphEvents): Graph {
  keep_styles_out();
  const core = cytoscape({
    container, elements: [], layout: { name: "preset" }, minZoom: 0.1, maxZoom: 3,
    autoungrabify: true, boxSelectionEnabled: false, selectionType: "single",
  });
  const what = (event: EventObject): { kind: "box" | "cable"; id: string } => {
    const target = event.target as NodeSingular | EdgeSingular;
    const cable: unknown = target.data("cable");
    return typeof cable === "string" ? { kind: "cable", id: cable } : { kind: "box", id: target.id() };
  };
  core.on("mouseover", "node, edge", (event) => {
    const { x, y } = event.renderedPosition;
    on.hover({ ...what(event), x, y });
    container.style.cursor = "pointer";
  });
  core.on("mouseout", "node, edge", () => {
    on.hover(null);
    container.style.cursor = "";
  });
  core.on("tap", (event) => on.pick(event.target === core ? null : what(event)));
  const watch = new ResizeObserver(() => {
    core.resize();
    fit(core);
  });
  watch.observe(container);
  return {
    core,
    stop: () => {
      watch.disconnect();
      core.destroy();
    },
  };
}

// Never larger than life: two boxes do not fill a wall.
export function fit(core: Core): void {
  if (core.elements().empty()) return;
  core.fit(undefined, 16);
  if (core.zoom() > 1.4) {
    core.zoom(1.4);
    core.center();
  }
}

function mark_of(health: Health): string {
  return health === "warning" || health === "critical" ? `${kHealthMark[health]} ` : "";
}

function box_element(p: Placed): ElementDefinition {
  const { box } = p;
  const label = mark_of(box.health) + box.label + (box.detail && p.leaf ? `\n${box.detail}` : "");
  const data = { id: box.id, label, width: p.width, height: p.height, health: box.health };
  return { group: "nodes", data, position: { x: p.x, y: p.y }, classes: p.leaf ? `leaf ${box.kind}` : "frame" };
}

function wire_elements(w: Wire): ElementDefinition[] {
  const { cable } = w;
  const base = { cable: cable.id, source: cable.from, target: cable.to, bend: w.bend, health: cable.health };
  const known = cable.capacity_gbs === null ? " unknown" : "";
  const shape = w.bend === 0 ? "" : " bent";
  return [
    { group: "edges", data: { ...base, id: `track:${cable.id}`, width: w.width, label: mark_of(cable.health).trim() }, classes: `track${known}${shape}` },
    { group: "edges", data: { ...base, id: `fill:${cable.id}`, width: Math.max(0.5, w.fill), label: "" }, classes: `fill${w.fill === 0 ? " none" : ""}${shape}` },
  ];
}

// Keeps what is there: only new figures move, never the picture.
export function show(core: Core, drawing: Drawing): void {
  const wanted = [...drawing.placed.map(box_element), ...drawing.wires.flatMap(wire_elements)];
  const ids = new Set(wanted.map((e) => e.data.id));
  const before = core.elements().length;
  core.batch(() => {
    core.elements().filter((e) => !ids.has(e.id())).remove();
    for (const element of wanted) {
      const old = core.getElementById(element.data.id!);
      if (old.empty()) core.add(element);
      else {
        old.data(element.data);
        old.classes(element.classes as string);
        if (element.position) (old as NodeSingular).position(element.position);
      }
    }
  });
  if (before === 0 || before !== core.elements().length) fit(core);
}

export function light_up(core: Core, path: Path | null, chosen: string | null): void {
  core.batch(() => {
    core.elements().removeClass("lit dim chosen");
    if (path && path.by_cable.size > 0) {
      core.edges().forEach((e) => void e.addClass(path.by_cable.has(String(e.data("cable"))) ? "lit" : "dim"));
      core.nodes(".leaf").forEach((n) => void n.addClass(path.boxes.has(n.id()) ? "lit" : "dim"));
    }
    if (chosen !== null) core.elements().filter((e) => e.id() === chosen || e.data("cable") === chosen).addClass("chosen");
  });
}

export function style_of(ink: GraphInk): StylesheetJson {
  const health = (h: Health): string => ink.health[h];
  const by_health = (["ok", "warning", "critical", "unknown"] as Health[]).flatMap((h): StylesheetJson => [
    { selector: `edge.fill[health = "${h}"]`, style: { "line-color": health(h) } },
    { selector: `edge.track[health = "${h}"]`, style: { color: health(h) } },
  ]);
  const troubled = (["warning", "critical"] as Health[]).flatMap((h): StylesheetJson => [
    { selector: `node[health = "${h}"]`, style: { "border-color": health(h), "border-width": 2, color: health(h) } },
    { selector: `edge.track[health = "${h}"]`, style: { "line-outline-width": 1.5, "line-outline-color": health(h) } },
  ]);
  return [...box_styles(ink), ...wire_styles(ink), ...by_health, ...troubled, ...state_styles(ink)];
}

function box_styles(ink: GraphInk): StylesheetJson {
  return [
    {
      selector: "node",
      style: {
        shape: "round-rectangle", "corner-radius": "6", "background-color": ink.surface, "border-width": 1, "border-color": ink.line,
        color: ink.text, label: "data(label)", "font-family": ink.font, "font-size": 13, "text-wrap": "wrap",
        "text-max-width": "124px", "overlay-opacity": 0,
      },
    },
    {
      selector: "node.leaf",
      style: {
        width: "data(width)", height: "data(height)", "text-valign": "center", "text-halign": "center", "line-height": 1.35,
        "border-color": ink.quiet, "z-index": 20, "z-index-compare": "manual",
      },
    },
    {
      selector: "node.frame",
      style: {
        width: "data(width)", height: "data(height)", "background-opacity": 0, "text-valign": "top", "text-halign": "center",
        "text-margin-y": 24, "text-max-width": "400px", color: ink.quiet, "z-index": 1, "z-index-compare": "manual",
      },
    },
  ];
}

function wire_styles(ink: GraphInk): StylesheetJson {
  return [
    {
      selector: "edge",
      style: { width: "data(width)", "curve-style": "straight", "line-cap": "butt", "overlay-opacity": 0, "font-size": 15, "z-index": 5, "z-index-compare": "manual" },
    },
    {
      selector: "edge.bent",
      style: { "curve-style": "unbundled-bezier", "control-point-distances": "data(bend)" as unknown as number[], "control-point-weights": [0.5] },
    },
    {
      selector: "edge.track",
      style: {
        "line-color": ink.track, label: "data(label)", "text-background-color": ink.surface, "text-background-opacity": 1,
        "text-background-padding": "3px", "text-background-shape": "roundrectangle",
      },
    },
    { selector: "edge.track.unknown", style: { "line-style": "dashed", "line-color": ink.quiet } },
    { selector: "edge.fill", style: { "z-index": 6, events: "no" } },
    { selector: "edge.fill.none", style: { display: "none" } },
  ];
}

function state_styles(ink: GraphInk): StylesheetJson {
  return [
    { selector: ".dim", style: { opacity: 0.28 } },
    { selector: "edge.track.lit", style: { "line-outline-width": 2, "line-outline-color": ink.accent } },
    { selector: "node.lit", style: { "border-color": ink.accent, "border-width": 2 } },
    { selector: "node.chosen", style: { "border-color": ink.accent, "border-width": 3 } },
    { selector: "edge.track.chosen", style: { "line-outline-width": 3, "line-outline-color": ink.accent } },
  ];
}
