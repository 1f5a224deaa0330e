// The path of a sparkline: the newest at the right, gaps where nothing is known.
export type Spark = { line: string; area: string; low: number | null; high: number | null };
type Options = { width: number; height: number; slots: number; from_zero: boolean };

export function spark_path(values: (number | null)[], { width, height, slots, from_zero }: Options): Spark {
  const shown = values.slice(-slots);
  const known = shown.filter((v): v is number => v !== null && Number.isFinite(v));
  if (known.length === 0) return { line: "", area: "", low: null, high: null };
  const low = Math.min(...known);
  const high = Math.max(...known);
  const base = from_zero ? Math.min(0, low) : low - (high - low) * 0.25;
  const span = high - base || 1;
  const x = (i: number): number => ((slots - shown.length + i) * width) / Math.max(1, slots - 1);
  const y = (v: number): number => height - 2 - ((v - base) / span) * (height - 4);
  let line = "";
  let area = "";
  for (const [first, last] of runs(shown)) {
    const points = shown.slice(first, last + 1).map((v, k) => `${x(first + k).toFixed(1)} ${y(v!).toFixed(1)}`);
    line += `M${points.join("L")}`;
    if (points.length === 1) line += "h0.1";
    area += `M${x(first).toFixed(1)} ${height}L${points.join("L")}L${x(last).toFixed(1)} ${height}Z`;
  }
  return { line, area, low, high };
}

function runs(values: (number | null)[]): [number, number][] {
  const out: [number, number][] = [];
  values.forEach((v, i) => {
    if (v === null || !Number.isFinite(v)) return;
    const last = out[out.length - 1];
    if (last && last[1] === i - 1) last[1] = i;
    else out.push([i, i]);
  });
  return out;
}
