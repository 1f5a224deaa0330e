// How long events take from happening to the screen, and (page_ms) the page's own part of it: from the wire to the screen.
export type Latency = { count: number; last_ms: number | null; max_ms: number | null; samples_ms: number[]; page_ms: number[] };
export const kEmptyLatency: Latency = { count: 0, last_ms: null, max_ms: null, samples_ms: [], page_ms: [] };
const kSamples = 1000;

export function note_latency(before: Latency, fresh_ms: number[], page_ms: number): Latency {
  if (fresh_ms.length === 0) return before;
  return {
    count: before.count + fresh_ms.length,
    last_ms: fresh_ms[fresh_ms.length - 1]!,
    max_ms: Math.max(before.max_ms ?? -Infinity, ...fresh_ms),
    samples_ms: [...before.samples_ms, ...fresh_ms].slice(-kSamples),
    page_ms: [...before.page_ms, page_ms].slice(-kSamples),
  };
}
