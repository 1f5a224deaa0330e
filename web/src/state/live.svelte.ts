// What the server pushes, applied to the page at most four times a second.
import { get, on } from "../api/client";
import { Stream, type StreamState } from "../api/stream";
import type { AlertState, DeviceTable, Event, Finding, InFlight, Items, OperationRow, Overview, Page, PairRow, Point, Query, RankRow, Session } from "../api/types";
import { kEmptyLatency, note_latency, type Latency } from "../model/latency";
import { wall_ms } from "../model/time";

export const kTopics = [
  "overview", "findings", "alerts", "events", "in_flight", "session", "ranks", "pairs", "devices", "operation_stats",
];
const kApplyMs = 250;
const kEventsMs = 50; // between two lots of events: one that comes after a calm is shown at once
const kKeptEvents = 500;
const kKeptPoints = 60;
const kKeptMarks = 100; // on the performance timeline, which keeps what nobody clears

class Live {
  session = $state.raw<Session | null>(null);
  overview = $state.raw<Overview | null>(null);
  history = $state.raw<Point[]>([]);
  findings = $state.raw<Finding[] | null>(null);
  alerts = $state.raw<AlertState | null>(null);
  events = $state.raw<Event[] | null>(null); // the newest first
  in_flight = $state.raw<InFlight[] | null>(null);
  ranks = $state.raw<RankRow[] | null>(null);
  pairs = $state.raw<PairRow[] | null>(null);
  devices = $state.raw<DeviceTable | null>(null);
  operation_stats = $state.raw<OperationRow[] | null>(null);
  state = $state<StreamState>("connecting");
  retry_in_ms = $state(0);
  error = $state.raw<unknown>(null);
  token_needed = $state(false);
  paused = $state(false);
  readonly known: boolean = $derived(this.overview !== null);
  latency: Latency = $state.raw(kEmptyLatency);

