// Takes server-sent events apart, however the pieces fall.
export type Message = { event: string; id: string | null; data: string };

export class SseParser {
  #rest = "";
  #event = "";
  #id: string | null = null;
  #data: string[] = [];

  feed(piece: string): Message[] {
    const out: Message[] = [];
    const text = this.#rest + piece;
    const held = text.endsWith("\r") ? 1 : 0; // a line may end in CR LF, and the LF come later
    const lines = text.slice(0, text.length - held).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + text.slice(text.length - held);
    for (const line of lines) {
      const message = this.#line(line);
      if (message) out.push(message);
    }
    return out;
  }

  #line(line: string): Message | null {
    if (line === "") return this.#dispatch();
    if (line.startsWith(":")) return null;
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event = value;
    if (name === "data") this.#data.push(value);
    if (name === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }

  #dispatch(): Message | null {
    const data = this.#data;
    const event = this.#event || "message";
    this.#data = [];
    this.#event = "";
    return data.length > 0 ? { event, id: this.#id, data: data.join("\n") } : null;
  }
}
