// What the overview says, ready to be shown.
import type { Finding, Overview, Point } from "../api/types";
import { bandwidth, bandwidth_text, count_text, duration, duration_text, evidence, per_second, share, share_text, size_text, type Figure } from "./units";

export type Headline = {
  label: string; figure: Figure; note?: string; why: string; values: (number | null)[]; show: (v: number) => string; from_zero: boolean;
};

export function headlines(overview: Overview, history: Point[]): Headline[] {
  const main = overview.main;
  const name = main ? main.operation : "main operation";
  const host = main?.host ?? null;
  const clock = host ? "host" : "device";
  const times = host ?? main?.device ?? null;
  const take = (key: keyof Point): (number | null)[] => history.map((p) => p[key] as number | null);
  return [
    { label: "Communication", figure: share(overview.communication_share), note: "of the ranks' time", why: "Share of the ranks' time spent in communication. – : no clock says.", values: take("communication_share"), show: share_text, from_zero: true },
    { label: `${name} p99`, figure: duration(times?.p99_ns), note: times ? `${clock} clock` : "no times yet", why: main ? `${name}, ${size_text(main.size_bytes)}: 1 of 100 takes longer. p50 ${duration_text(times?.p50_ns)}, n = ${count_text(times?.count)}` : "Nothing was recorded in this window.", values: take("p99_ns"), show: duration_text, from_zero: true },
    { label: main ? `${name} busbw` : "Bus bandwidth", figure: bandwidth(main?.busbw_gbs), note: main && main.busbw_gbs !== null ? `${main.bandwidth_clock} clock` : "", why: "As nccl-tests define it, of the operation that most time goes to.", values: take("busbw_gbs"), show: bandwidth_text, from_zero: true },
    { label: "Operations", figure: per_second(overview.operations_per_s), note: `${count_text(overview.operations)} in all`, why: "Operations that all ranks together performed, a second.", values: take("operations_per_s"), show: (v) => `${count_text(v)}/s`, from_zero: true },
  ];
}

export type Part = { name: string; share: number; text: string; colour: string; hatched: boolean };
export type Split = { parts: Part[]; why: string };

export function split_of(overview: Overview): Split {
  const { transfer, waiting, launch, waiting_for_rank, clock } = overview.split;
  const who = waiting_for_rank === null ? "waiting for others" : `waiting for rank ${waiting_for_rank}`;
  const all: [string, number | null, string, boolean][] = [
    ["transfer", transfer, "var(--transfer)", false], [who, waiting, "var(--waiting)", true], ["launch", launch, "var(--launch)", false],
  ];
  const parts = all.filter(([, s]) => s !== null && s > 0).map(([name, s, colour, hatched]) => ({ name, share: s!, text: share_text(s), colour, hatched }));
  const missing = all.filter(([, s]) => s === null).map(([name]) => name.replace(/ for.*/, ""));
  const why = parts.length === 0
    ? "Not known: collectives of at least two ranks with times are needed to tell transfer from waiting."
    : `${clock} clock${missing.length > 0 ? `; not known: ${missing.join(", ")}` : ""}`;
  return { parts, why };
}

export type Proof = { label: string; text: string };
export function proofs(finding: Finding): Proof[] {
  return Object.entries(finding.evidence).map(([key, value]) => evidence(key, value as number));
}
export function confidence_text(finding: Finding): string {
  return `${share_text(finding.confidence)} sure`;
}
export function impact_text(finding: Finding): string | null {
  return finding.impact > 0 ? `costs ${share_text(finding.impact)} of communication time` : null;
}
// Where to look at it: the page and what to select there.
export function place_of(finding: Finding): { page: "debugger" | "pairs" | "topology" | "operations"; changes: Record<string, string | number | null> } {
  const s = finding.subject;
  const changes = { rank: s.rank, peer: s.peer, communicator: s.communicator, operation: s.operation, device: s.peer === null && s.rank === null ? s.device : null };
  if (/hang|mismatch|died|stuck/.test(finding.kind)) return { page: "debugger", changes };
  if (/link|contention|flap/.test(finding.kind) && s.peer === null) return { page: "topology", changes };
  if (s.peer !== null || /pair|bandwidth/.test(finding.kind)) return { page: "pairs", changes };
  return { page: "operations", changes };
}
