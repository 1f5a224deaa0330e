// A few of the keys, as `peerscope config --json` would have them.
const key = (key, type, value, written, dflt, help, more = {}) => ({ key, value, written, origin: "built in", type, choices: [], unit: "", help, live: false, default: dflt, ...more });

export const settings = [
  key("monitor.enabled", "boolean", true, "true", "true", "Record at all; false is level off."),
  key("monitor.level", "choice", "detailed", '"detailed"', '"detailed"', "How much processes record that peerscope starts.", { choices: ["off", "basic", "detailed", "comprehensive"], live: true, origin: "config.toml:3" }),
  key("monitor.interval", "duration", 1, '"1 s"', '"1 s"', "Time between two views of top.", { unit: "s" }),
  key("monitor.publish_interval", "duration", 0.1, '"100 ms"', '"100 ms"', "Time between two snapshots of a session that is watched.", { unit: "ms" }),
  key("monitor.max_cells", "integer", 4096, "4096", "4096", "Rows by operation, algorithm, size, device, rank, peer and communicator; the rest shares one row.", { unit: "rows" }),
  key("overhead.budget", "percent", 0.01, '"1 %"', '"1 %"', "Share of a thread's time that recording details may take, and above which the cost is a finding.", { live: true }),
  key("filter.operations", "list", [], "[]", "[]", "Only these operations; empty: all.", { live: true }),
  key("filter.devices", "list", [], "[]", "[]", "Only communicators on these devices, by number; empty: all.", { live: true }),
  key("filter.min_bytes", "bytes", 0, "0", "0", "Only operations of at least this size.", { unit: "bytes", live: true, origin: "environment PEERSCOPE_FILTER_MIN_BYTES" }),
  key("filter.max_bytes", "bytes", 0, "0", "0", "Only operations of at most this size; 0: no limit.", { unit: "bytes", live: true }),
  key("record.segment_bytes", "bytes", 67108864, '"64 MiB"', '"64 MiB"', "Most memory that one process records into.", { unit: "bytes" }),
  key("record.clock", "choice", "auto", '"auto"', '"auto"', "auto: the time-stamp counter where it can be trusted; monotonic: the kernel's clock.", { choices: ["auto", "monotonic"] }),
  key("source.nccl", "boolean", true, "true", "true", "NCCL's operations, by its profiler interface."),
  key("session.keep", "duration", 600, '"10 min"', '"10 min"', "How long what an ended process left is kept.", { unit: "s" }),
  key("detect.straggler_min_lateness", "duration", 20, '"20 us"', '"20 us"', "How late a rank has to be before it is told.", { unit: "us" }),
  key("detect.hang_min_age", "duration", 0.5, '"0.5 s"', '"0.5 s"', "How long an operation is in flight before it may be a hang.", { unit: "s" }),
  key("dashboard.port", "integer", 8080, "8080", "8080", "Port of the web view."),
];

// What --set would say; the changed copy, or why not.
export function change(name, value) {
  const at = settings.findIndex((s) => s.key === name);
  if (at < 0) return { error: `${name} is unknown; GET /api/v1/config lists the keys.` };
  const setting = settings[at];
  if (!setting.live) return { error: `${name} cannot change while programs run: write it to the file and start again.` };
  const text = String(value).trim();
  if (setting.type === "choice" && !setting.choices.includes(text)) return { error: `${name} is one of ${setting.choices.join(", ")}; got ${text}.` };
  if (setting.type === "percent") {
    const match = /^(\d+(?:\.\d+)?)\s*%?$/.exec(text);
    if (!match || Number(match[1]) > 100) return { error: `${name} is a share from 0 % to 100 %; got ${text}.` };
    return { at, setting: { ...setting, value: Number(match[1]) / 100, written: `"${match[1]} %"`, origin: "changed from the page" } };
  }
  if (setting.type === "bytes") {
    const match = /^(\d+)\s*([KMGT]?)i?B?$/i.exec(text);
    if (!match) return { error: `${name} is a size such as 64 KiB; got ${text}.` };
    return { at, setting: { ...setting, value: Number(match[1]) * 1024 ** " KMGT".indexOf(match[2].toUpperCase() || " "), written: `"${text}"`, origin: "changed from the page" } };
  }
  if (setting.type === "list") {
    const list = text.split(/[\s,]+/).filter(Boolean);
    return { at, setting: { ...setting, value: list, written: JSON.stringify(list), origin: "changed from the page" } };
  }
  return { at, setting: { ...setting, value: text, written: JSON.stringify(text), origin: "changed from the page" } };
}
