import { describe, expect, test } from "vitest";
import {
  absolute_time, axis_of, clamp_view, exact_seconds, fit_run, frame, kShortestSpanNs, ns_at, pan_by, span_ns, tick_step,
  x_of, zoom_at,
} from "./timeline_view";

const run = { from: 0, to: 3600e9 };

describe("the view", () => {
  test("zooms from hours to nanoseconds and keeps the point under the cursor where it is", () => {
    const at = 1234.567890123e9;
    let view = fit_run(run);
    const x = x_of(at, view, 1000);
    for (let i = 0; i < 200; ++i) {
      view = zoom_at(view, 0.8, at, run);
      expect(Math.abs(x_of(at, view, 1000) - x)).toBeLessThan(0.5);
    }
    expect(span_ns(view)).toBeCloseTo(kShortestSpanNs, 1);
    expect(Math.abs(ns_at(x, view, 1000) - at)).toBeLessThan(1);
  });
  test("never leaves the run", () => {
    const view = pan_by({ from: 0, to: 10e9 }, -1e15, run);
    expect(view.to).toBeGreaterThan(-180e9);
    expect(pan_by(view, 1e15, run).from).toBeLessThan(run.to + 180e9);
  });
  test("is never longer than the run and its margins, and never empty", () => {
    expect(span_ns(clamp_view({ from: -1e15, to: 1e15 }, run))).toBeLessThan(3960e9 + 1);
    expect(span_ns(clamp_view({ from: 5, to: 5 }, { from: 0, to: 0 }))).toBeGreaterThan(0);
  });
  test("frames an operation with room on both sides", () => {
    const view = frame(1000, 2000, run);
    expect(view.from).toBeLessThan(1000);
    expect(view.to).toBeGreaterThan(2000);
  });
});

describe("the axis", () => {
  test("steps by 1, 2 or 5, and by what a clock counts in when long", () => {
    expect(tick_step(1000, 1000)).toBe(100);
    expect(tick_step(3600e9, 1000)).toBe(600e9);
    expect(tick_step(60e9, 1200)).toBe(5e9);
  });
  test("counts from a base when the digits would not fit", () => {
    const axis = axis_of({ from: 12_345_678_100, to: 12_345_678_900 }, 800);
    expect(axis.base).toBe("12.345\u202f678 s");
    expect(axis.ticks[0]).toEqual({ at: 12_345_678_100, text: "+100 ns" });
  });
  test("reads as a clock over minutes and hours", () => {
    expect(axis_of({ from: 0, to: 3600e9 }, 800).ticks.map((t) => t.text)).toContain("20:00");
  });
  test("says times exactly", () => {
    expect(exact_seconds(12_345_678_901)).toBe("12.345\u202f678\u202f901 s");
    expect(exact_seconds(3e9)).toBe("3 s");
    expect(absolute_time("1700000000123456789", 1)).toBe("2023-11-14 22:13:20.123456790 UTC");
  });
});
