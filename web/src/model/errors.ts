// Errors added up.
import type { ErrorGroup } from "../api/shapes";

export function recovery_of(groups: ErrorGroup[]): { share: number | null; mean_ns: number | null } {
  let tried = 0;
  let recovered = 0;
  let time = 0;
  for (const g of groups) {
    tried += g.recovery_attempted;
    recovered += g.recovered;
    if (g.time_to_recovery_ns.mean !== null) time += g.time_to_recovery_ns.mean * g.recovered;
  }
  return { share: tried > 0 ? recovered / tried : null, mean_ns: recovered > 0 && time > 0 ? time / recovered : null };
}

const kFew = 3;
export function pairs_text(group: ErrorGroup): string {
  const all = group.pairs.length > 0 ? group.pairs.map((p) => `${p.rank} → ${p.peer}`) : group.ranks.map((r) => `rank ${r}`);
  return all.slice(0, kFew).join(", ") + (all.length > kFew ? ` and ${all.length - kFew} more` : "");
}
