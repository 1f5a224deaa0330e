// ● ok, ◆ to know, ▲ warning, ■ critical, ○ unknown.
export type Tone = "ok" | "info" | "warning" | "critical" | "unknown";
export type Mark = { shape: string; tone: Tone };

const kMarks: Record<string, Mark> = {
  ok: { shape: "●", tone: "ok" },
  resolved: { shape: "●", tone: "ok" },
  inactive: { shape: "●", tone: "ok" },
  info: { shape: "◆", tone: "info" },
  debug: { shape: "◇", tone: "unknown" },
  trace: { shape: "·", tone: "unknown" },
  warning: { shape: "▲", tone: "warning" },
  pending: { shape: "▲", tone: "warning" },
  error: { shape: "■", tone: "critical" },
  critical: { shape: "■", tone: "critical" },
  firing: { shape: "■", tone: "critical" },
};

export function mark_of(severity: string): Mark {
  return kMarks[severity] ?? { shape: "○", tone: "unknown" };
}
export function word_of(severity: string): string {
  return severity in kMarks ? severity : "unknown";
}
const kOrder = ["critical", "error", "warning", "info", "debug", "trace", "ok", "unknown"];
export function severity_rank(severity: string): number {
  const at = kOrder.indexOf(severity);
  return at < 0 ? kOrder.length : at;
}
