// Colours that colour-blind people can tell apart. Series: Okabe-Ito; amounts: viridis.
export const kSeriesDark = ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#8f9bff", "#b0b7c0"];
export const kSeriesLight = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b07d00", "#56b4e9", "#5e4fc7", "#6b7280"];

export function series_colour(i: number, dark: boolean): string {
  const colours = dark ? kSeriesDark : kSeriesLight;
  return colours[((i % colours.length) + colours.length) % colours.length]!;
}

type Rgb = [number, number, number];
const kViridis: Rgb[] = [
  [68, 1, 84], [71, 45, 123], [59, 82, 139], [44, 114, 142], [33, 145, 140], [40, 174, 128], [94, 201, 98],
  [173, 220, 48], [253, 231, 37],
];
const kCividis: Rgb[] = [
  [0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115], [138, 134, 120], [165, 156, 116],
  [195, 179, 105], [225, 204, 85], [254, 232, 56],
];

function ramp(stops: Rgb[], share: number): Rgb {
  const at = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(at));
  const f = at - i;
  const [a, b] = [stops[i]!, stops[i + 1]!];
  return [0, 1, 2].map((c) => Math.round(a[c]! + (b[c]! - a[c]!) * f)) as Rgb;
}
export const viridis = (share: number): Rgb => ramp(kViridis, share);
export const cividis = (share: number): Rgb => ramp(kCividis, share);
export const css = ([r, g, b]: Rgb): string => `rgb(${r} ${g} ${b})`;

// Black or white, whichever is easier to read on it.
export function ink_on([r, g, b]: Rgb): string {
  const linear = (c: number): number => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  return luminance > 0.179 ? "#000000" : "#ffffff"; // of these two one always has 4.5 : 1
}
