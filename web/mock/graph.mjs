// The made-up machine as nodes and links: two sockets, two switches, four GPUs, four ranks.
import { pair_rows } from "./figures.mjs";

const node = (id, kind, label, parent, more = {}) => ({ id, kind, label, parent, rank: null, device: null, health: "ok", detail: "", ...more });

export function links(window, now) {
  const pairs = pair_rows(window, now);
  const out = [];
  for (let a = 0; a < 4; ++a) {
    for (let b = a + 1; b < 4; ++b) {
      const slow = a === 1 && b === 3;
      const used = Math.max(...pairs.filter((p) => (p.from === a && p.to === b) || (p.from === b && p.to === a)).map((p) => p.bytes_per_s / 1e9), 0);
      const capacity = slow ? 7.9 : 300;
      out.push({
        id: `gpu${a}-gpu${b}`, from: `gpu${a}`, to: `gpu${b}`, type: slow ? "PHB" : "NV18", capacity_gbs: capacity, used_gbs: used, utilisation: Math.min(1, used / capacity),
        health: slow ? "warning" : "ok", errors: slow ? 12 : 0, finding: slow ? "slow_link:1-3" : null,
      });
    }
  }
  for (let i = 0; i < 4; ++i) {
    out.push({ id: `sw${i >> 1}-gpu${i}`, from: `sw${i >> 1}`, to: `gpu${i}`, type: "PIX", capacity_gbs: i === 1 ? 7.9 : 63, used_gbs: null, utilisation: null, health: i === 1 ? "warning" : "ok", errors: i === 1 ? 12 : 0, finding: i === 1 ? "slow_link:1-3" : null });
  }
  out.push({ id: "s0-s1", from: "socket0", to: "socket1", type: "SYS", capacity_gbs: 64, used_gbs: 1.4, utilisation: 0.02, health: "unknown", errors: null, finding: null });
  return out;
}

export function topology(window, now, changes) {
  const nodes = [node("host", "host", "host-a", null)];
  for (const s of [0, 1]) nodes.push(node(`socket${s}`, "socket", `socket ${s}`, "host"), node(`sw${s}`, "switch", `PCIe switch ${s}`, `socket${s}`));
  for (let i = 0; i < 4; ++i) {
    nodes.push(node(`gpu${i}`, "device", `GPU ${i}`, `sw${i >> 1}`, { device: i, health: i === 1 ? "warning" : "ok", detail: i === 1 ? "PCIe link x4, the slot could do x16" : "Example GPU 80GB" }));
    nodes.push(node(`rank${i}`, "rank", `rank ${i}`, `gpu${i}`, { rank: i, device: i, health: i === 2 ? "warning" : "ok" }));
  }
  return { nodes, links: links(window, now), changes, note: "What goes through the switches is not counted on this machine: only GPUs count." };
}
