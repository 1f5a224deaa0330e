// Alerts, silences and rules, in words.
import type { Alert, Matcher, Rule, Silence } from "../api/types";
import { severity_rank } from "./severity";
import { bandwidth_text, digits, duration_text, rate_text, share_text, size_text, text_of } from "./units";

export function alert_order(a: Alert, b: Alert): number {
  const state = (x: Alert): number => (x.state === "firing" ? 0 : x.state === "pending" ? 1 : 2);
  const held = (x: Alert): number => Number(x.silenced_by !== null || x.inhibited_by !== null);
  return held(a) - held(b) || state(a) - state(b) || severity_rank(a.severity) - severity_rank(b.severity) || a.id.localeCompare(b.id);
}

export function amount_text(value: number | null, unit: string): string {
  if (value === null) return "–";
  if (unit === "ns") return duration_text(value);
  if (unit === "us") return duration_text(value * 1e3);
  if (unit === "ms") return duration_text(value * 1e6);
  if (unit === "s") return duration_text(value * 1e9);
  if (unit === "GB/s") return bandwidth_text(value);
  if (unit === "share" || unit === "fraction") return share_text(value);
  if (unit === "bytes") return size_text(value);
  if (unit === "bytes/s") return rate_text(value);
  return text_of({ value: digits(value), unit });
}
export function against_text(alert: Alert): string {
  if (alert.value === null) return "";
  const limit = alert.threshold === null ? "" : `, the limit is ${amount_text(alert.threshold, alert.unit ?? "")}`;
  return `${amount_text(alert.value, alert.unit ?? "")}${limit}`;
}

// What silences this alert and its like: all its labels but the severity, which may change.
export function matchers_for(alert: Alert): Matcher[] {
  const labels = Object.entries(alert.labels).filter(([name]) => name !== "severity");
  return labels.map(([name, value]) => ({ name, op: "=" as const, value }));
}
// A value that would be read as something else (a comma ends a condition) stands in quotes.
export function matcher_text(m: Matcher): string {
  const plain = m.value !== "" && m.value.trim() === m.value && !/[,"]/.test(m.value);
  return `${m.name} ${m.op} ${plain ? m.value : `"${m.value.replace(/["\\]/g, "\\$&")}"`}`;
}
export function silence_text(s: Silence): string {
  return s.matchers.map(matcher_text).join(", ");
}

// "rank=2, rule ~ slow*, communicator = "a, b"": one condition after the other; null: cannot be read.
export function parse_matchers(text: string): Matcher[] | null {
  const condition = /[\s,]*([A-Za-z_][\w.-]*)\s*(!~|!=|=|~)\s*(?:"((?:[^"\\]|\\.)*)"|([^",]*?))\s*(?:,|$)/y;
  const end = text.replace(/[\s,]+$/, "").length;
  const out: Matcher[] = [];
  while (condition.lastIndex < end) {
    const match = condition.exec(text);
    if (!match) return null;
    out.push({ name: match[1]!, op: match[2] as Matcher["op"], value: match[3]?.replace(/\\(.)/g, "$1") ?? match[4]! });
  }
  return out.length > 0 ? out : null;
}

export function rule_order(a: Rule, b: Rule): number {
  const state = (r: Rule): number => (r.state === "firing" ? 0 : r.state === "pending" ? 1 : 2);
  return state(a) - state(b) || a.name.localeCompare(b.name);
}

// A receiver as the server tells it: {receiver, target, delivered, failed, ..., last: [{ok, at, detail}]}; only what is
// there is shown.
export type Delivery = { receiver: string; ok: boolean | null; facts: string; trouble: string };
type Outcome = { ok?: boolean; at?: string; detail?: string | null };

export function delivery_of(raw: Record<string, unknown>): Delivery {
  const outcomes = Array.isArray(raw.last) ? (raw.last as Outcome[]) : [];
  const latest = [...outcomes].sort((a, b) => String(b.at ?? "").localeCompare(String(a.at ?? "")))[0];
  const facts = ["target", "delivered", "failed", "retried", "dropped", "waiting"].filter((k) => raw[k] !== undefined && raw[k] !== null && raw[k] !== "" && raw[k] !== 0);
  return {
    receiver: String(raw.receiver ?? raw.name ?? "receiver"), ok: typeof latest?.ok === "boolean" ? latest.ok : null,
    facts: facts.map((k) => (k === "target" ? String(raw[k]) : `${String(raw[k])} ${k}`)).join(" · "), trouble: latest && latest.ok === false ? (latest.detail ?? "the last delivery failed") : "",
  };
}
