import { describe, expect, it } from "vitest";
import { ago, between_text, parse_duration, parse_size, since_start, wall_ms } from "./time";

const plain = (text: string): string => text.replace(/\u00a0/g, " ");

describe("time", () => {
  it("keeps a moment's microseconds through 2^53 nanoseconds", () => {
    expect(wall_ms("1795000000123456789", 1_000_000)).toBeCloseTo(1795000000124.4568, 3);
  });
  it("says how long ago", () => {
    expect(ago(5e9, 5.4e9)).toBe("just now");
    expect(plain(ago(0, 90e9))).toBe("90 s ago");
    expect(plain(ago(0, 600e9))).toBe("10 min ago");
    expect(ago(null, 1)).toBe("–");
  });
  it("says moments since the start as a clock once they are long", () => {
    expect(plain(since_start(1.5e6))).toBe("1.50 ms");
    expect(plain(since_start(12.3456e9))).toBe("12.346 s");
    expect(since_start(3661e9)).toBe("1:01:01");
  });
  it("reads durations and sizes as people write them, and nothing else", () => {
    expect(parse_duration("250 ms")).toBe(250e6);
    expect(parse_duration("3 min")).toBe(180e9);
    expect(parse_duration("12.5")).toBe(12.5e9);
    expect(parse_duration("soon")).toBe(null);
    expect(parse_size("16 KB")).toBe(16384);
    expect(parse_size("1m")).toBe(1048576);
    expect(parse_size("4096")).toBe(4096);
    expect(parse_size("-1")).toBe(null);
  });
  it("knows no length of what has not ended", () => {
    expect(between_text("2026-01-01T00:00:00Z", null)).toBe("–");
    expect(plain(between_text("2026-01-01T00:00:00Z", "2026-01-01T00:00:42Z"))).toBe("42.0 s");
  });
});
