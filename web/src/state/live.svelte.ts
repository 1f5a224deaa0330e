// What the server pushes, applied to the page at most four times a second.
import { get, on } from "../api/client";
import { Stream, type StreamState } from "../api/stream";
import type { AlertState, DeviceTable, Event, Finding, InFlight, Items, OperationRow, Overview, Page, PairRow, Point, RankRow, Session } from "../api/types";
import { kEmptyLatency, note_latency, type Latency } from "../model/latency";
import { wall_ms } from "../model/time";

export const kTopics = [
  "overview", "findings", "alerts", "events", "in_flight", "session", "ranks", "pairs", "devices", "operation_stats",
];
const kApplyMs = 250;
const kEventsMs = 100; // between two lots of events: one that comes after a calm is shown at once
const kKeptEvents = 500;
const kKeptPoints = 60;

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
  beat = $state(0); // rises with each applied update: what polls hangs on it
  readonly known: boolean = $derived(this.overview !== null);
  latency: Latency = $state.raw(kEmptyLatency);

  #waiting = new Map<string, unknown>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = 0;
  #applied = 0;
  #events_applied = -Infinity;
  #received = 0;
  #was_lost = false;
  #stream = new Stream(kTopics, {
    message: ({ event, data }) => this.#take(event, data),
    state: (state, retry_in_ms) => this.#stream_state(state, retry_in_ms),
  });

  start(): void {
    on.unauthorized = () => this.#stop_for_token();
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
    if (!this.paused) this.#apply();
  }
  // Everything once: at the start, and when the stream says that too much was missed. Each is shown as it comes.
  async read_all(): Promise<void> {
    const overview = get<Overview>("/api/v1/overview", { history: kKeptPoints }).then((a) => {
      this.overview = a;
      this.history = a.history ?? [];
    });
    const session = get<Session>("/api/v1/session").then((a) => (this.session = a));
    const findings = get<Items<Finding>>("/api/v1/findings").then((a) => (this.findings = a.items));
    const rest = [
      get<Items<PairRow>>("/api/v1/pairs").then((a) => (this.pairs = a.items)),
      get<Items<RankRow>>("/api/v1/ranks").then((a) => (this.ranks = a.items)),
      get<DeviceTable>("/api/v1/devices").then((a) => (this.devices = a)),
      get<AlertState>("/api/v1/alerts").then((a) => (this.alerts = a)),
      get<Items<OperationRow>>("/api/v1/operation-stats").then((a) => (this.operation_stats = a.items)),
      get<Items<InFlight>>("/api/v1/in-flight").then((a) => (this.in_flight = a.items)),
      get<Page<Event>>("/api/v1/events", { limit: 100 }).then((a) => (this.events = a.items)),
    ];
    try {
      await Promise.all([overview, session, findings, ...rest]);
      this.error = null;
      this.beat += 1;
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
    if (waiting.size > (waiting.has("events") ? 1 : 0)) {
      this.#applied = performance.now();
      this.beat += 1;
    }
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
  // From when it happened to when it was painted: the frame after the change, then a task.
  #measure(fresh: Event[], received: number): void {
    const start = this.session?.start_unix_ns;
    if (!start) return;
    const happened = fresh.map((event) => wall_ms(start, event.t_ns));
    requestAnimationFrame(() => {
      const painted = new MessageChannel();
      painted.port1.onmessage = () => {
        performance.mark("peerscope:event-shown", { detail: { events: fresh.length } });
        const now = performance.timeOrigin + performance.now();
        this.latency = note_latency(this.latency, happened.map((ms) => now - ms), performance.now() - received);
        window.__peerscope = { latency: this.latency };
      };
      painted.port2.postMessage(null);
    });
  }
}

declare global {
  interface Window {
    __peerscope?: { latency: Latency };
  }
}

export const live = new Live();