  #waiting = new Map<string, unknown>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = 0;
  #applied = 0;
  #events_applied = -Infinity;
  #received = 0;
  #was_lost = false;
  #read_due = false; // put off while paused
  #held_until = 0; // what came before that was held back: its age says nothing of the page's speed
  #marked = 0;
  #stream = new Stream(kTopics, {
    message: ({ event, data }) => this.#take(event, data),
    state: (state, retry_in_ms) => this.#stream_state(state, retry_in_ms),
  });

  start(): void {
    on.unauthorized = () => this.#stop_for_token();
    document.addEventListener("visibilitychange", () => (this.#held_until = performance.now()));
    this.#stream.open();
    void this.read_all();
  }
  retry(): void {
    this.#stream.retry_now();
    void this.read_all();
  }
  token_given(): void {
    this.token_needed = false;
    this.retry();
  }
  pause(on_or_off = !this.paused): void {
    this.paused = on_or_off;
    if (this.paused) return;
    this.#held_until = performance.now();
    this.#apply();
    if (this.#read_due) void this.read_all();
  }
  // Everything once: at the start, and when the stream says that too much was missed. Each is shown as it comes; not
  // on a page that is held, for which all is read when it goes on.
  async read_all(): Promise<void> {
    const holds = this.known;
    const held = (): boolean => {
      if (this.paused && holds) this.#read_due = true;
      return this.paused && holds;
    };
    if (held()) return;
    this.#read_due = false;
    const read = <T>(path: string, show: (answer: T) => void, query?: Query): Promise<void> =>
      get<T>(path, query).then((answer) => { if (!held()) show(answer); });
    const all = [
      read<Overview>("/api/v1/overview", (a) => {
        this.overview = a;
        this.history = a.history ?? [];
      }, { history: kKeptPoints }),
      read<Session>("/api/v1/session", (a) => (this.session = a)),
      read<Items<Finding>>("/api/v1/findings", (a) => (this.findings = a.items)),
      read<Items<PairRow>>("/api/v1/pairs", (a) => (this.pairs = a.items)),
      read<Items<RankRow>>("/api/v1/ranks", (a) => (this.ranks = a.items)),
      read<DeviceTable>("/api/v1/devices", (a) => (this.devices = a)),
      read<AlertState>("/api/v1/alerts", (a) => (this.alerts = a)),
      read<Items<OperationRow>>("/api/v1/operation-stats", (a) => (this.operation_stats = a.items)),
      read<Items<InFlight>>("/api/v1/in-flight", (a) => (this.in_flight = a.items)),
      read<Page<Event>>("/api/v1/events", (a) => (this.events = a.items), { limit: 100 }),
    ];
    try {
      await Promise.all(all);
      this.error = null;
    } catch (error) {
      this.error = error;
    }
  }

  #stop_for_token(): void {
    this.token_needed = true;
    this.#stream.close_quietly();
  }
  #stream_state(state: StreamState, retry_in_ms: number): void {
    const back = state === "open" && (this.error !== null || this.#was_lost); // it may be another run by now
    this.#was_lost = state === "lost" || (this.#was_lost && state !== "open");
    this.state = state;
    this.retry_in_ms = retry_in_ms;
    if (state === "unauthorized") this.#stop_for_token();
    if (back) void this.read_all();
  }
  #take(event: string, data: string): void {
    if (event === "reset") return void this.read_all();
    if (event === "events") return this.#take_events((JSON.parse(data) as Items<Event>).items);
    this.#waiting.set(event, data); // parsed when shown: what is overtaken never is
    this.#apply_in(Math.max(0, kApplyMs - (performance.now() - this.#applied)));
  }
  #take_events(items: Event[]): void {
    const before = (this.#waiting.get("events") as Event[] | undefined) ?? [];
    this.#waiting.set("events", [...before, ...items].slice(-kKeptEvents)); // they pile up while paused
    this.#received = performance.now();
    this.#apply_in(Math.max(0, kEventsMs - (this.#received - this.#events_applied)));
  }
  #apply_in(ms: number): void {
    const due = performance.now() + ms;
    if (this.#timer !== undefined && this.#due <= due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => this.#apply(), ms);
  }

  #apply(): void {
    this.#timer = undefined;
    if (this.paused) return;
    const waiting = this.#waiting;
    this.#waiting = new Map();
    for (const [topic, value] of waiting) this.#apply_topic(topic, value);
    if (waiting.size > (waiting.has("events") ? 1 : 0)) this.#applied = performance.now();
  }
  #apply_topic(topic: string, value: unknown): void {
    if (topic === "events") return this.#add_events(value as Event[]);
    const parsed = JSON.parse(value as string);
    if (topic === "overview") this.#set_overview(parsed as Overview);
    else if (topic === "session") this.session = parsed as Session;
    else if (topic === "alerts") this.alerts = parsed as AlertState;
    else if (topic === "devices") this.devices = parsed as DeviceTable;
    else if (topic === "findings") this.findings = (parsed as Items<Finding>).items;
    else if (topic === "in_flight") this.in_flight = (parsed as Items<InFlight>).items;
    else if (topic === "ranks") this.ranks = (parsed as Items<RankRow>).items;
    else if (topic === "pairs") this.pairs = (parsed as Items<PairRow>).items;
    else if (topic === "operation_stats") this.operation_stats = (parsed as Items<OperationRow>).items;
  }
  #set_overview(overview: Overview): void {
    this.overview = overview;
    const point = overview.point;
    const last = this.history[this.history.length - 1];
    if (point && (!last || point.t_ns > last.t_ns)) this.history = [...this.history, point].slice(-kKeptPoints);
  }
  #add_events(items: Event[]): void {
    const known = new Set((this.events ?? []).map((event) => event.id));
    const fresh = items.filter((event) => !known.has(event.id)).sort((a, b) => b.id - a.id);
    if (fresh.length === 0) return;
    this.events = [...fresh, ...(this.events ?? [])].slice(0, kKeptEvents);
    this.#events_applied = performance.now();
    this.#measure(fresh, this.#received);
  }
  // From when it happened to when it was painted: the frame after the change, then a task. A hidden tab paints
  // nothing: its frames would pile up and be told as hours.
  #measure(fresh: Event[], received: number): void {
    const start = this.session?.start_unix_ns;
    if (!start || document.hidden || received < this.#held_until) return;
    const happened = fresh.map((event) => wall_ms(start, event.t_ns));
    requestAnimationFrame(() => {
      if (received < this.#held_until) return; // hidden since
      const painted = new MessageChannel();
      painted.port1.onmessage = () => {
        painted.port1.close();
        this.#mark(fresh.length);
        const now = performance.timeOrigin + performance.now();
        this.latency = note_latency(this.latency, happened.map((ms) => now - ms), performance.now() - received);
        window.__peerscope = { latency: this.latency };
      };
      painted.port2.postMessage(null);
    });
  }
  #mark(events: number): void {
    if (this.#marked === kKeptMarks) {
      performance.clearMarks("peerscope:event-shown");
      this.#marked = 0;
    }
    performance.mark("peerscope:event-shown", { detail: { events } });
    this.#marked += 1;
  }
}

declare global {
  interface Window {
    __peerscope?: { latency: Latency };
  }
}

export const live = new Live();
