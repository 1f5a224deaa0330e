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

print("\n## Are the times true?\n\n100 all_reduces back to back, out of place: from the first stamp's begin to the last stamp's end on the slower rank, against two events around"
      " them, per operation; median of 30 batches. In the kernels: the sum of the stamps' durations.\n\n| | stamps, us | events, us | stamps / events | of it in the kernels, us |\n|---|---|---|---|---|")
events = {row["bytes"]: row.get("device_us") for row in results.get("times", {}).get("events", [])}
for n, batches in sorted(results.get("times", {}).get("batches", {}).items(), key=lambda item: int(item[0])):
    between = events.get(int(n))
    if between and batches:
        stamped = middle(b["ns"] for b in batches) / 1e3
        print(f"| {size(int(n))} | {stamped:.3f} | {between:.3f} | {stamped / between:.4f} | {middle(b['busy_ns'] for b in batches) / 1e3:.3f} |")

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

# ---- goals -----------------------------------------------------------------------------------------------------------

goals = []


def goal(what, wanted, measured, met):
    goals.append(f"| {what} | {wanted} | {measured} | {'met' if met else 'missed'} |")


def times_of_nccl(graph, least, most):
    return {n: middle([backends["nccl"][r] / us for r, us in backends["cuda"].items() if r in backends["nccl"]])
            for (g, n), backends in by.items() if g == graph and least <= n <= most and set(backends) == {"cuda", "nccl"}}


for graph, words in ((0, "eager"), (1, "as a graph")):
    for least, most, wanted, name in ((0, 256 << 10, 2.0, "up to 256 KiB"), (1 << 20, 8 << 20, 1.3, "1 to 8 MiB"), (64 << 20, 1 << 40, 1.15, "64 MiB and above")):
        ratios = times_of_nccl(graph, least, most)
        worst = min(ratios, key=ratios.get)
        goal(f"all_reduce {name}, {words}: NCCL's time over ours, the least", f"{wanted}", f"{ratios[worst]:.2f} (at {size(worst)})", ratios[worst] >= wanted)
largest = max(n for _, n in by)
speed = largest / middle(by[(0, largest)]["cuda"].values()) / 1e3
goal(f"all_reduce of {size(largest)}", "340 GB/s", f"{speed:.0f} GB/s", speed >= 340)
for name, reference in (("copy", "reference write"), ("get", "reference read")):
    share = middle(results["copies"][name]) / middle(results["copies"][reference])
    goal(f"{name}: of nvbandwidth's method", "99 %", f"{share:.1%}", share >= 0.99)
link = middle(results["copies"]["reference write"])
for name in ("broadcast", "all_gather", "reduce_scatter"):
    rows = results["others"][name].get("rows", [])
    best = max(rows, key=lambda row: row["busbw_gbs"])
    goal(f"{name} of {size(best['bytes'])}: of the link ({link:.0f} GB/s)", "90 %", f"{best['busbw_gbs'] / link:.0%}", best["busbw_gbs"] / link >= 0.9)
limit = next(cell for case in results["host"]["memory"]["testcases"] if case["name"] == "host_ring_write" for row in case["matrix"] for cell in row if cell)
auto = next(row for row in results["host"]["large"]["rows"] if row["algorithm"] == "auto")
goal("host, 64 MiB over 4 ranks: of what memcpy moves", "60 %", f"{4 * auto['busbw_gbs'] / limit:.0%}", 4 * auto["busbw_gbs"] / limit >= 0.6)
small = max(row["time_us"] for row in results["host"]["small"]["rows"])
goal("host, 2 threads, up to 4 KiB", "5 us", f"{small:.1f} us", small <= 5)
for least, most, wanted in ((0, (64 << 10) - 1, 1.01), (64 << 10, 1 << 40, 1.005)):
    rows = [(row["levels"]["comprehensive"]["ratio"], row["bytes"], part["graph"]) for part in results["monitor"] for row in part.get("rows", []) if least <= row["bytes"] <= most]
    ratio, n, graph = max(rows)
    goal(f"monitoring at comprehensive, {'below 64 KiB' if least == 0 else 'from 64 KiB'}: the worst median", f"{wanted}", f"{ratio:.3f} (at {size(n)}{', graph' if graph else ''})", ratio <= wanted)
shares = {int(n): middle(b["ns"] for b in batches) / 1e3 / events[int(n)] for n, batches in results["times"]["batches"].items() if batches}
gaps = {n: abs(1 - share) * events[n] * 1e3 for n, share in shares.items()}
goal("device times against events: the largest difference", "2 % or 200 ns", f"{max(abs(1 - s) for s in shares.values()):.1%}, {max(gaps.values()):.0f} ns an operation",
     all(abs(1 - s) <= 0.02 or gaps[n] <= 200 for n, s in shares.items()))
wrong = sum(answer.get("failed", 1) for answer in results["values"])
cases = sum(answer.get("cases", 0) for answer in results["values"])
goal("random operations that float64 contradicts", "0 of 10,000", f"{wrong} of {cases}", wrong == 0 and cases >= 10_000)
goal("compute-sanitizer: memcheck, racecheck", "clean", ", ".join(str(a["status"]) for a in results["sanitizer"].values()), len(results["sanitizer"]) == 2 and all(a["status"] == 0 for a in results["sanitizer"].values()))
goal("a killed peer: told within the time-out and 1 s", "50 of 50", f"{kills['kills'] - kills['late']} of {kills['kills']}, at most {kills['most_s']:.2f} s", kills["kills"] >= 50 and kills["late"] == 0 and kills["unnamed"] == 0)
print("\n## Where the goals stand\n\n| | goal | measured | |\n|---|---|---|---|\n" + "\n".join(goals))
