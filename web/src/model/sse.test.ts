import { describe, expect, it } from "vitest";
import { SseParser } from "./sse";

const kText = ": hello\r\n\r\nid: 7\r\nevent: events\r\ndata: {\"a\":\r\ndata: 1}\r\n\r\nevent: overview\ndata: x\n\n";
const kMessages = [{ event: "events", id: "7", data: '{"a":\n1}' }, { event: "overview", id: "7", data: "x" }];

describe("server-sent events", () => {
  it("come out the same however the pieces fall", () => {
    for (let size = 1; size <= kText.length; ++size) {
      const parser = new SseParser();
      const out = [];
      for (let at = 0; at < kText.length; at += size) out.push(...parser.feed(kText.slice(at, at + size)));
      expect(out).toEqual(kMessages);
    }
  });
  it("without data are no messages, and half ones are not told", () => {
    const parser = new SseParser();
    expect(parser.feed("event: ping\n\n")).toEqual([]);
    expect(parser.feed("data: 1\n")).toEqual([]);
    expect(parser.feed("\n")).toEqual([{ event: "message", id: null, data: "1" }]);
  });
  it("with a NUL in the id keep the id before", () => {
    expect(new SseParser().feed("id: 3\ndata: a\n\nid: \0\ndata: b\n\n").map((m) => m.id)).toEqual(["3", "3"]);
  });
});
