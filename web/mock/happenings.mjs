// Findings, events, errors, alerts and what is in flight, of the made-up run.
import { distribution, kComm, kLateSince, kPids, operations } from "./world.mjs";
import { rank_rows } from "./figures.mjs";
import { first_ns } from "./stored.mjs";

const nobody = { rank: null, peer: null, device: null, link: null, communicator: null, operation: null };

export function findings(now, hang) {
  const out = [];
  if (hang) {
    out.push({
      id: "hang:dp:77", kind: "hang", severity: "critical", subject: { ...nobody, rank: 2, communicator: "dp", operation: "all_gather" },
      sentence: "Rank 2 has not entered all_gather 77 of dp: ranks 0, 1 and 3 have been waiting for it.", action: "peerscope debug hang", confidence: 0.99, impact: 1,
      since_ns: hang, evidence: { age_host_ns: now - hang, normal_p999_host_ns: 310e3, ranks_waiting: 3 },
    });
  }
  if (now > kLateSince + 2e9) {
    const late = rank_rows("10s", now)[2];
    const p50 = late.lateness_p50_ns;
    out.push({
      id: "straggler:tp:2", kind: "straggler", severity: "warning", subject: { ...nobody, rank: 2, communicator: kComm.name, operation: "all_reduce" },
      sentence: `Rank 2 arrives ${Math.round(p50 / 1000)} µs late in every all_reduce: most of the time in communication is waiting for it.`,
      action: "peerscope debug trace --rank 2", confidence: 0.99, impact: 0.71, since_ns: kLateSince,
      evidence: { lateness_p50_host_ns: p50, last_share: late.last_share, transfer_p50_host_ns: 12_300, collectives: late.collectives },
    });
  }
  out.push({
    id: "slow_link:1-3", kind: "slow_link", severity: "warning", subject: { ...nobody, rank: 1, peer: 3, device: 1, link: "gpu1-gpu3" },
    sentence: "GPU 1 → GPU 3 runs at 6.1 GB/s; its PCIe link is x4, the slot could do x16.", action: "Reseat GPU 1, then: peerscope doctor --gpu", confidence: 0.94, impact: 0.04,
    since_ns: 2e9, evidence: { measured_device_gbs: 6.1, expected_gbs: 24.5, width: 4, width_max: 16 },
  });
  return out;
}

export function health(list) {
  const worst = list[0];
  if (!worst) return { severity: "ok", sentence: "All is within its own normal." };
  return { severity: worst.severity, sentence: worst.sentence };
}

const kEvents = [
  ["info", "process", "A process with a <b>strange</b> name attached", {}],
  ["debug", "clock", "Clocks of 4 processes agree within 0.3 µs", { value: 0.3, unit: "us" }],
  ["info", "level", "Recording level is detailed", {}],
  ["warning", "late", "Rank 2 came last in 97 % of the last 200 collectives", { rank: 2, communicator: kComm.name, operation: "all_reduce", value: 97, unit: "%" }],
  ["trace", "flush", "4 800 records written to the trace", { value: 4800, unit: "records" }],
];

// One a second; each tenth is an error.
export function event(id, real_of) {
  const t_ns = id * 1e9 + 4e6;
  const [severity, kind, text, more] = id % 10 === 9 ? ["error", "timeout", "send from rank 1 to rank 3 timed out after 180 ms and was tried again", { rank: 1, peer: 3, operation: "send", communicator: kComm.name }] : kEvents[id % kEvents.length];
  return {
    id, t_ns, time: real_of(t_ns), severity, kind, text, communicator: null, operation: null, sequence: null, rank: null, peer: null, device: null, pid: kPids[id % 4], value: null, unit: null,
    repeated: 1, ...more,
  };
}

