// The lanes as one picture: strip, axis and labels with them, at the screen's resolution.

import type { Engine } from "./timeline_engine";

const kLabels = 136;

export function picture_of(e: Engine): HTMLCanvasElement {
  const dpr = window.devicePixelRatio || 1;
  const picture = document.createElement("canvas");
  const left = Math.round(kLabels * dpr);
  picture.width = left + e.lanes.width;
  picture.height = e.strip.height + e.axis.height + e.lanes.height;
  const c = picture.getContext("2d")!;
  c.fillStyle = e.ink.surface;
  c.fillRect(0, 0, picture.width, picture.height);
  c.drawImage(e.strip, left, 0);
  c.drawImage(e.axis, left, e.strip.height);
  c.drawImage(e.lanes, left, e.strip.height + e.axis.height);
  c.fillStyle = e.ink.text;
  c.font = `${Math.round(13 * dpr)}px ${e.ink.font}`;
  c.textBaseline = "middle";
  for (const row of e.layout.rows) {
    const y = (row.y - e.scroll + row.height / 2) * dpr;
    if (y > 0 && y < e.lanes.height) c.fillText(row.label, 12 * dpr, e.strip.height + e.axis.height + y);
  }
  return picture;
}
