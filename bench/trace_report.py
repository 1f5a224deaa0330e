#!/usr/bin/env python3
"""trace_report.py DIR: what bench/trace.sh measured, as Markdown."""
import datetime
import json
import pathlib
import platform
import statistics
import sys

work = pathlib.Path(sys.argv[1])
figures = json.loads((work / "figures.json").read_text())
info = json.loads((work / "info.json").read_text())


def timed(name):
    rows = [tuple(map(float, line.split())) for line in (work / f"{name}.txt").read_text().splitlines()]
    return statistics.median(r[0] for r in rows), min(r[0] for r in rows), max(r[1] for r in rows) / 1024


def spread(part, key):
    s = figures[part][key]
    return f"{s['median']:.3g} [{s['min']:.3g}..{s['max']:.3g}]"


def cpu():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.machine()


print(f"""# The trace file

{datetime.date.today()}, {cpu()}, {platform.system()} {platform.release()}, 2 processors shared with other machines. `bench/trace.sh`; medians with
[least..most]; one core's processor time. "Iterative" is a decoding step of an 80-layer model over 8 devices, "random" has every
field at random; both log-normal in time at 10,000 operations a second.

| | iterative | goal | random | goal |
|---|---|---|---|---|
| bytes an operation | {figures['bytes_per_op']:.2f} | 4 | {figures['bytes_per_op_random']:.2f} | 8.5 |
| aggregate and write, M/s | {spread('iterative', 'write_mops')} | 30 | {spread('random', 'write_mops')} | |
| write (with its own cells and histograms), M/s | {spread('iterative', 'write_without_aggregates_mops')} | | {spread('random', 'write_without_aggregates_mops')} | |
| all into histograms, M/s | {spread('iterative', 'scan_mops')} | 100 | {spread('random', 'scan_mops')} | 9 |
| sum of bytes of one kind, M/s | {spread('iterative', 'filter_mops')} | 800 | {spread('random', 'filter_mops')} | |
| the same from statistics, ms | {spread('iterative', 'statistics_ms')} | 2 | {spread('random', 'statistics_ms')} | |
| open, ms | {spread('iterative', 'open_ms')} | | {spread('random', 'open_ms')} | |

Commands on a file of {info['operations'] / 1e6:.0f} million operations ({info['bytes'] / 1e6:.0f} MB), wall time from start to exit, five runs:

| | median s | least s | goal | most memory, MB |
|---|---|---|---|---|""")
for name, what, goal in (("statistics", "a sum that statistics answer", "0.3"), ("filtered", "a sum over columns with two conditions", "0.3"), ("slow", "operations of over 20 µs, counted", ""),
                         ("window", "failed operations of two seconds, row by row", "0.3"), ("info", "info", "0.5")):
    median, least, memory = timed(name)
    print(f"| {what} | {median:.3f} | {least:.3f} | {goal} | {memory:.0f} |")
csv, copy = timed("csv"), timed("copy")
print(f"""
CSV export of 4 million operations: {csv[0]:.2f} s; copying the file that it made: {copy[0]:.2f} s; {csv[0] / copy[0]:.1f} times (goal: 3).

Part by part (Google Benchmark, medians of three; items are operations):

| | M/s |
|---|---|""")
for entry in json.loads((work / "parts.json").read_text())["benchmarks"]:
    if entry.get("aggregate_name") == "median":
        print(f"| `{entry['run_name']}` | {entry['items_per_second'] / 1e6:.1f} |")