export function errors(now, real_of) {
  const from = first_ns(now);
  const failed = [...operations(from, now, (op) => op.status !== "ok")];
  const call = (op) => ({ operation: op.operation, algorithm: op.algorithm, communicator: op.communicator, sequence: op.sequence, bytes: op.bytes });
  const list = failed.map((op) => ({
    ...call(op), type: op.status, time: real_of(op.begin_ns), at_ns: op.begin_ns, rank: op.rank, peer: op.peer, device: op.device, pid: op.pid, recovery_attempted: true, tries: 1,
    recovered: true, time_to_recovery_ns: 100e6,
  }));
  const by_pair = new Map();
  failed.forEach((op, i) => {
    const key = `${op.rank} ${op.peer}`;
    by_pair.set(key, [...(by_pair.get(key) ?? []), i]);
  });
  const groups = [...by_pair.values()].map((at) => {
    const ops = at.map((i) => failed[i]);
    return {
      type: "timeout", operation: "send", communicator: kComm.name, count: ops.length, ranks: [ops[0].rank], pairs: [{ rank: ops[0].rank, peer: ops[0].peer }], first: real_of(ops[0].begin_ns),
      last: real_of(ops[ops.length - 1].begin_ns), first_sequence: ops[0].sequence, last_sequence: ops[ops.length - 1].sequence, errors: at, recovery_attempted: ops.length, recovered: ops.length,
      time_to_recovery_ns: { least: 100e6, mean: 100e6, most: 100e6 },
    };
  });
  const all = Math.floor((now / 1e9) * 500);
  return { operations: all, failed: failed.length, error_rate: failed.length / all, groups, errors: list, forgotten: 0, ungrouped: 0 };
}

export function in_flight(now, hang) {
  const normal = distribution([...operations(now - 1e9, now, (op) => op.operation === "all_reduce")].map((op) => op.host_ns));
  const young = {
    operation: "all_reduce", communicator: kComm.name, communicator_id: kComm.id ?? "5f3a9c01b2d4e687", sequence: Math.floor(now / 20e6), bytes: 16384, ranks: 4, age_ns: 140_000, normal_p50_ns: normal?.p50_ns ?? null,
    normal_p999_ns: normal?.p999_ns ?? null, mismatch: null, entered: [0, 1, 3].map((rank) => ({ rank, pid: kPids[rank], age_ns: 140_000 - rank * 900, odd: false })), missing: [{ rank: 2, instead: null }], finding: null,
  };
  if (!hang) return [young];
  const age = Math.floor(now - hang);
  return [{
    operation: "all_gather", communicator: "dp", communicator_id: "00000000000000d0", sequence: 77, bytes: 65536, ranks: 4, age_ns: age, normal_p50_ns: 22_800, normal_p999_ns: 310_000, mismatch: null,
    entered: [0, 1, 3].map((rank) => ({ rank, pid: kPids[rank], age_ns: age - rank * 40_000, odd: false })),
    missing: [{ rank: 2, instead: { operation: "all_reduce", sequence: 1204, age_ns: age + 2e6, rank: 2, pid: kPids[2], communicator: "tp" } }], finding: findings(now, hang)[0],
  }, young];
}

