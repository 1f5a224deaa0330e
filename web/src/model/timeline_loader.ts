// Asks for tiles: the wanted ones in order, a few at a time, each once. What is no longer wanted is dropped.

import { tile_key, type TileAddress } from "./timeline_tiles";

export interface Loader<T> {
  fetch: (a: TileAddress, signal: AbortSignal) => Promise<T>;
  arrived: (a: TileAddress, content: T, took_ms: number) => void;
  failed: (a: TileAddress, error: unknown) => void;
  most: number;
  wanted: TileAddress[];
  running: Map<string, AbortController>;
  refused: Map<string, number>; // key: when it may be asked for again, ms
  now: () => number;
}

const kRetryMs = 2000;

export function loader<T>(
  fetch: Loader<T>["fetch"], arrived: Loader<T>["arrived"], failed: Loader<T>["failed"], most = 4,
  now: () => number = () => performance.now(),
): Loader<T> {
  return { fetch, arrived, failed, most, wanted: [], running: new Map(), refused: new Map(), now };
}

export function want<T>(l: Loader<T>, addresses: TileAddress[]): void {
  const keys = new Set(addresses.map(tile_key));
  for (const [key, controller] of l.running) {
    if (keys.has(key)) continue;
    controller.abort();
    l.running.delete(key);
  }
  const seen = new Set<string>();
  l.wanted = addresses.filter((a) => {
    const key = tile_key(a);
    if (seen.has(key) || l.running.has(key)) return false;
    seen.add(key);
    return (l.refused.get(key) ?? 0) <= l.now();
  });
  pump(l);
}

export function stop<T>(l: Loader<T>): void {
  for (const controller of l.running.values()) controller.abort();
  l.running.clear();
  l.refused.clear();
  l.wanted = [];
}

function pump<T>(l: Loader<T>): void {
  while (l.running.size < l.most) {
    const a = l.wanted.shift();
    if (!a) return;
    void load(l, a);
  }
}

async function load<T>(l: Loader<T>, a: TileAddress): Promise<void> {
  const key = tile_key(a);
  const controller = new AbortController();
  l.running.set(key, controller);
  const begin = l.now();
  try {
    const content = await l.fetch(a, controller.signal);
    if (controller.signal.aborted) return;
    l.running.delete(key);
    l.refused.delete(key);
    l.arrived(a, content, l.now() - begin);
  } catch (error) {
    if (controller.signal.aborted) return;
    l.running.delete(key);
    l.refused.set(key, l.now() + kRetryMs);
    l.failed(a, error);
  }
  pump(l);
}
