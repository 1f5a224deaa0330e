#!/usr/bin/env python3
"""bench/record_report.py RESULTS BUILD: what bench/record.sh has measured, as a page. Standard library only."""
import datetime
import json
import pathlib
import platform
import re
import statistics
import subprocess
import sys

# The only figures that are typed in: peers that are in no package. Measured before, with the same operations, on this
# kind of machine; ns of an operation, and of two clock reads in that run.
EARLIER_FLOOR_NS = 20.5
EARLIER = [
    ("Tracy 0.14, client attached, name only", 20.5),
    ("quill 12.1, two lines, bounded dropping queue", 21.1),
    ("Tracy 0.14, client attached, three values", 22.3),
    ("Perfetto SDK v52, name only", 286),
    ("NCCL example profiler plug-in", 447),
    ("NCCL Inspector plug-in", 721),
    ("Perfetto SDK v52, eight arguments", 786),
    ("OpenTelemetry C++ 1.29, batch, null exporter", 2623),
]
# What this project started from: a recorder in Python, measured then.
PYTHON_NS, PYTHON_TOPOLOGY_NS, PYTHON_TWO_THREADS = 2200, 10600, 11
OVERHEAD_GOALS = {"basic": 0.01, "detailed": 0.01, "comprehensive": 0.02}
TOO_NOISY = 0.05  # a noise floor above this says that the machine was not idle: no verdict

# `peerscope bench record` in the order of reading.
LEVELS = ["two clock reads", "off", "off, through the library", "basic", "detailed", "detailed, through the library",
          "detailed, ring in private memory", "comprehensive", "five clock reads", "comprehensive, 3 phases"]

