// Operations that have begun and not ended, as bars that grow to now.

import type { components } from "../api/schema";
import { kind_index } from "./timeline_kinds";

export type InFlight = components["schemas"]["InFlight"];

export interface OpenBar {
  rank: number | null;
  begin: number;
  kind: number;
  hung: boolean; // the server has a finding about it
}

export function open_bars(items: InFlight[], now_ns: number): OpenBar[] {
  return items.flatMap((item) =>
    item.entered.map((e) => ({
      rank: e.rank,
      begin: now_ns - e.age_ns,
      kind: kind_index(item.operation),
      hung: item.finding !== null,
    })),
  );
}
