// The configuration as one reads it: sections, what differs, what can change now.
import type { Setting } from "../api/types";

export type SettingGroup = { section: string; settings: Setting[] };

export function groups_of_settings(settings: Setting[], text: string, only: "all" | "live" | "changed"): SettingGroup[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const out = new Map<string, Setting[]>();
  for (const s of settings) {
    const hay = `${s.key} ${s.help} ${s.written} ${s.origin}`.toLowerCase();
    if (!words.every((w) => hay.includes(w))) continue;
    if (only === "live" && !s.live) continue;
    if (only === "changed" && !differs(s)) continue;
    const section = s.key.split(".")[0]!;
    out.set(section, [...(out.get(section) ?? []), s]);
  }
  return [...out].map(([section, list]) => ({ section, settings: list }));
}

// Somebody has set it, be it to what it would have been.
export function differs(s: Setting): boolean {
  return s.origin !== "built-in";
}
export function name_of(s: Setting): string {
  return s.key.split(".").slice(1).join(".") || s.key;
}
// What a text field shows: without TOML's quotes; lists with spaces between.
export function editable(s: Setting): string {
  if (Array.isArray(s.value)) return s.value.join(" ");
  return s.written.replace(/^"(.*)"$/, "$1");
}
export function in_use(s: Setting): string {
  const text = editable(s);
  return text === "" ? "not set" : text;
}
