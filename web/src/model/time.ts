// Moments count in ns from the session's start; people see the clock and how long ago.
import { duration_text, kUnknown } from "./units";

type Maybe = number | null | undefined;

export function ago(ns: Maybe, now_ns: Maybe): string {
  if (ns == null || now_ns == null) return kUnknown;
  const elapsed = Math.max(0, now_ns - ns);
  if (elapsed < 1e9) return "just now";
  if (elapsed < 120e9) return `${Math.round(elapsed / 1e9)}\u00a0s ago`;
  if (elapsed < 7200e9) return `${Math.round(elapsed / 60e9)}\u00a0min ago`;
  if (elapsed < 172_800e9) return `${Math.round(elapsed / 3600e9)}\u00a0h ago`;
  return `${Math.round(elapsed / 86_400e9)}\u00a0days ago`;
}

// "12.345 s" since the start: what a cursor or an axis says.
export function since_start(ns: Maybe): string {
  if (ns == null) return kUnknown;
  if (Math.abs(ns) < 1e9) return duration_text(ns);
  const s = ns / 1e9;
  if (s < 600) return `${s.toFixed(3)}\u00a0s`;
  const whole = Math.floor(s);
  const pad = (value: number): string => String(value).padStart(2, "0");
  const clock = `${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}`;
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${clock}` : clock;
}

// The wall clock's ms since 1970 of a moment; start_unix_ns is an exact decimal string.
export function wall_ms(start_unix_ns: string, t_ns: number): number {
  const start = BigInt(start_unix_ns);
  return Number(start / 1_000_000n) + Number(start % 1_000_000n) / 1e6 + t_ns / 1e6;
}

export function clock_text(unix_ms: number, with_ms = false): string {
  if (!Number.isFinite(unix_ms)) return kUnknown;
  const date = new Date(unix_ms);
  const pad = (value: number, width = 2): string => String(value).padStart(width, "0");
  const text = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return with_ms ? `${text}.${pad(date.getMilliseconds(), 3)}` : text;
}

export function date_text(time: string | null | undefined): string {
  const ms = time ? Date.parse(time) : NaN;
  if (!Number.isFinite(ms)) return kUnknown;
  const date = new Date(ms);
  const pad = (value: number): string => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${clock_text(ms)}`;
}

export function ago_of_time(time: string | null | undefined, now_ms: number): string {
  const ms = time ? Date.parse(time) : NaN;
  return Number.isFinite(ms) ? ago(0, (now_ms - ms) * 1e6) : kUnknown;
}

// "10 s", "5m", "1500ms", a bare number of seconds; null: cannot be read.
export function parse_duration(text: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m|min|h|d)?\s*$/.exec(text);
  if (!match) return null;
  const unit: Record<string, number> = { ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9, m: 60e9, min: 60e9, h: 3600e9, d: 86_400e9 };
  return Math.round(Number(match[1]) * (unit[match[2] ?? "s"] ?? 1e9));
}

// "16 KB", "1m", "4096": sizes as people say them; null: cannot be read.
export function parse_size(text: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*$/i.exec(text);
  if (!match) return null;
  const power = { "": 0, k: 1, m: 2, g: 3, t: 4 }[match[2]!.toLowerCase()] ?? 0;
  return Math.round(Number(match[1]) * 1024 ** power);
}

export function seconds_text(ms: number): string {
  const s = ms / 1000;
  return `${s < 1 ? s.toFixed(1) : Math.round(s)}\u00a0s`;
}

export function between_text(from: string | null, to: string | null): string {
  const [a, b] = [from ? Date.parse(from) : NaN, to ? Date.parse(to) : NaN];
  return Number.isFinite(a) && Number.isFinite(b) ? duration_text((b - a) * 1e6) : kUnknown;
}
