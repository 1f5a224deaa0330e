// The 3-D view: loaded only when somebody asks for it.

import ForceGraph3D from "3d-force-graph";
import type { GraphInk } from "./topology_graph";
import type { SpaceLink, SpaceNode } from "../model/topology_space";

export type Space = { show: (nodes: SpaceNode[], links: SpaceLink[]) => void; stop: () => void };

export function start_space(container: HTMLElement, ink: GraphInk, text: (node: SpaceNode) => string, pick: (id: string) => void): Space {
  const graph = new ForceGraph3D(container, { controlType: "orbit" });
  graph
    .backgroundColor(ink.surface)
    .showNavInfo(false)
    .nodeLabel((n) => as_text(text(n as unknown as SpaceNode)))
    .nodeVal((n) => (n as unknown as SpaceNode).size)
    .nodeColor((n) => colour_of(n as unknown as SpaceNode, ink))
    .nodeOpacity(0.9)
    .linkColor((l) => ink.health[(l as unknown as SpaceLink).link.health])
    .linkWidth((l) => 0.4 + 1.6 * ((l as unknown as SpaceLink).link.utilisation ?? 0))
    .linkOpacity(0.5)
    .enableNodeDrag(false)
    .cooldownTicks(0)
    .onNodeClick((n) => pick(String(n.id)));
  const watch = new ResizeObserver(() => graph.width(container.clientWidth).height(container.clientHeight));
  watch.observe(container);
  let fit: ReturnType<typeof setTimeout> | undefined;
  return {
    show: (nodes, links) => {
      // Places are given: nothing is left for forces to do.
      const fixed = nodes.map((n) => ({ ...n, fx: n.x, fy: n.y, fz: n.z }));
      graph.graphData({ nodes: fixed, links: links.map((l) => ({ ...l })) });
      clearTimeout(fit);
      fit = setTimeout(() => graph.zoomToFit(0, 40), 100);
    },
    stop: () => {
      clearTimeout(fit);
      watch.disconnect();
      graph._destructor();
    },
  };
}

function colour_of(n: SpaceNode, ink: GraphInk): string {
  return n.node.health === "ok" ? (n.node.kind === "host" ? ink.accent : ink.health.ok) : ink.health[n.node.health];
}

// An element, not a string: labels that are strings are taken for markup.
function as_text(text: string): HTMLElement {
  const label = document.createElement("span");
  label.textContent = text;
  return label;
}