# What a row is, beyond its name.
REMARKS = {
    "two clock reads": "the floor",
    "five clock reads": "the floor with three phases",
    "histogram in place": "the design not taken; keeps no record",
    "prometheus-cpp, by handle": "keeps no record",
    "prometheus-cpp, by labels": "keeps no record",
    "peerscope off": "records nothing",
    "peerscope off, through the library": "records nothing",
    "peerscope basic": "counts all, times one in 64",
    "LTTng-UST, off": "records nothing",
    "NVTX, no tool": "records nothing",
    "spdlog, file in /dev/shm": "the oldest line gives way when the queue is full",
    "spdlog, null sink": "the oldest line gives way; nothing is written",
}


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def number(value):
    """Three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def mega(rate):
    return f"{rate / 1e6:.1f} M/s"


def middle_of(runs):
    """Several results of one shape as one: the median of each figure; the least and the most of those called so."""
    if isinstance(runs[0], dict):
        return {key: {"min_ns": min, "max_ns": max}.get(key, middle_of)([run[key] for run in runs]) for key in runs[0]}
    return statistics.median(runs) if isinstance(runs[0], (int, float)) else runs[0]


class Results:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        runs = [json.loads(file.read_text()) for file in sorted(self.folder.glob("record_*.json"))]
        self.runs, self.record = len(runs), middle_of(runs)
        for name in ("peers", "collect", "aggregate", "delivery_flat", "delivery_paced", "overhead"):
            setattr(self, name, json.loads((self.folder / f"{name}.json").read_text()))
        self.load = (self.folder / "load").read_text().strip()

    def level(self, name):
        """Median ns of a row of `peerscope bench record`, or None."""
        row = self.record["subjects"].get(name)
        return row and row["median_ns"]

    @property
    def floor(self):
        return self.level("two clock reads")


def repetitions(google, value):
    """{benchmark: its value in each repetition} in the order in which they were defined."""
    rows = {}
    runs = [run for run in google["benchmarks"] if run["run_type"] == "iteration" and not run.get("error_occurred")]
    order = sorted(runs, key=lambda run: (run["family_index"], run["per_family_instance_index"]))
    for run in order:
        rows.setdefault(re.sub(r"/(iterations:\d+|manual_time)", "", run["name"]), []).append(run[value])
    return rows


def quartiles(values):
    return statistics.quantiles(values, n=4) if len(values) > 1 else values * 3


# ---- machine -----------------------------------------------------------------------------------------------------------


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def cpu():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    fields = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", text, re.M))
    name = f'{fields.get("model name", platform.machine())} (family {fields.get("cpu family", "?")})'
    guest = ", in a virtual machine" if " hypervisor" in fields.get("flags", "") else ""
    return f'{len(re.findall("^processor", text, re.M))} × {name}{guest}'


def compiler(build):
    cache = pathlib.Path(build, "CMakeCache.txt").read_text()
    path = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache, re.M)[1]
    kind = re.search(r"^CMAKE_BUILD_TYPE:\w+=(.*)$", cache, re.M)[1]
    flags = re.search(rf"^CMAKE_CXX_FLAGS_{kind.upper()}:\w+=(.*)$", cache, re.M)
    return f'{output_of(path, "--version").splitlines()[0]}, {flags[1] if flags else kind}'


def machine(results, build):
    here = str(pathlib.Path(__file__).parent)
    rows = [
        ("processor", cpu()),
        ("kernel", re.match(r"[\d.]*\d", platform.release())[0]),
        ("compiler", compiler(build)),
        ("clock", {"tsc": "time-stamp counter"}.get(results.record["clock"], "clock_gettime")),
        ("date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
        ("commit", output_of("git", "-C", here, "describe", "--always", "--dirty") or "unknown"),
        ("load before", f"{results.load} (1-minute average; above about 0.3 the figures are those of a busy machine)"),
    ]
    return table(["", ""], rows)


# ---- tables ------------------------------------------------------------------------------------------------------------


def peers_table(results):
    rows = repetitions(results.peers, "ns")
    floor = statistics.median(rows["two clock reads"])
    lines = []
    for name, values in sorted(rows.items(), key=lambda row: statistics.median(row[1])):
        low, middle, high = quartiles(values)
        shown = f"**{name}**" if name.startswith("peerscope") else name
        lines.append((middle / floor, [shown, number(middle), f"{number(low)} … {number(high)}", f"{middle / floor:.2f}",
                                       REMARKS.get(name, "")]))
    for name, ns in EARLIER:
        ratio = ns / EARLIER_FLOOR_NS
        lines.append((ratio, [name, number(ns), "", f"{ratio:.2f}", f"measured earlier, floor {EARLIER_FLOOR_NS} ns"]))
    lines.sort(key=lambda line: line[0])
    return table(["recorder", "ns", "middle half", "× floor", ""], [line for _, line in lines])


def levels_table(results):
    rows = []
    subjects = results.record["subjects"]
    for name in [name for name in LEVELS if name in subjects] + [name for name in subjects if name not in LEVELS]:
        row = subjects[name]
        rows.append([name, number(row["median_ns"]), f'{number(row["min_ns"])} … {number(row["max_ns"])}',
                     f'{row["median_ns"] / results.floor:.3f}'])
    return table(["begin + end of one operation", "ns", "least … most", "× floor"], rows)


def verdict(met):
    return "met" if met else "**missed**"


def at_most(value, limit, unit=""):
    space = " " if unit else ""
    return f"{number(value)}{space}{unit}", verdict(value <= limit)


def at_least(value, limit, unit=""):
    space = " " if unit else ""
    return f"{number(value)}{space}{unit}", verdict(value >= limit)


def goals_table(results):
    level, floor, cold = results.level, results.floor, results.record["cold"]
    detailed = level("detailed")
    rows = [("off, inline", "≤ 0.5 ns", *at_most(level("off"), 0.5, "ns"))]
    if library := level("off, through the library"):
        rows.append(("off, through the library", "≤ 3 ns", *at_most(library, 3, "ns")))
    rows += [
        ("basic", "≤ 0.15 × floor", *at_most(level("basic") / floor, 0.15, "×")),
        ("detailed, hot", "≤ 1.05 × floor", *at_most(detailed / floor, 1.05, "×")),
        ("detailed, cold, p50", "≤ 1.5 × floor",
         *at_most(cold["detailed_p50_ns"] / cold["two_clock_reads_p50_ns"], 1.5, "×")),
        ("detailed, cold, p99.9, from the first operation", "≤ 10 × floor",
         *at_most(cold["detailed_p999_ns"] / cold["two_clock_reads_p999_ns"], 10, "×")),
        ("comprehensive, 3 phases", "≤ 1.10 × 5 clock reads",
         *at_most(level("comprehensive, 3 phases") / level("five clock reads"), 1.10, "×")),
    ]
    if private := level("detailed, ring in private memory"):
        rows.append(("ring in /dev/shm, against private memory", "the same (≤ 1.05 ×)",
                     *at_most(detailed / private, 1.05, "×")))
    return table(["what", "goal", "measured", ""], rows + delivery_goals(results) + python_goals(results))


def delivery_goals(results):
    flat, paced = results.delivery_flat, results.delivery_paced
    memory = (results.record["segment_bytes"] + paced["reader_memory_bytes"]) / 1e6
    return [
        ("delivered to a reader that aggregates, one thread flat out", "≥ 20 M/s",
         mega(flat["delivered_per_s"]), verdict(flat["delivered_per_s"] >= 20e6)),
        ("not delivered at 1 M operations/s", "0", f'{paced["lost"] + paced["dropped"]:,} of {paced["made"]:,}',
         verdict(paced["lost"] + paced["dropped"] == 0)),
        ("made = delivered + lost + dropped, in both runs", "exactly", "yes" if flat["exact"] and paced["exact"] else "no",
         verdict(flat["exact"] and paced["exact"])),
        ("base memory, recorder and reader", "≤ 10 MB", *at_most(memory, 10, "MB")),
    ]


def python_goals(results):
    times = PYTHON_NS / results.level("detailed")
    scaling = results.record["thread_scaling"]
    return [
        (f"detailed, against the earlier Python tool ({PYTHON_NS / 1e3} µs; {PYTHON_TOPOLOGY_NS / 1e3} µs with its "
         "eight-device topology)", "≥ 50 times cheaper", f"{times:.0f} times", verdict(times >= 50)),
        (f"two threads against one (the Python tool: {PYTHON_TWO_THREADS} times slower)", "twice the rate (≥ 1.9 ×)",
         *at_least(scaling, 1.9, "×")),
    ]


def reader_table(results):
    rows = []
    for title, google in (("rings to operations, nothing done with them", results.collect),
                          ("rings to rows, with the aggregator", results.aggregate)):
        for name, values in repetitions(google, "items_per_second").items():
            ranks = int(re.search(r"ranks:(\d+)", name)[1])
            low, middle, high = quartiles(values)
            rows.append([title, "nothing to join" if ranks == 1 else f"joined over {ranks} ranks", mega(middle),
                         f"{low / 1e6:.1f} … {high / 1e6:.1f}"])
    return table(["reader", "", "records a core", "middle half"], rows)


def delivery_table(results):
    rows = []
    for name, d in (("flat out", results.delivery_flat), ("1 M/s", results.delivery_paced)):
        rows.append([name, mega(d["made_per_s"]), mega(d["delivered_per_s"]), f'{d["lost"]:,}', f'{d["dropped"]:,}',
                     f'{d["writer_ns"]:.1f} ns', f'{100 * d["reader_cpu_s"] / d["seconds"]:.0f} %'])
    return table(["one thread", "made", "delivered", "lost", "dropped", "writer, an operation", "reader, of a core"], rows)


def size(count):
    for unit in ("B", "KiB", "MiB"):
        if count < 1024 or unit == "MiB":
            return f"{count:g} {unit}"
        count /= 1024


def overhead_table(results):
    rows = []
    for row in results.overhead["rows"]:
        cells, met = [], True
        for name, goal in OVERHEAD_GOALS.items():
            excess = row["ratio"][name] - 1
            cells.append(f"{100 * excess:+.1f} %")
            met = met and excess <= max(goal, row["noise_floor"])
        rows.append([size(row["bytes"]), f'{row["off_us"]:.2f} µs', *cells, f'±{100 * row["noise_floor"]:.1f} %',
                     verdict(met) if row["noise_floor"] <= TOO_NOISY else "too noisy to say"])
    return table(["all_reduce, 2 ranks", "off", *OVERHEAD_GOALS, "noise floor", ""], rows)


PAGE = """# What recording an operation costs

