// Mouse, touch, wheel and keys on the lanes. Drag pans, shift-drag selects, wheel and pinch zoom.

import { row_at } from "../model/timeline_lanes";
import { op_at, type SceneOp } from "../model/timeline_scene";
import { fit_run, ns_at, pan_by, span_ns, zoom_at, type Span } from "../model/timeline_view";
import { invalidate, look_at, type Engine } from "./timeline_engine";

export type Gestures = {
  hover: (op: SceneOp | null, x: number, y: number, ns: number) => void;
  pick: (op: SceneOp | null) => void;
  select: (span: Span | null, done: boolean) => void;
};

type Drag = {
  kind: "press" | "pan" | "select";
  x: number;
  y: number;
  at: number; // ns
  moved: boolean;
};

const kSlackPx = 4;

function place(e: Engine, event: PointerEvent | WheelEvent): { x: number; y: number; ns: number } {
  const box = e.lanes.getBoundingClientRect();
  const x = event.clientX - box.left;
  return { x, y: event.clientY - box.top, ns: ns_at(x, e.view, box.width) };
}

function op_under(e: Engine, x: number, y: number): SceneOp | null {
  const row = e.layout.rows[row_at(e.layout, y + e.scroll)];
  if (!row || row.kind === "open") return null;
  const px = span_ns(e.view) / e.lanes.clientWidth;
  return op_at(e.scene, row.lanes, e.view.from + x * px, kSlackPx * px);
}

export function listen(e: Engine, scroller: HTMLElement, on: Gestures): () => void {
  const stops = [
    ...on_pointers(e, scroller, on), ...on_wheel(e), ...on_axis(e, on), ...on_strip(e),
    hear(scroller, "scroll", () => {
      e.scroll = scroller.scrollTop;
      invalidate(e);
    }),
  ];
  const watch = new ResizeObserver(() => invalidate(e));
  watch.observe(e.lanes);
  return () => {
    stops.forEach((f) => f());
    watch.disconnect();
  };
}

function hear<E extends Event>(target: HTMLElement, name: string, f: (event: E) => void, passive = true): () => void {
  const listener = f as (event: Event) => void;
  target.addEventListener(name, listener, { passive });
  return () => target.removeEventListener(name, listener);
}

function on_pointers(e: Engine, scroller: HTMLElement, on: Gestures): (() => void)[] {
  const touches = new Map<number, PointerEvent>();
  let drag: Drag | null = null;
  const down = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    const { x, y, ns } = place(e, event);
    touches.set(event.pointerId, event);
    e.lanes.setPointerCapture(event.pointerId);
    drag = { kind: event.shiftKey ? "select" : "press", x, y, at: ns, moved: false };
  };
  const move = (event: PointerEvent): void => {
    const { x, y, ns } = place(e, event);
    e.pointer = ns;
    if (touches.size === 2 && touches.has(event.pointerId)) return pinch(e, touches, event);
    if (!drag) return hover(e, on, x, y, ns);
    if (Math.hypot(x - drag.x, y - drag.y) > kSlackPx) drag.moved = true;
    if (!drag.moved) return;
    if (drag.kind === "select") return on.select(ordered(drag.at, ns), false);
    pan_to(e, scroller, drag, x, y, event.pointerType === "mouse");
  };
  const up = (event: PointerEvent): void => {
    touches.delete(event.pointerId);
    const { x, y, ns } = place(e, event);
    if (drag?.kind === "select" && drag.moved) finish(event, ordered(drag.at, ns), on);
    else if (drag && !drag.moved && event.type === "pointerup") on.pick(op_under(e, x, y));
    drag = null;
    e.lanes.style.cursor = "";
  };
  const leave = (): void => {
    e.pointer = null;
    e.hovered = null;
    on.hover(null, 0, 0, 0);
    invalidate(e);
  };
  return [
    hear(e.lanes, "pointerdown", down), hear(e.lanes, "pointermove", move), hear(e.lanes, "pointerup", up),
    hear(e.lanes, "pointercancel", up), hear(e.lanes, "pointerleave", leave),
  ];
}

// A selection whose pointer was taken away (the system's own gesture, a call) is none; the one before stays.
function finish(event: PointerEvent, span: Span | null, on: Gestures): void {
  if (event.type === "pointercancel") on.select(null, false);
  else on.select(span, true);
}

function ordered(a: number, b: number): Span {
  return a < b ? { from: a, to: b } : { from: b, to: a };
}

function hover(e: Engine, on: Gestures, x: number, y: number, ns: number): void {
  e.hovered = op_under(e, x, y);
  e.lanes.style.cursor = e.hovered ? "pointer" : "";
  on.hover(e.hovered, x, y, ns);
  invalidate(e);
}

