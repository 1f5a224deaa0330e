// "Now" of the session, in ns since its start, as of the last applied update.
import { untrack } from "svelte";
import type { Query } from "../api/types";
import { filter_query } from "../model/filter";
import { live } from "./live.svelte";
import { route } from "./route.svelte";

export function now_ns(): number | null {
  return live.overview?.now_ns ?? live.session?.now_ns ?? null;
}

// The selection and the range as a query; null until it is known what "now" is. Changes with the selection, not with
// each tick: who polls calls it again.
export function asked(): Query | null {
  if (!live.known) return null;
  const params = route.params;
  return untrack(() => filter_query(params, now_ns(), live.session?.first_ns ?? null));
}
