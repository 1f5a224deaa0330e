// A collective's card: each rank's stay as shares of the whole, so that the eye sees who was late.

import type { CollectiveTrace } from "../api/types";
import { device_ns } from "./trace";
import { duration_text } from "./units";

type TraceRank = CollectiveTrace["ranks"][number];

export type Stay = {
  rank: number;
  status: string;
  failed: boolean;
  last: boolean; // the others waited for it
  arrived_ns: number;
  waited_ns: number | null;
  host_ns: number | null;
  device_ns: number | null;
  device: number | null;
  bytes: number;
  // Shares of the time from the first arrival to the last departure.
  begin: number;
  wait: number;
  work: number;
};

export type Card = { stays: Stay[]; span_ns: number; last_rank: number | null };

function end_of(rank: TraceRank): number {
  return Math.max(rank.arrived_ns, rank.left_ns ?? 0, rank.completed_ns ?? 0);
}

export function card_of(trace: CollectiveTrace): Card {
  const span = Math.max(1, ...trace.ranks.map(end_of));
  const latest = Math.max(0, ...trace.ranks.map((r) => r.arrived_ns));
  const last = trace.ranks.filter((r) => r.arrived_ns === latest);
  const last_rank = trace.ranks.length > 1 && last.length === 1 && latest > 0 ? last[0]!.rank : null;
  const stays = [...trace.ranks]
    .sort((a, b) => a.rank - b.rank)
    .map((r): Stay => {
      const end = end_of(r);
      const wait = Math.max(0, Math.min(latest, end) - r.arrived_ns);
      return {
        rank: r.rank, status: r.status, failed: r.status !== "ok", last: r.rank === last_rank, arrived_ns: r.arrived_ns,
        waited_ns: r.waited_ns, host_ns: r.host_ns, device_ns: device_ns(r), device: r.device_index, bytes: r.bytes,
        begin: r.arrived_ns / span, wait: wait / span, work: Math.max(0, end - r.arrived_ns - wait) / span,
      };
    });
  return { stays, span_ns: span, last_rank };
}

// The sentence on top: who was waited for, and how long the transfer itself took.
export function card_sentence(trace: CollectiveTrace, card: Card): string {
  if (trace.missing.length > 0) {
    const who = trace.missing.length === 1 ? `Rank ${trace.missing[0]} has` : `Ranks ${trace.missing.join(", ")} have`;
    return `${who} no record of it.`;
  }
  const transfer = trace.transfer_device_ns ?? trace.transfer_host_ns;
  const clock = trace.transfer_device_ns !== null ? "device" : "host";
  const took = transfer === null ? "How long the transfer took is not known." : `The transfer took ${duration_text(transfer)} (${clock}).`;
  if (card.last_rank === null) return took;
  return `Rank ${card.last_rank} came last, ${duration_text(trace.skew_host_ns)} after the first (host). ${took}`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(3)}%`;
}
