// Which colour an operation has: Okabe and Ito's palette by kind, so that a colour means the same on each page.

export interface KindColour {
  name: string; // of the group, for the legend
  light: string;
  dark: string;
  kinds: string[];
}

export const kKindColours: KindColour[] = [
  { name: "all_reduce", light: "#0072b2", dark: "#3f9fdc", kinds: ["all_reduce"] },
  { name: "all_gather", light: "#56b4e9", dark: "#7cc7f2", kinds: ["all_gather"] },
  { name: "reduce_scatter", light: "#009e73", dark: "#22b78d", kinds: ["reduce_scatter"] },
  { name: "broadcast", light: "#e69f00", dark: "#f0ac1e", kinds: ["broadcast"] },
  { name: "gather, scatter, reduce", light: "#c9b800", dark: "#f0e442", kinds: ["gather", "scatter", "reduce"] },
  { name: "all_to_all", light: "#cc79a7", dark: "#d98fb8", kinds: ["all_to_all"] },
  { name: "send, recv, copy", light: "#d55e00", dark: "#e8792a", kinds: ["send", "recv", "copy", "put", "get"] },
  { name: "barrier, other", light: "#7d8590", dark: "#8b949e", kinds: [] },
];

const kOther = kKindColours.length - 1;

export function kind_index(operation: string): number {
  const found = kKindColours.findIndex((c) => c.kinds.includes(operation));
  return found < 0 ? kOther : found;
}