Written by `./dev bench`; do not edit. Every figure is of one run on the machine below, but for the rows marked
"measured earlier".

{machine}

## Method

Every recorder gets the same 1,024 operations: kind, algorithm, bytes, source, destination, stream and sequence at begin,
the status at end. An operation is timed in bursts of {burst:,} on one processor, half a millisecond apart, while whatever
the recorder does in the background runs on another; a repetition is the middle of {bursts} bursts, repetitions of all
recorders are interleaved at random ({repetitions} of each), and the median is quoted with the middle half of them. The
floor is two reads of the clock with nothing between: nobody who times every operation can be cheaper, so ratios to it are
what carries over to other machines.

## Beside the peers

{peers}

Rows of peerscope include filling in the operation's description. "Measured earlier" are peers that no package brings:
their figures were taken on this kind of machine with the same operations, and their ratio is to the floor of that run.

## The levels, and where the goals stand

`peerscope bench record`: the same description each time, the best of five bursts a round, {rounds} rounds; the medians
of {runs} runs of the command, each a process of its own.

{levels}

{goals}

Cold: an operation every 100 µs after 64 KiB of other memory were written; two clock reads p50 {cold_floor_p50:.0f} ns,
p99.9 {cold_floor_p999:.0f} ns; detailed p50 {cold_p50:.0f} ns, p99.9 {cold_p999:.0f} ns.

