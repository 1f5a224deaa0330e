import { describe, expect, it } from "vitest";
import { bandwidth_text, count_text, digits, duration_text, evidence, grouped, kUnknown, per_second, share_text, size_text, text_of } from "./units";

const plain = (text: string): string => text.replace(/[\u00a0\u202f]/g, " ");

describe("units", () => {
  it("shows three significant digits and carries when rounding", () => {
    expect(digits(12.345)).toBe("12.3");
    expect(digits(0.012345)).toBe("0.0123");
    expect(digits(9.996)).toBe("10.0");
    expect(digits(123.4)).toBe("123");
    expect(digits(0)).toBe("0");
  });
  it("never turns unknown into 0", () => {
    for (const text of [duration_text, size_text, bandwidth_text, count_text, share_text, grouped]) {
      expect(text(null)).toBe(kUnknown);
      expect(text(undefined)).toBe(kUnknown);
      expect(text(NaN)).toBe(kUnknown);
    }
    expect(text_of(per_second(null))).toBe(kUnknown);
  });
  it("says times in the unit that people use", () => {
    expect(plain(duration_text(950))).toBe("950 ns");
    expect(plain(duration_text(4100))).toBe("4.10 µs");
    expect(plain(duration_text(231_000))).toBe("231 µs");
    expect(plain(duration_text(12.3e6))).toBe("12.3 ms");
    expect(plain(duration_text(1.5e9))).toBe("1.50 s");
    expect(plain(duration_text(180e9))).toBe("3.00 min");
  });
  it("goes up a unit rather than say 1000 ns", () => {
    expect(plain(duration_text(999.7))).toBe("1.00 µs");
    expect(plain(bandwidth_text(0.99996))).toBe("1.00 GB/s");
  });
  it("calls 16384 bytes 16 KB and a GB/s 10^9", () => {
    expect(plain(size_text(16384))).toBe("16 KB");
    expect(plain(size_text(1536))).toBe("1.50 KB");
    expect(plain(size_text(1048576))).toBe("1 MB");
    expect(plain(size_text(0))).toBe("0 B");
    expect(plain(bandwidth_text(182))).toBe("182 GB/s");
    expect(plain(bandwidth_text(1e-3))).toBe("1.00 MB/s");
  });
  it("groups digits and shortens what is large", () => {
    expect(plain(grouped(48211))).toBe("48 211");
    expect(plain(count_text(48211))).toBe("48 211");
    expect(plain(count_text(1_234_567))).toBe("1.23 M");
    expect(plain(text_of(per_second(1_200_000)))).toBe("1.20 M op/s");
  });
  it("never rounds a share below one to all", () => {
    expect(plain(share_text(0.9999))).toBe("> 99.9 %");
    expect(plain(share_text(1))).toBe("100 %");
    expect(plain(share_text(0.31))).toBe("31 %");
    expect(plain(share_text(0.004))).toBe("0.40 %");
    expect(plain(share_text(0))).toBe("0 %");
  });
  it("reads unit and clock off the key of evidence", () => {
    expect(evidence("skew_host_ns", 214_000)).toEqual({ label: "skew (host)", text: "214\u00a0µs" });
    expect(evidence("measured_gbs", 6.1)).toEqual({ label: "measured", text: "6.10\u00a0GB/s" });
    expect(evidence("last_share", 0.97)).toEqual({ label: "last share", text: "97\u00a0%" });
    expect(evidence("width", 4)).toEqual({ label: "width", text: "4" });
  });
});
