// The selection as a list of things that one can take away.
import { parse_collective, range_of } from "./url";
import { since_start } from "./time";

export type Chip = { key: string; label: string; text: string; clears: string[] };

export function chips_of(params: Record<string, string>): Chip[] {
  const out: Chip[] = [];
  for (const key of ["rank", "peer", "device", "communicator", "operation"]) {
    const text = params[key];
    if (text !== undefined) out.push({ key, label: key === "peer" ? "to rank" : key, text, clears: [key] });
  }
  const collective = parse_collective(params.collective);
  if (collective) {
    out.push({ key: "collective", label: "collective", text: `${collective.operation} #${collective.sequence}`, clears: ["collective"] });
  }
  const range = range_of(params);
  if (range.kind === "custom") {
    out.push({ key: "range", label: "from", text: `${since_start(range.from)} to ${since_start(range.to)}`, clears: ["from", "to"] });
  }
  return out;
}