## The reader

{reader}

{delivery}

## Overhead of a collective

`peerscope bench overhead`: the levels in turn, round after round; the median of the ratio to "off" in the same round, and
of "off" to itself as the noise floor. Goals: basic and detailed ≤ 1 %, comprehensive ≤ 2 %, or within the noise floor; where
that is above 5 %, nothing is concluded.

{overhead}

## What these figures do not say

- Nothing about other processors: what the clock costs and how finely it steps differs, hence ratios.
- Nothing about bytes kept, nor about the time that peers spend in the background, nor about what they lose: the table is
  what the recording thread pays while the background keeps up.
- Nothing about first use: peers are measured warm. Cold figures are of ours only.
- The earlier rows are of another run, and their versions may have moved on.
- A recorder that keeps no record (NVTX without a tool, prometheus-cpp, a histogram in place, anything off) is not
  comparable to one that does.
- Two busy processors of a virtual machine need not be two whole ones: figures of two threads, and of a writer and a
  reader flat out, can only be too low.
- The collectives of the overhead table run on the host between threads: their times are not those of a GPU.
"""


def main():
    results = Results(sys.argv[1])
    cold, peers = results.record["cold"], repetitions(results.peers, "ns")
    first = next(run for run in results.peers["benchmarks"] if run["run_type"] == "iteration")
    print(PAGE.format(
        machine=machine(results, sys.argv[2]), burst=1000, bursts=first["iterations"],
        repetitions=len(peers["two clock reads"]), peers=peers_table(results), levels=levels_table(results),
        goals=goals_table(results), rounds=results.record["rounds"], runs=results.runs, reader=reader_table(results),
        delivery=delivery_table(results), overhead=overhead_table(results),
        cold_floor_p50=cold["two_clock_reads_p50_ns"], cold_floor_p999=cold["two_clock_reads_p999_ns"],
        cold_p50=cold["detailed_p50_ns"], cold_p999=cold["detailed_p999_ns"]), end="")


if __name__ == "__main__":
    main()
