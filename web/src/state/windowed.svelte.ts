// Figures of a window: pushed for the last 10 s, asked for once a second for any other.
import { route } from "./route.svelte";
import { resource, type Resource } from "./resource.svelte";
import { kWindowNames, refresh_ms } from "../model/url";

const kAskMs = 1000; // also where the range is fixed: the window behind it moves

export type Windowed<T> = { readonly data: T | null; readonly error: unknown; readonly note: string; reload(): void };

// `unwrap` takes the answer's rows out; `pushed` is what the stream keeps.
export function windowed<T, A>(path: string, pushed: () => T | null, unwrap: (answer: A) => T): Windowed<T> {
  const asks = $derived(route.window !== "10s");
  const out: Resource<A> = resource<A>(
    () => (asks ? { path, query: { window: route.window } } : null),
    () => (asks ? Math.max(kAskMs, refresh_ms(route.range)) : 0),
  );
  return {
    get data() {
      return asks ? (out.data === null ? null : unwrap(out.data)) : pushed();
    },
    get error() {
      return asks ? out.error : null;
    },
    get note() {
      return kWindowNames[route.window];
    },
    reload: () => out.reload(),
  };
}
