// Figures as people read them: three significant digits and a unit. Unknown is an en dash.
export const kUnknown = "–";

export type Figure = { value: string; unit: string };
type Maybe = number | null | undefined;

function known(value: Maybe): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

// 3 significant digits without an exponent; whole numbers from 1000 on keep their digits.
export function digits(value: number, significant = 3): string {
  if (value === 0) return "0";
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  const decimals = Math.max(0, significant - 1 - magnitude);
  const text = value.toFixed(Math.min(decimals, 12));
  // 9.996 rounds to 10.00: once more with the new magnitude
  const rounded = Number(text);
  if (rounded !== 0 && Math.floor(Math.log10(Math.abs(rounded))) > magnitude && decimals > 0) {
    return rounded.toFixed(Math.max(0, decimals - 1));
  }
  return text;
}

type Step = [at: number, unit: string, divisor: number];

function scaled(value: Maybe, steps: Step[]): Figure {
  if (!known(value)) return { value: kUnknown, unit: "" };
  const size = Math.abs(value);
  const step = steps.find(([at]) => size >= at) ?? steps[steps.length - 1]!;
  const shown = digits(value / step[2]);
  const bigger = steps[steps.indexOf(step) - 1];
  // 999.6 ns must not read "1000 ns"
  if (bigger && Math.abs(Number(shown)) * step[2] >= bigger[0]) {
    return { value: digits(value / bigger[2]), unit: bigger[1] };
  }
  return { value: shown, unit: step[1] };
}

const kTime: Step[] = [
  [86_400e9, "d", 86_400e9],
  [3600e9, "h", 3600e9],
  [120e9, "min", 60e9],
  [1e9, "s", 1e9],
  [1e6, "ms", 1e6],
  [1e3, "µs", 1e3],
  [0, "ns", 1],
];
export const duration = (ns: Maybe): Figure => scaled(ns, kTime);

const kBinary: Step[] = [
  [2 ** 50, "PB", 2 ** 50],
  [2 ** 40, "TB", 2 ** 40],
  [2 ** 30, "GB", 2 ** 30],
  [2 ** 20, "MB", 2 ** 20],
  [2 ** 10, "KB", 2 ** 10],
  [0, "B", 1],
];
// 16 KB is 16384, as people say it.
export const size = (bytes: Maybe): Figure => {
  const figure = scaled(bytes, kBinary);
  return { value: figure.value.replace(/\.0+$/, ""), unit: figure.unit };
};

const kRate: Step[] = [
  [1e12, "TB/s", 1e12],
  [1e9, "GB/s", 1e9],
  [1e6, "MB/s", 1e6],
  [1e3, "kB/s", 1e3],
  [0, "B/s", 1],
];
// Bandwidth is decimal: GB/s = 10^9.
export const rate = (bytes_per_s: Maybe): Figure => scaled(bytes_per_s, kRate);
export const bandwidth = (gbs: Maybe): Figure => rate(known(gbs) ? gbs * 1e9 : gbs);

const kCount: Step[] = [
  [1e12, "T", 1e12],
  [1e9, "G", 1e9],
  [1e6, "M", 1e6],
  [1e4, "k", 1e3],
  [0, "", 1],
];
export function count(value: Maybe): Figure {
  if (known(value) && Number.isInteger(value) && Math.abs(value) < 1e5) return { value: grouped(value), unit: "" };
  return scaled(value, kCount);
}

export function per_second(value: Maybe, what = "op/s"): Figure {
  const whole = known(value) && Math.abs(value) >= 1000 && Math.abs(value) < 1e4;
  const figure = whole ? { value: grouped(value), unit: "" } : scaled(value, kCount);
  return { value: figure.value, unit: figure.value === kUnknown ? "" : `${figure.unit}${figure.unit ? " " : ""}${what}` };
}

export function share(value: Maybe): Figure {
  if (!known(value)) return { value: kUnknown, unit: "" };
  const percent = value * 100;
  if (percent > 0 && percent < 0.01) return { value: "< 0.01", unit: "%" };
  if (percent >= 99.95 && percent < 100) return { value: "> 99.9", unit: "%" };
  return { value: percent >= 10 ? percent.toFixed(percent >= 99.5 ? 1 : 0).replace(/\.0$/, "") : digits(percent, 2), unit: "%" };
}

export function text_of(figure: Figure): string {
  return figure.unit ? `${figure.value}\u00a0${figure.unit}` : figure.value;
}
export const duration_text = (ns: Maybe): string => text_of(duration(ns));
export const size_text = (bytes: Maybe): string => text_of(size(bytes));
export const bandwidth_text = (gbs: Maybe): string => text_of(bandwidth(gbs));
export const rate_text = (bytes_per_s: Maybe): string => text_of(rate(bytes_per_s));
export const count_text = (value: Maybe): string => text_of(count(value));
export const share_text = (value: Maybe): string => text_of(share(value));

// 48 211: narrow no-break spaces, readable in any language.
export function grouped(value: Maybe): string {
  if (!known(value)) return kUnknown;
  return Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

// Evidence carries its unit at the key's end: "skew_host_ns", "measured_gbs", "width".
export function evidence(key: string, value: Maybe): { label: string; text: string } {
  const clock = /_(host|device)(?=_|$)/.exec(key)?.[1];
  const words = (suffix: RegExp): string =>
    key.replace(suffix, "").replace(/_(host|device)$/, "").replaceAll("_", " ") + (clock ? ` (${clock})` : "");
  if (/_ns$/.test(key)) return { label: words(/_ns$/), text: duration_text(value) };
  if (/_us$/.test(key)) return { label: words(/_us$/), text: duration_text(known(value) ? value * 1e3 : value) };
  if (/_ms$/.test(key)) return { label: words(/_ms$/), text: duration_text(known(value) ? value * 1e6 : value) };
  if (/_s$/.test(key) && !/_per_s$/.test(key)) return { label: words(/_s$/), text: duration_text(known(value) ? value * 1e9 : value) };
  if (/_gbs$/.test(key)) return { label: words(/_gbs$/), text: bandwidth_text(value) };
  if (/bytes_per_s$/.test(key)) return { label: words(/_?bytes_per_s$/), text: rate_text(value) };
  if (/_bytes$/.test(key)) return { label: words(/_bytes$/), text: size_text(value) };
  if (/_(share|fraction|rate)$/.test(key)) return { label: words(/$^/), text: share_text(value) };
  if (/_percent$/.test(key)) return { label: words(/_percent$/), text: share_text(known(value) ? value / 100 : value) };
  return { label: words(/$^/), text: known(value) ? (Number.isInteger(value) ? grouped(value) : digits(value)) : kUnknown };
}
