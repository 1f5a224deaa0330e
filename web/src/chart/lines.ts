// Lines over time or size, drawn by uPlot in the colours of the theme.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export type Line = { name: string; colour: string; values: (number | null)[]; dashed?: boolean; points?: boolean; joined?: boolean; low?: (number | null)[]; high?: (number | null)[] };
export type LinesOptions = {
  x: number[];
  lines: Line[];
  x_text: (value: number) => string;
  y_text: (value: number) => string;
  log_x?: boolean;
  log_y?: boolean;
  from_zero?: boolean;
  onzoom?: ((from: number, to: number) => void) | undefined;
};
type Ink = { text: string; grid: string; font: string };

export function ink_of(element: Element): Ink {
  const style = getComputedStyle(element);
  return { text: style.getPropertyValue("--text-2").trim(), grid: style.getPropertyValue("--line").trim(), font: `12px ${style.getPropertyValue("--font").trim()}` };
}

function axis(ink: Ink, text: (v: number) => string, size: number, space: number): uPlot.Axis {
  return {
    stroke: ink.text, font: ink.font, size, gap: 6, space,
    grid: { stroke: ink.grid, width: 1 }, ticks: { show: false }, values: (_, splits) => splits.map((v) => (v === null || v === undefined ? "" : text(v))),
  };
}
// Log axes: only powers get a label, or they run into each other.
function powers(base: number): uPlot.Axis.Filter {
  return (_, splits) => splits.map((v) => (v > 0 && Math.abs((Math.log(v) / Math.log(base)) % 1) < 1e-6 ? v : null));
}

export function make_lines(root: HTMLElement, options: LinesOptions, width: number, height: number): uPlot {
  const ink = ink_of(root);
  const x_axis = axis(ink, options.x_text, 28, 80);
  const y_axis = axis(ink, options.y_text, 72, 36);
  if (options.log_x) x_axis.filter = (_, splits) => splits.map((v, i) => (i % Math.ceil(splits.length / Math.max(2, width / 90)) === 0 ? v : null));
  if (options.log_y) y_axis.filter = powers(10);
  const plot = new uPlot({
    width, height, legend: { show: false }, padding: [12, 32, 0, 0],
    cursor: { drag: { x: !!options.onzoom, y: false, setScale: false }, points: { size: 6 } },
    scales: { x: { time: false, ...(options.log_x ? { distr: 3, log: 2 } : {}) }, y: options.log_y ? { distr: 3, log: 10 } : { range: (_u, low, high) => y_range(low, high, options.from_zero !== false) } },
    axes: [x_axis, y_axis],
    series: [{}, ...options.lines.map((line) => ({
      label: line.name, stroke: line.colour, width: 2, spanGaps: line.joined ?? false, dash: line.dashed ? [6, 4] : [], points: { show: line.points ?? false, size: 5, fill: line.colour },
    }))],
    hooks: { setSelect: [(u) => {
      if (options.onzoom && u.select.width > 4) options.onzoom(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
      u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    }] },
  }, data_of(options), root);
  return plot;
}

function y_range(low: number | null, high: number | null, from_zero: boolean): [number, number] {
  if (low === null || high === null) return [0, 1];
  const base = from_zero ? Math.min(0, low) : low;
  return high === base ? [base, base + 1] : [base, high + (high - base) * 0.08];
}

export function data_of(options: LinesOptions): uPlot.AlignedData {
  return [options.x, ...options.lines.map((line) => line.values)] as uPlot.AlignedData;
}
