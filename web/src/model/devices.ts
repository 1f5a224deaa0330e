// What is known of a GPU, on one line.
import type { Device } from "../api/types";
import { bandwidth_text } from "./units";

type Rate = { mean_gbs: number; peak_gbs: number } | null | undefined;
type NvLink = { links?: number; links_active_min?: number; tx?: Rate; rx?: Rate };
type Pcie = { generation_max?: number | null; width_min?: number | null; max_generation?: number | null; max_width?: number | null; tx?: Rate; rx?: Rate };

export type DeviceLine = {
  index: number; name: string; ranks: string; nvlink: string; pcie: string; temperature: string; power: string; troubles: string[]; severity: "ok" | "warning" | "unknown";
  history: (number | null)[];
};

function rates(tx: Rate, rx: Rate): string {
  if (!tx && !rx) return "–";
  return `↑ ${bandwidth_text(tx?.mean_gbs)}  ↓ ${bandwidth_text(rx?.mean_gbs)}`;
}

function troubles_of(device: Device): string[] {
  const out: string[] = [];
  const nvlink = device.nvlink as NvLink | undefined;
  const pcie = device.pcie as Pcie | undefined;
  if (device.trouble) out.push(device.trouble);
  if (nvlink?.links && nvlink.links_active_min !== undefined && nvlink.links_active_min < nvlink.links) out.push(`${nvlink.links_active_min} of ${nvlink.links} NVLinks were up`);
  if (pcie?.width_min && pcie.max_width && pcie.width_min < pcie.max_width) out.push(`PCIe x${pcie.width_min}, could be x${pcie.max_width}`);
  for (const [name, count] of Object.entries(device.errors_risen ?? {})) if (count > 0) out.push(`${name} +${count}`);
  for (const reason of device.clock_reasons ?? []) if (!/^(none|idle|gpu idle)$/i.test(reason)) out.push(`clocks held: ${reason}`);
  return out;
}

export function device_line(device: Device): DeviceLine {
  const nvlink = device.nvlink as NvLink | undefined;
  const pcie = device.pcie as Pcie | undefined;
  const troubles = troubles_of(device);
  return {
    index: device.index, name: device.name ?? `GPU ${device.index}`, ranks: device.ranks.join(", "), nvlink: rates(nvlink?.tx, nvlink?.rx), pcie: rates(pcie?.tx, pcie?.rx),
    temperature: device.temperature_c_max == null ? "–" : `${Math.round(device.temperature_c_max)} °C`, power: device.power_w_max == null ? "–" : `${Math.round(device.power_w_max)} W`, troubles,
    severity: troubles.length > 0 ? "warning" : device.name === null ? "unknown" : "ok", history: device.history.map((h) => h.nvlink_gbs ?? h.pcie_gbs),
  };
}
