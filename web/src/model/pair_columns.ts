import { share_of_expected, type Pair } from "./pairs";
import type { Column } from "./table";
import { bandwidth_text, duration_text, grouped, share_text, size_text } from "./units";

export const kPairColumns: Column<Pair>[] = [
  { name: "from", label: "from", value: (p) => p.from, text: (p) => `${p.from} → ${p.to}`, help: "from rank → to rank" },
  { name: "to", label: "to", value: (p) => p.to },
  { name: "communicator", label: "communicator", value: (p) => p.communicator },
  { name: "operations", label: "operation", value: (p) => p.operations.join(" "), text: (p) => p.operations.join(", ") },
  { name: "measured_gbs", label: "measured", value: (p) => p.bandwidth_gbs, text: (p) => bandwidth_text(p.bandwidth_gbs), title: (p) => `${p.clock} clock`, number: true },
  { name: "expected_gbs", label: "expected", value: (p) => p.expected_gbs, text: (p) => bandwidth_text(p.expected_gbs), title: (p) => (p.expected_gbs === null ? "what the path can carry is not known" : undefined), number: true },
  { name: "share_of_expected", label: "of expected", value: share_of_expected, text: (p) => share_text(share_of_expected(p)), number: true },
  { name: "p50_ns", label: "p50", value: (p) => p.p50_ns, text: (p) => duration_text(p.p50_ns), title: (p) => `${p.clock} clock`, number: true },
  { name: "bytes", label: "bytes", value: (p) => p.bytes, text: (p) => size_text(p.bytes), number: true },
  { name: "count", label: "operations", value: (p) => p.count, text: (p) => grouped(p.count), number: true },
  { name: "errors", label: "errors", value: (p) => p.errors, text: (p) => grouped(p.errors), number: true },
];
