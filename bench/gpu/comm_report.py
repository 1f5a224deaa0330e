#!/usr/bin/env python3
"""bench/gpu/comm_report.py RESULTS.json: what bench/gpu/comm.py measured, as Markdown (docs/benchmarks/comm.md)."""
import json
import pathlib
import statistics
import sys

results = json.loads(pathlib.Path(sys.argv[1]).read_text())
facts = results["facts"]
middle = statistics.median


def size(n):
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if n >= unit:
            return f"{n // unit} {name}"
    return f"{n} B"


print(f"""# The P2P backend on GPUs

Written by `bench/gpu/comm_report.py` from `bench/gpu/comm.py`; do not edit. Every figure is of one run.

| | |
|---|---|
| date | {results['date']} UTC |
| GPUs | {'; '.join(sorted(set(facts['gpus'].splitlines())))}, {len(facts['gpus'].splitlines())} of them |
| host | {facts['cpus']} processors, {facts['cpu']}, Linux {facts['kernel']}, a virtual machine |
| peerscope | {facts['version']} |

## all_reduce, f32, two processes, beside NCCL

The medians of both within a round, in turn; median of the rounds [least to most]. NVLink multicast is off.
""")
by = {}
for row in results["speed"]:
    by.setdefault((row["graph"], row["bytes"]), {}).setdefault(row["backend"], {})[row["round"]] = row["us"]
for graph in (0, 1):
    print(f"| {'as a CUDA graph' if graph else 'eager'} | ours, us | NCCL, us | NCCL / ours | ours, GB/s |\n|---|---|---|---|---|")
    for (g, n), backends in sorted(by.items()):
        if g != graph or set(backends) != {"cuda", "nccl"}:
            continue
        ratios = [backends["nccl"][r] / us for r, us in backends["cuda"].items() if r in backends["nccl"]]
        ours, theirs = middle(backends["cuda"].values()), middle(backends["nccl"].values())
        print(f"| {size(n)} | {ours:.2f} | {theirs:.2f} | {middle(ratios):.2f} [{min(ratios):.2f} to {max(ratios):.2f}] | {n / ours / 1e3:.1f} |")
    print()

print("## The link, and other operations\n\n| | GB/s |\n|---|---|")
for case in results["link"]["testcases"]:
    cells = [cell for row in case["matrix"] for cell in row if cell]
    if cells:
        print(f"| {case['name']}, {case.get('unit', '')} | {min(cells):.1f} to {max(cells):.1f} |")
for name, answer in results["others"].items():
    for row in answer.get("rows", []):
        print(f"| {name} of {size(row['bytes'])}, busbw | {row['busbw_gbs']:.1f} |")

if "copies" in results:
    print("\n## Copies beside nvbandwidth's method\n\nGPU 0 writes to (reads from) GPU 1, 512 MiB, 16 in a stream between two events, in turn. Reference: `bench/gpu/nvbandwidth_way.py`,"
          " the driver alone. Ours: `peerscope bench copy` and `get`: Communicator::copy into registered memory.\n\n| | GB/s: median [least to most] |\n|---|---|")
    for name, gbs in results["copies"].items():
        if gbs:
            print(f"| {name} | {middle(gbs):.1f} [{min(gbs):.1f} to {max(gbs):.1f}] |")

print("\n## What monitoring costs\n\nTime over that at level off in the same processes, levels in turn: of the means (95 %); median.\n")
print("| | off, us | basic | detailed | comprehensive |\n|---|---|---|---|---|")
for part in results["monitor"]:
    for row in part.get("rows", []):
        cells = [f"{c['ratio_of_means']:.3f} ({c['ratio_of_means_low']:.3f} to {c['ratio_of_means_high']:.3f}); {c['ratio']:.3f}"
                 for c in (row["levels"][level] for level in ("basic", "detailed", "comprehensive"))]
        print(f"| {size(row['bytes'])}{', graph' if part['graph'] else ''} | {row['levels']['off']['mean_us']:.2f} | " + " | ".join(cells) + " |")

print("\n## Are the times true?\n\n| | stamps, us | between two events, us | difference, us |\n|---|---|---|---|")
events = {row["bytes"]: row.get("device_us") for row in results["times"]["events"]}
for n, ns in sorted(results["times"]["stamps"].items(), key=lambda item: int(item[0])):
    between = events.get(int(n))
    if between:
        print(f"| {size(int(n))} | {middle(ns) / 1e3:.2f} | {between:.2f} | {between - middle(ns) / 1e3:.2f} |")

print("\n## Are the values right?\n")
for answer in results.get("values", []):
    print(f"- {answer.get('ranks')} ranks: {answer.get('cases')} random operations, {answer.get('graphs')} launches as graphs, {answer.get('failed')} wrong"
          f"{': ' + str(answer.get('first')) if answer.get('failed') else ''}")
for tool, answer in results.get("sanitizer", {}).items():
    print(f"- compute-sanitizer {tool}: status {answer['status']}: `{answer['said'].splitlines()[-1] if answer['said'] else ''}`")
kills = results.get("kills", {})
print(f"- {kills.get('kills')} processes killed at random: {kills.get('late')} told too late (time-out {kills.get('timeout_s')} s, at most {kills.get('most_s')} s), "
      f"{kills.get('unnamed')} without the rank's name. `{kills.get('example')}`")

if "host" in results:
    host = results["host"]
    limit = next((cell for case in host["memory"].get("testcases", []) if case["name"] == "host_ring_write" for row in case["matrix"] for cell in row if cell), None)
    print("\n## The host device\n\nRanks are processes (small: threads), each on a processor of its own. The limit: all four copy at once by memcpy"
          f" (`bench p2p -t host_ring_write -g 4 -b 64M`): {limit:.1f} GB/s together. An all_reduce of S bytes moves 2 (n - 1) / n S from each rank, so `busbw` times 4 is what is moved.\n"
          "\n| | us | moved, GB/s | of the limit |\n|---|---|---|---|")
    for row in host["large"].get("rows", []):
        moved = 4 * row["busbw_gbs"]
        print(f"| {size(row['bytes'])}, 4 ranks, {row['algorithm']}{', in place' if row.get('in_place') else ''} | {row['time_us']:.0f} | {moved:.1f} | {moved / limit:.0%} |")
    for row in host["small"].get("rows", []):
        print(f"| {size(row['bytes'])}, 2 threads | {row['time_us']:.2f} | | |")
