// Who arrives when: a bar a rank on one scale.
import type { RankRow } from "../api/types";
import { duration_text, share_text } from "./units";

export type Arrival = {
  communicator: string; rank: number; p50_at: number | null; p99_at: number | null; text: string; last: string; late: boolean; title: string;
};

const kFloorNs = 1000;

// Positions are shares of the scale; the latest p99 is at its end. A rank that comes early sits at 0.
export function arrivals(rows: RankRow[]): { rows: Arrival[]; scale: string } {
  const most = Math.max(kFloorNs, ...rows.map((r) => r.lateness_p99_ns ?? 0));
  const worst = Math.max(0, ...rows.map((r) => r.lateness_p50_ns ?? 0));
  const at = (ns: number | null): number | null => (ns === null ? null : Math.max(0, ns) / most);
  return {
    scale: duration_text(most),
    rows: rows.map((r) => ({
      communicator: r.communicator, rank: r.rank, p50_at: at(r.lateness_p50_ns), p99_at: at(r.lateness_p99_ns),
      text: r.lateness_p50_ns === null ? "–" : late_text(r.lateness_p50_ns),
      last: share_text(r.last_share), late: worst > kFloorNs * 5 && r.lateness_p50_ns === worst && r.last_share > 0.35,
      title: `rank ${r.rank} of ${r.communicator}: p50 ${late_text(r.lateness_p50_ns)}, p99 ${late_text(r.lateness_p99_ns)} (host clock) against the median of the others; alone last in ${share_text(r.last_share)} of ${r.collectives} collectives`,
    })),
  };
}

export function late_text(ns: number | null): string {
  if (ns === null) return "–";
  return ns >= 0 ? `+${duration_text(ns)}` : `−${duration_text(-ns)}`;
}

// The communicator to show where one must be chosen: the selected, else the busiest.
export function communicator_of(rows: { communicator: string; bytes: number }[], selected: string | null): string | null {
  if (selected !== null && rows.some((r) => r.communicator === selected)) return selected;
  const bytes = new Map<string, number>();
  for (const row of rows) bytes.set(row.communicator, (bytes.get(row.communicator) ?? 0) + row.bytes);
  return [...bytes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null;
}
