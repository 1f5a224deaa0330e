// One answer of the server that follows what it is asked with. Old data stays on the screen until new data is there.
import { get, is_abort } from "../api/client";
import type { Query } from "../api/types";
import { live } from "./live.svelte";

export type Ask = { path: string; query?: Query } | null; // null: nothing to ask now

export class Resource<T> {
  data = $state.raw<T | null>(null);
  error = $state.raw<unknown>(null);
  loading = $state(false);
  asked = $state.raw<Ask>(null);
  #abort: AbortController | null = null;

  async load(ask: Ask): Promise<void> {
    this.#abort?.abort();
    this.asked = ask;
    if (ask === null) return this.#clear();
    const abort = new AbortController();
    this.#abort = abort;
    this.loading = true;
    try {
      const data = await get<T>(ask.path, ask.query, abort.signal);
      if (this.#abort !== abort) return;
      this.data = data;
      this.error = null;
    } catch (error) {
      if (this.#abort !== abort || is_abort(error)) return;
      this.error = error;
    }
    this.loading = false;
  }
  reload(): void {
    void this.load(this.asked);
  }
  stop(): void {
    this.#abort?.abort();
  }
  #clear(): void {
    this.data = null;
    this.error = null;
    this.loading = false;
  }
}

// Asks now, whenever the question changes and (every_ms) again and again, unless paused or out of sight.
// Call it while a component is set up.
export function resource<T>(ask: () => Ask, every_ms: number | (() => number) = 0): Resource<T> {
  const out = new Resource<T>();
  const key = $derived(JSON.stringify(ask()));
  $effect(() => {
    void out.load(JSON.parse(key) as Ask);
    return () => out.stop();
  });
  $effect(() => {
    const period = typeof every_ms === "function" ? every_ms() : every_ms;
    if (period <= 0 || live.paused) return;
    return repeat(period, async () => {
      if (!document.hidden && !out.loading && !live.token_needed) await out.load(ask());
    });
  });
  return out;
}

const kShareOfTime = 4; // what takes long is asked for less often: at most this part of the time is spent waiting

function repeat(period_ms: number, work: () => Promise<void>): () => void {
  let timer = setTimeout(step, period_ms);
  let stopped = false;
  async function step(): Promise<void> {
    const begun = performance.now();
    await work();
    if (!stopped) timer = setTimeout(step, Math.max(period_ms, (performance.now() - begun) * kShareOfTime));
  }
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
