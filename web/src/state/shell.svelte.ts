// What the frame around the pages shows, and its keys.
import { kPages } from "../model/url";
import { live } from "./live.svelte";
import { route } from "./route.svelte";
import { theme } from "./theme.svelte";

const kKeysOff = "peerscope.keys";

class Shell {
  help = $state(false);
  exporting = $state(false);
  rail_narrow = $state(false);
  keys_on = $state(read_keys());

  set_keys(on: boolean): void {
    this.keys_on = on;
    try {
      localStorage.setItem(kKeysOff, on ? "on" : "off");
    } catch {
      // it lasts until the page is closed
    }
  }
}

function read_keys(): boolean {
  try {
    return localStorage.getItem(kKeysOff) !== "off";
  } catch {
    return true;
  }
}

export const shell = new Shell();

export type KeyLine = { keys: string; does: string };
export const kKeys: KeyLine[] = [
  { keys: "1 … 9, 0", does: "go to a page, in the rail's order" },
  { keys: "p", does: "pause, go on" },
  { keys: "/", does: "search or filter on this page" },
  { keys: "r", does: "next time range" },
  { keys: "e", does: "export what is filtered" },
  { keys: "t", does: "theme: system, dark, light" },
  { keys: "Esc", does: "clear the selection, close" },
  { keys: "?", does: "these keys" },
];

// Pages add theirs while they are shown: return true if the key was used.
export const page_keys = { handle: null as ((event: KeyboardEvent) => boolean) | null, lines: [] as KeyLine[] };

function typing(event: KeyboardEvent): boolean {
  const target = event.target as HTMLElement | null;
  return !!target?.closest("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]");
}

function next_range(): void {
  const names = ["10s", "1m", "5m", "all"];
  const now = route.range.kind === "custom" ? "all" : (route.params.range ?? "10s");
  route.set({ range: names[(names.indexOf(now) + 1) % names.length], from: null, to: null });
}

function clear(): void {
  route.set({ rank: null, peer: null, device: null, communicator: null, operation: null, collective: null, from: null, to: null });
}

function focus_search(): boolean {
  const field = document.querySelector<HTMLElement>("main [data-search]");
  field?.focus();
  return field !== null;
}

const kActions: Record<string, () => void> = {
  p: () => live.pause(),
  r: next_range,
  e: () => (shell.exporting = true),
  t: () => theme.next(),
  "?": () => (shell.help = !shell.help),
  Escape: clear,
};

export function handle_key(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event)) return;
  if (document.querySelector("dialog[open]")) return;
  if (!shell.keys_on && event.key !== "Escape") return;
  if (page_keys.handle?.(event)) return event.preventDefault();
  if (event.key === "/" && focus_search()) return event.preventDefault();
  const page = /^\d$/.test(event.key) ? kPages[(Number(event.key) + 9) % 10] : undefined;
  if (page) return route.go(page);
  kActions[event.key]?.();
}
