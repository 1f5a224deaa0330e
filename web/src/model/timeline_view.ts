// The stretch of time on the screen, and its axis. Times are ns since the session's start.

export interface Span {
  from: number;
  to: number;
}

export interface Tick {
  at: number;
  text: string;
}

export interface Axis {
  // What the ticks count from, as text; "" where they count from the session's start.
  base: string;
  ticks: Tick[];
}

export const kShortestSpanNs = 20;

export function span_ns(span: Span): number {
  return span.to - span.from;
}

// Never shorter than kShortestSpanNs, never longer than the run and its margins, never all outside of it.
export function clamp_view(view: Span, run: Span): Span {
  const whole = Math.max(span_ns(run), kShortestSpanNs);
  const width = Math.min(Math.max(span_ns(view), kShortestSpanNs), whole * 1.1);
  const middle = (view.from + view.to) / 2;
  const low = run.from - whole * 0.05;
  const high = run.to + whole * 0.05;
  const from = Math.min(Math.max(middle - width / 2, low), high - width);
  return { from, to: from + width };
}

export function fit_run(run: Span): Span {
  const margin = Math.max(span_ns(run), kShortestSpanNs) * 0.01;
  return clamp_view({ from: run.from - margin, to: run.to + margin }, run);
}

// `at` stays where it is on the screen; a factor below 1 shows less time.
export function zoom_at(view: Span, factor: number, at: number, run: Span): Span {
  const from = at - (at - view.from) * factor;
  const to = at + (view.to - at) * factor;
  const width = to - from;
  if (width < kShortestSpanNs) {
    const share = (at - view.from) / span_ns(view);
    const begin = at - share * kShortestSpanNs;
    return clamp_view({ from: begin, to: begin + kShortestSpanNs }, run);
  }
  return clamp_view({ from, to }, run);
}

export function pan_by(view: Span, ns: number, run: Span): Span {
  return clamp_view({ from: view.from + ns, to: view.to + ns }, run);
}

// Shows [begin, end] with room on both sides.
export function frame(begin: number, end: number, run: Span): Span {
  const room = Math.max((end - begin) * 0.75, kShortestSpanNs / 2);
  return clamp_view({ from: begin - room, to: end + room }, run);
}

export function x_of(ns: number, view: Span, width: number): number {
  return ((ns - view.from) / span_ns(view)) * width;
}

export function ns_at(x: number, view: Span, width: number): number {
  return view.from + (x / width) * span_ns(view);
}

const kLongSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

export function tick_step(span: number, width: number, px_per_tick = 96): number {
  const least = span / Math.max(1, Math.floor(width / px_per_tick));
  if (least > 5e8) {
    for (const s of kLongSteps) if (s * 1e9 >= least) return s * 1e9;
    return 86400e9 * Math.ceil(least / 86400e9);
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  for (const m of [1, 2, 5]) if (m * power >= least) return m * power;
  return 10 * power;
}

export function axis_of(view: Span, width: number): Axis {
  const step = tick_step(span_ns(view), width);
  const coarse = step >= 1e9 ? 0 : 10 ** Math.ceil(Math.log10(span_ns(view)));
  const base = coarse > 0 ? Math.max(0, Math.floor(view.from / coarse) * coarse) : 0;
  const ticks: Tick[] = [];
  const first = Math.ceil((view.from - base) / step);
  const last = Math.floor((view.to - base) / step);
  for (let i = first; i <= last; ++i) {
    ticks.push({ at: base + i * step, text: (base > 0 && i >= 0 ? "+" : "") + tick_text(i * step, step) });
  }
  return { base: base > 0 ? exact_seconds(base) : "", ticks };
}

// As many digits as the step has, in the step's unit.
export function tick_text(ns: number, step: number): string {
  if (step >= 1e9) return clock_text(ns);
  const [unit, name] = step >= 1e6 ? [1e6, "ms"] : step >= 1e3 ? [1e3, "µs"] : [1, "ns"];
  return `${Math.round(ns / unit).toLocaleString("en").replaceAll(",", "\u202f")} ${name}`;
}

function clock_text(ns: number): string {
  const sign = ns < 0 ? "−" : "";
  const s = Math.round(Math.abs(ns) / 1e9);
  if (s < 60) return `${sign}${s} s`;
  const two = (n: number) => String(n).padStart(2, "0");
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${sign}${minutes}:${two(s % 60)}`;
  return `${sign}${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(s % 60)}`;
}

// Every digit: 12.345 678 901 s, in groups of three. Zeros at the end are left out by whole groups.
export function exact_seconds(ns: number): string {
  const whole = Math.round(Math.abs(ns));
  const seconds = Math.floor(whole / 1e9);
  const rest = String(whole - seconds * 1e9).padStart(9, "0");
  const groups = [rest.slice(0, 3), rest.slice(3, 6), rest.slice(6, 9)];
  while (groups.length > 0 && groups[groups.length - 1] === "000") groups.pop();
  const sign = ns < 0 ? "−" : "";
  const tail = groups.length > 0 ? "." + groups.join("\u202f") : "";
  return `${sign}${seconds}${tail} s`;
}

// The time of day to the nanosecond. `start_unix_ns` is a decimal string: too long for a JSON number.
export function absolute_time(start_unix_ns: string, ns: number): string {
  const at = BigInt(start_unix_ns) + BigInt(Math.round(ns));
  const seconds = at / 1_000_000_000n;
  const rest = String(at % 1_000_000_000n).padStart(9, "0");
  const text = new Date(Number(seconds) * 1000).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)}.${rest} UTC`;
}
