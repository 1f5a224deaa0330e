// "Now" of the session, in ns since its start, as of the last applied update.
import { live } from "./live.svelte";

export function now_ns(): number | null {
  return live.overview?.now_ns ?? live.session?.now_ns ?? null;
}