// The point that was grabbed stays under the pointer.
function pan_to(e: Engine, scroller: HTMLElement, drag: Drag, x: number, y: number, vertical: boolean): void {
  drag.kind = "pan";
  e.lanes.style.cursor = "grabbing";
  const px = span_ns(e.view) / e.lanes.clientWidth;
  look_at(e, pan_by(e.view, (drag.x - x) * px, e.run), true);
  drag.x = x;
  if (vertical) scroller.scrollTop += drag.y - y;
  drag.y = y;
}

function pinch(e: Engine, touches: Map<number, PointerEvent>, event: PointerEvent): void {
  const before = [...touches.values()].map((t) => place(e, t).x);
  touches.set(event.pointerId, event);
  const after = [...touches.values()].map((t) => place(e, t).x);
  const wide = (xs: number[]): number => Math.max(20, Math.abs(xs[1]! - xs[0]!));
  const width = e.lanes.clientWidth;
  const at = ns_at((before[0]! + before[1]!) / 2, e.view, width);
  const zoomed = zoom_at(e.view, wide(before) / wide(after), at, e.run);
  const drift = (before[0]! + before[1]! - after[0]! - after[1]!) / 2;
  look_at(e, pan_by(zoomed, (drift / width) * span_ns(zoomed), e.run), true);
}

// Plain and with ctrl (a touchpad's pinch): zoom. Sideways or with shift: pan. With alt: the page's own scrolling.
function on_wheel(e: Engine): (() => void)[] {
  const wheel = (event: WheelEvent): void => {
    if (event.altKey) return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const px = span_ns(e.view) / e.lanes.clientWidth;
      return look_at(e, pan_by(e.goal, sideways * unit * px, e.run), true);
    }
    const { x } = place(e, event);
    const at = ns_at(x, e.goal, e.lanes.clientWidth);
    const speed = event.ctrlKey ? 0.01 : 0.0018;
    look_at(e, zoom_at(e.goal, Math.exp(event.deltaY * unit * speed), at, e.run), true, !event.ctrlKey);
  };
  return [hear(e.lanes, "wheel", wheel, false), hear(e.axis, "wheel", wheel, false)];
}

// Dragging along the axis selects without shift: what a finger can do.
function on_axis(e: Engine, on: Gestures): (() => void)[] {
  let from: number | null = null;
  const ns_of = (event: PointerEvent): number => place(e, event).ns;
  const up = (event: PointerEvent): void => {
    const span = from === null ? null : ordered(from, ns_of(event));
    from = null;
    if (span) finish(event, span_ns(span) * e.axis.clientWidth > span_ns(e.view) * kSlackPx ? span : null, on);
  };
  return [
    hear<PointerEvent>(e.axis, "pointerdown", (event) => {
      from = ns_of(event);
      e.axis.setPointerCapture(event.pointerId);
    }),
    hear<PointerEvent>(e.axis, "pointermove", (event) => {
      if (from !== null) on.select(ordered(from, ns_of(event)), false);
    }),
    hear(e.axis, "pointerup", up), hear(e.axis, "pointercancel", up),
  ];
}

// On the strip: a click goes there, a drag chooses what is shown.
function on_strip(e: Engine): (() => void)[] {
  let from: number | null = null;
  const ns_of = (event: PointerEvent): number => {
    const box = e.strip.getBoundingClientRect();
    return ns_at(event.clientX - box.left, e.run, box.width);
  };
  const moved = (to: number): boolean => from !== null && Math.abs(to - from) * e.strip.clientWidth > span_ns(e.run) * kSlackPx;
  return [
    hear<PointerEvent>(e.strip, "pointerdown", (event) => {
      from = ns_of(event);
      e.strip.setPointerCapture(event.pointerId);
    }),
    hear<PointerEvent>(e.strip, "pointermove", (event) => {
      const to = ns_of(event);
      if (from !== null && moved(to)) look_at(e, ordered(from, to), true);
    }),
    hear<PointerEvent>(e.strip, "pointerup", (event) => {
      const to = ns_of(event);
      if (from !== null && !moved(to)) {
        const half = span_ns(e.view) / 2;
        look_at(e, pan_by({ from: to - half, to: to + half }, 0, e.run), true, true);
      }
      from = null;
    }),
    hear(e.strip, "pointercancel", () => (from = null)),
  ];
}

// True if the key was used.
export function use_key(e: Engine, key: string): boolean {
  const middle = (e.goal.from + e.goal.to) / 2;
  const at = e.pointer ?? middle;
  const width = span_ns(e.goal);
  const go = (view: Span): true => (look_at(e, view, true, true), true);
  const zoom = (factor: number): true => go(zoom_at(e.goal, factor, at, e.run));
  const pan = (share: number): true => go(pan_by(e.goal, width * share, e.run));
  switch (key) {
    case "w": case "W": case "+": case "=": case "ArrowUp": return zoom(0.7);
    case "s": case "S": case "-": case "ArrowDown": return zoom(1 / 0.7);
    case "a": case "A": case "ArrowLeft": return pan(-0.15);
    case "d": case "D": case "ArrowRight": return pan(0.15);
    case "Home": return go(fit_run(e.run));
    default: return false;
  }
}
