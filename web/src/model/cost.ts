// What the monitor itself costs and misses, in words.
import type { Overview } from "../api/types";
import { count_text, share_text } from "./units";

export type Cost = { lost: number; over_budget: boolean; title: string; lost_title: string };

export function cost_of(overview: Overview | null): Cost {
  if (!overview) return { lost: 0, over_budget: false, title: "not known yet", lost_title: "not known yet" };
  const lost = overview.lost + overview.dropped;
  return {
    lost,
    over_budget: overview.overhead_fraction > overview.overhead_budget,
    title: `${share_text(overview.overhead_fraction)} of the recording threads' time; the budget is ${share_text(overview.overhead_budget)}`,
    lost_title: `${count_text(overview.lost)} records overwritten before they were read, ${count_text(overview.dropped)} refused by the recorder, of ${count_text(overview.delivered)} delivered`,
  };
}
