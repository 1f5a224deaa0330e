// A list that comes page by page, as far as one asks.
import { get, is_abort } from "../api/client";
import type { Page } from "../api/types";
import type { Ask } from "./resource.svelte";

export class Pages<T> {
  items = $state.raw<T[] | null>(null);
  next = $state<string | null>(null);
  error = $state.raw<unknown>(null);
  loading = $state(false);
  #ask: Ask = null;
  #abort: AbortController | null = null;

  async start(ask: Ask): Promise<void> {
    this.#ask = ask;
    this.next = null;
    if (ask === null) {
      this.items = null;
      return;
    }
    await this.#fetch(null, []);
  }
  async more(): Promise<void> {
    if (this.next !== null && !this.loading) await this.#fetch(this.next, this.items ?? []);
  }
  reload(): void {
    void this.start(this.#ask);
  }
  stop(): void {
    this.#abort?.abort();
  }

  async #fetch(cursor: string | null, before: T[]): Promise<void> {
    const ask = this.#ask;
    if (ask === null) return;
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.loading = true;
    try {
      const page = await get<Page<T>>(ask.path, { ...ask.query, cursor }, abort.signal);
      if (this.#abort !== abort) return;
      this.items = [...before, ...page.items];
      this.next = page.next;
      this.error = null;
    } catch (error) {
      if (this.#abort !== abort || is_abort(error)) return;
      this.error = error;
    }
    this.loading = false;
  }
}

const kTypingMs = 150; // not a question a letter

// Starts anew whenever the question changes. Call it while a component is set up.
export function paged<T>(ask: () => Ask): Pages<T> {
  const out = new Pages<T>();
  const key = $derived(JSON.stringify(ask()));
  let first = true;
  $effect(() => {
    const asked = JSON.parse(key) as Ask;
    const timer = setTimeout(() => void out.start(asked), first ? 0 : kTypingMs);
    first = asked === null;
    return () => {
      clearTimeout(timer);
      out.stop();
    };
  });
  return out;
}
