// What the contract calls an object, and the command line's --json spells out.
import type { Distribution } from "./types";

export type ErrorGroup = {
  type: string; operation: string; communicator: string | null; count: number; ranks: number[]; pairs: { rank: number; peer: number }[]; first: string; last: string;
  first_sequence: number; last_sequence: number; errors: number[]; recovery_attempted: number; recovered: number;
  time_to_recovery_ns: { least: number | null; mean: number | null; most: number | null };
};
export type FailedCall = {
  type: string; operation: string; algorithm: string; communicator: string | null; sequence: number; bytes: number; time: string; at_ns: number; rank: number | null; peer: number | null;
  device: number | null; pid: number | null; recovery_attempted: boolean; tries: number; recovered: boolean; time_to_recovery_ns: number | null;
};

export type ProfileRow = {
  operation: string; algorithm: string | null; size_bytes: number; asynchronous: boolean; ranks: number | null; count: number; bytes: number; errors: number;
  host: Distribution | null; device: Distribution | null; algbw_gbs: number | null; busbw_gbs: number | null; bandwidth_clock: string | null;
  transfer_host?: Distribution | null; skew_host?: Distribution | null;
};
export type ProfileRank = { communicator: string; rank: number; count: number; bytes: number; errors: number; wait_share: number | null; waited_for_share: number | null };
export type ProfileReport = {
  title: string; source: string; from_ns: number | null; to_ns: number | null; covered_ns: number; spans: number;
  totals: { operations: number; bytes: number; errors: number; collectives: number; incomplete: number; mismatched: number };
  operations: ProfileRow[];
  split: { communication_host_ns: number; waiting_host_ns: number; waiting_share: number | null; transfer_device_ns: number | null; wait_device_ns: number | null; device_waiting_share: number | null };
  patterns: {
    call_sites: { operation: string; site: string; count: number }[];
    period: { found: boolean; operations: number | null; period_ns: number | null; confidence: number; iterations_seen: number; why_not: string | null };
    overlap: { clock: string | null; exposed_share: number | null; concurrent_share: number | null; why_unknown: string | null };
  };
  ranks: ProfileRank[];
  notes: string[];
};

export type CompareGroup = { name: string; operations: number; samples: number; median_ns: number | null; median_low_ns: number | null; median_high_ns: number | null };
export type CompareRow = {
  operation: string; size_bytes: number; ranks: number | null; clock: string; winner: string | null; verdict: "winner" | "inconclusive"; speedup: number | null; why: string;
  groups: CompareGroup[];
  pairs: { faster: string; slower: string; ratio: number | null; ratio_low: number | null; ratio_high: number | null; p_adjusted: number | null; significant: boolean; doubt: string | null }[];
};
export type ProfileComparison = { by: string; groups: { name: string; wins: number }[]; rows: CompareRow[]; undecided: number; alone: string[] };

export type BenchRow = {
  bytes: number; operation: string; algorithm: string; backend: string; dtype: string; redop: string; ranks: number; graph: boolean; time_us: number; ci_low_us: number | null; ci_high_us: number | null;
  samples: number; device_us: number | null; algbw_gbs: number; busbw_gbs: number; wrong: number | null;
};
export type BenchFile = { command: string; created: string; machine: { text: string; fingerprint: string }; skipped: string[]; ceilings: { backend: string; text: string; gbs: number }[]; rows: BenchRow[] };
export type BenchChange = { key: string; bytes: number; baseline_us: number; new_us: number; ratio: number; ratio_low: number | null; ratio_high: number | null; p: number | null; verdict: string };
export type BenchComparison = {
  threshold: number; compared: number; slower: number; faster: number; inconclusive: number; only_in_baseline: string[]; only_in_new: string[]; rows: BenchChange[];
};