export class Alerts {
  silences = [];
  #ids = 0;
  constructor(real_of) {
    this.real_of = real_of;
  }
  #make(id, rule, state, severity, sentence, action, since, more) {
    const alert = {
      id, rule, state, severity, subject: { ...nobody }, sentence, action, value: null, unit: "", threshold: null, since: this.real_of(since), fired_at: state === "pending" ? null : this.real_of(since + 5e9),
      resolved_at: null, silenced_by: null, inhibited_by: null, labels: { rule: rule, severity }, ...more,
    };
    alert.silenced_by = this.silences.find((s) => s.matchers.every((m) => (alert.labels[m.name] === m.value) === (m.op === "=")))?.id ?? null;
    return alert;
  }
  state(now) {
    const end = Date.now();
    this.silences = this.silences.filter((s) => Date.parse(s.until) > end);
    const rows = rank_rows("10s", now);
    const items = [];
    if (now > kLateSince + 8e9) {
      items.push(this.#make("straggler-tp-2", "straggler", "firing", "critical", "Rank 2 of tp makes the others wait 70 % of the time in communication.", "peerscope debug trace --rank 2", kLateSince + 3e9,
        { subject: { ...nobody, rank: 2, communicator: kComm.name }, value: 0.7, unit: "share", threshold: 0.3, labels: { rule: "straggler", severity: "critical", rank: "2", communicator: kComm.name } }));
    }
    items.push(this.#make("min-bandwidth-1-3", "min_bandwidth", "firing", "warning", "GPU 1 → GPU 3 carries 6.1 GB/s, less than 10 GB/s.", "peerscope doctor --gpu", 8e9,
      { subject: { ...nobody, rank: 1, peer: 3, device: 1 }, value: 6.1e9, unit: "bytes/s", threshold: 10e9, labels: { rule: "min_bandwidth", severity: "warning", rank: "1", peer: "3" } }));
    items.push(this.#make("p99-reduce", "max_latency", "pending", "info", "p99 of reduce_scatter is near its limit of 0.5 ms.", "peerscope profile", now - 4e9,
      { value: rows[0].lateness_p99_ns ?? 0, unit: "ns", threshold: 500_000, labels: { rule: "max_latency", severity: "info", operation: "reduce_scatter" } }));
    const rules = [
      { name: "straggler", text: "finding straggler where impact > 30 % for 5 s", meaning: "in words", severity: "critical", for_s: 5, origin: "config.toml:21", state: "firing" },
      { name: "min_bandwidth", text: "bandwidth by pair < 10 GB/s for 5 s", meaning: "in words", severity: "warning", for_s: 5, origin: "config.toml:27", state: "firing" },
      { name: "max_latency", text: "p99 by operation > 500 us for 30 s", meaning: "in words", severity: "info", for_s: 30, origin: "built-in", state: "pending" },
      { name: "success_rate", text: "success rate < 99.9 % for 60 s", meaning: "in words", severity: "warning", for_s: 60, origin: "built-in", state: "inactive" },
    ];
    const outcome = (ago, ok, detail) => ({ alert: "min-bandwidth-1-3", rule: "min_bandwidth", reason: "firing", ok, attempts: 1, at: this.real_of(now - ago), detail });
    const deliveries = [
      { receiver: "log", target: "stderr", delivered: 4, failed: 0, retried: 0, dropped: 0, waiting: 0, last: [outcome(2e9, true, null)] },
      { receiver: "webhook", target: "http://alerts.example/hook", delivered: 2, failed: 1, retried: 3, dropped: 0, waiting: 1, last: [outcome(9e9, false, "It answered 503; next try in 20 s.")] },
    ];
    return { items, silences: this.silences, rules, deliveries };
  }
  silence({ matchers, duration_s, comment = "", author = "" }) {
    const silence = { id: `s${++this.#ids}`, matchers, until: new Date(Date.now() + duration_s * 1000).toISOString(), comment, author, created: new Date().toISOString() };
    this.silences.push(silence);
    return silence;
  }
  end(id) {
    const before = this.silences.length;
    this.silences = this.silences.filter((s) => s.id !== id);
    return this.silences.length < before;
  }
  history(now) {
    return Array.from({ length: 37 }, (_, i) => this.#make(`old-${i}`, i % 3 ? "max_latency" : "success_rate", "resolved", i % 3 ? "info" : "warning",
      i % 3 ? "p99 of all_gather was above 0.5 ms." : "Only 99.8 % of the operations succeeded.", "peerscope profile", Math.max(0, now - (i + 1) * 300e9),
      { value: i % 3 ? 612_000 : 0.998, unit: i % 3 ? "ns" : "share", threshold: i % 3 ? 500_000 : 0.999, resolved_at: this.real_of(Math.max(0, now - (i + 1) * 300e9) + 42e9) }));
  }
}
