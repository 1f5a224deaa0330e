// The live stream: resumes where it broke off, with growing pauses between attempts.
import { SseParser, type Message } from "../model/sse";
import { url_of } from "./client";

export type StreamState = "connecting" | "open" | "lost" | "unauthorized" | "closed";
export type StreamHandlers = {
  message(message: Message): void;
  state(state: StreamState, retry_in_ms: number): void;
};

const kFirstPauseMs = 500;
const kLongestPauseMs = 8000;
const kSilenceMs = 30_000; // the server sends a comment more often than that

export class Stream {
  #handlers: StreamHandlers;
  #topics: string[];
  #last_id: string | null = null;
  #abort: AbortController | null = null;
  #pause_ms = kFirstPauseMs;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(topics: string[], handlers: StreamHandlers) {
    this.#topics = topics;
    this.#handlers = handlers;
  }

  open(): void {
    this.close_quietly();
    const abort = new AbortController();
    this.#abort = abort;
    this.#handlers.state("connecting", 0);
    void this.#run(abort);
  }

  retry_now(): void {
    this.#pause_ms = kFirstPauseMs;
    this.open();
  }

  close_quietly(): void {
    clearTimeout(this.#timer);
    this.#abort?.abort();
    this.#abort = null;
  }

  async #run(abort: AbortController): Promise<void> {
    try {
      const status = await this.#read(abort);
      if (status === 401) return this.#handlers.state("unauthorized", 0);
    } catch {
      // lost: said below
    }
    if (this.#abort !== abort) return;
    const pause = this.#pause_ms;
    this.#pause_ms = Math.min(pause * 2, kLongestPauseMs);
    this.#handlers.state("lost", pause);
    this.#timer = setTimeout(() => this.open(), pause);
  }

  async #read(abort: AbortController): Promise<number> {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (this.#last_id !== null) headers["last-event-id"] = this.#last_id;
    const path = url_of("/api/v1/stream", { topics: this.#topics.join(",") });
    const response = await fetch(path, { headers, signal: abort.signal, credentials: "same-origin" });
    if (!response.ok || !response.body) return response.status;
    this.#handlers.state("open", 0);
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const parser = new SseParser();
    for (;;) {
      const { value, done } = await next_within(reader, kSilenceMs);
      if (done) return response.status;
      this.#pause_ms = kFirstPauseMs;
      for (const message of parser.feed(decoder.decode(value, { stream: true }))) {
        if (message.id !== null) this.#last_id = message.id;
        this.#handlers.message(message);
      }
    }
  }
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;

// A connection that died without a word must be noticed, too.
async function next_within(reader: Reader, ms: number): Promise<ReadableStreamReadResult<Uint8Array>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("silence")), ms);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    void reader.cancel().catch(() => {});
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
