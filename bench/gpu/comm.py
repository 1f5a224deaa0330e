#!/usr/bin/env python3
"""bench/gpu/comm.py BUNDLE OUT.json: the P2P backend on two GPUs beside NCCL, in one go of under ten minutes.

BUNDLE is what `./dev bundle` made. Needs NCCL (PyTorch's will do) and two GPUs. bench/gpu/comm_report.py OUT.json makes
docs/benchmarks/comm.md of it. Stages: see STAGES.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

STAGES = ["facts", "values", "speed", "link", "monitor", "times", "kills", "sanitizer", "host"]
SANITIZER = "/usr/local/cuda/bin/compute-sanitizer"


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--rounds", type=int, default=5, help="of ours and NCCL, in turn")
    parser.add_argument("--cases", type=int, default=10_000, help="random operations of two ranks")
    parser.add_argument("--seconds", type=float, default=540, help="stages after this are left out, and said")
    return parser.parse_args()


class Bench:
    def __init__(self, args):
        self.args = args
        self.p = str((args.bundle / "bin" / "peerscope").resolve())
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="peerscope-comm-", dir="/dev/shm"))
        self.results = {"date": time.strftime("%Y-%m-%d %H:%M", time.gmtime())}
        self.begin = time.time()

    def say(self, text):
        print(f"[{time.time() - self.begin:5.0f} s] {text}", file=sys.stderr, flush=True)

    def run(self, *arguments, timeout=120, prefix=()):
        env = {**os.environ, "PEERSCOPE_RUNTIME_DIR": str(self.work), "NCCL_PROFILER_PLUGIN": "none"}
        done = subprocess.run([*prefix, self.p, *map(str, arguments)], env=env, capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0:
            self.say(f"{' '.join(map(str, arguments))}: status {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")
        return done

    def json(self, *arguments, **options):
        done = self.run(*arguments, "--json", **options)
        try:
            return json.loads(done.stdout)
        except ValueError:
            return {"status": done.returncode, "said": (done.stdout + done.stderr)[-1000:]}

    def nccl(self):
        where = subprocess.run([sys.executable, "-c", "import nvidia.nccl; print(list(nvidia.nccl.__path__)[0])"], capture_output=True, text=True).stdout.strip()
        return ["--nccl", where + "/lib/libnccl.so.2"] if where else []

    # ---- stages ------------------------------------------------------------------------------------------------------

    def facts(self):
        def output(*command):
            try:
                return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()
            except OSError as failure:
                return str(failure)
        self.results["facts"] = {
            "gpus": output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"), "kernel": output("uname", "-r"),
            "cpus": os.cpu_count(), "version": output(self.p, "--version"),
            "cpu": next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")}

    def values(self):
        """Random operations against float64: a GPU for each rank, then ranks that share them."""
        self.results["values"] = [self.json("verify", "--backend", "cuda", "-g", ranks, "-n", cases, "--most", "1M", "--seed", 1 + int(time.time()) % 100_000)
                                  for ranks, cases in ((2, self.args.cases), (3, 500), (4, 500), (8, 500))]

    def sanitizer(self):
        self.results["sanitizer"] = {}
        for tool in ("memcheck", "racecheck"):
            done = self.run("verify", "--backend", "cuda", "-g", 2, "-n", 100, "--most", "64K", "--timeout", 60, prefix=(SANITIZER, "--tool", tool), timeout=100)
            self.results["sanitizer"][tool] = {"status": done.returncode, "said": (done.stdout + done.stderr).strip()[-600:]}

    def speed(self):
        """all_reduce of ours and of NCCL, in turn, eager and as graphs; other operations of ours."""
        rows = []
        sweep = ["-g", 2, "-n", 100, "-w", 20, "-c", 0, "-b", 1024, "-e", "512M", "-f", 2]
        for number in range(self.args.rounds):
            for graph in (0, 1):
                for backend, more in (("cuda", ["--level", "off", "--rounds", 3]), ("nccl", [*self.nccl(), "--processes", "--rounds", 3])):
                    answer = self.json("bench", "all_reduce", "--backend", backend, *more, *sweep, "-G", graph)
                    rows += [{"round": number, "backend": backend, "graph": graph, "bytes": row["bytes"], "us": row["time_us"], "busbw": row["busbw_gbs"]}
                             for row in answer.get("rows", [])]
            self.say(f"speed: round {number + 1} of {self.args.rounds}")
        self.results["speed"] = rows
        self.results["others"] = {name: self.json("bench", name, "--backend", "cuda", "--level", "off", "-g", 2, "-b", "16M", "-e", "1G", "-f", 8, "--rounds", 5)
                                  for name in ("broadcast", "all_gather", "reduce_scatter", "all_to_all", "sendrecv")}

    def link(self):
        """The link as our suite and as nvbandwidth's method see it, and Communicator::copy beside it, in turn."""
        self.results["link"] = self.json("bench", "p2p", "--backend", "cuda", "-g", 2)
        copies = {"reference write": [], "reference read": [], "copy": [], "get": []}
        way = pathlib.Path(__file__).with_name("nvbandwidth_way.py")
        for _ in range(3):
            reference = json.loads(subprocess.run([sys.executable, way, "--json"], capture_output=True, text=True, timeout=60).stdout)
            copies["reference write"] += reference["write"]
            copies["reference read"] += reference["read"]
            for name in ("copy", "get"):
                answer = self.json("bench", name, "--backend", "cuda", "--level", "off", "-g", 2, "-b", "512M", "-e", "512M", "-n", 16, "-w", 2, "--rounds", 7)
                copies[name] += [row["algbw_gbs"] for row in answer.get("rows", [])]
        self.results["copies"] = copies

    def monitor(self):
        """Device stamps on and off, in turn within the same processes."""
        sizes = ["-g", 2, "-b", 8, "-e", "64M", "-f", 16]
        self.results["monitor"] = [{"graph": graph, **self.json("bench", "monitor", "--backend", "cuda", *sizes, "-n", 100, "--rounds", 240, *(["-G"] if graph else []))}
                                   for graph in (False, True)]

    def times(self):
        """Stamps' durations against events around single operations."""
        trace = self.work / "times.pscope"
        bench = self.run("run", "-q", "--out", trace, "--", self.p, "bench", "all_reduce", "--backend", "cuda", "-g", 2, "-b", "1K", "-e", "64M", "-f", 16, "-n", 1,
                 "-w", 20, "--rounds", 200, "-c", 0, "--json")
        answer = self.run("query", trace, "SELECT bytes, device_duration_ns FROM ops WHERE device_only = 1 AND rank = 0 LIMIT 1000000", "--json")
        stamps = {}
        for row in json.loads(answer.stdout):
            stamps.setdefault(row["bytes"], []).append(row["device_duration_ns"])
        answer, _ = json.JSONDecoder().raw_decode(bench.stdout)  # below it is the report of `run`
        self.results["times"] = {"stamps": stamps, "events": answer["rows"]}

    def host(self):
        """The host device, which needs processors of its own: large and small."""
        large = self.json("bench", "all_reduce", "--backend", "host", "-g", 4, "-b", "64M", "-e", "64M", "-n", 20, "-w", 5, "--level", "off", "--algo", "all")
        small = self.json("bench", "all_reduce", "--backend", "host", "-g", 2, "--threads", "-b", 8, "-e", "4K", "-f", 8, "-n", 2000, "-w", 200, "--level", "off")
        self.results["host"] = {"large": large, "small": small, "memory": self.json("bench", "p2p", "--backend", "host", "-g", 4, "-b", "64M")}

    def kills(self):
        self.results["kills"] = self.json("verify", "--backend", "cuda", "--kills", 50, "--timeout", 0.5, timeout=200)


def main():
    args = parse()
    bench = Bench(args)
    for stage in args.stages.split(","):
        if time.time() - bench.begin > args.seconds:
            bench.say(f"{stage}: left out, no time")
            bench.results.setdefault("left_out", []).append(stage)
            continue
        bench.say(stage)
        try:
            getattr(bench, stage)()
        except Exception as failure:  # noqa: BLE001: the other stages are still worth having
            bench.results.setdefault("failed", {})[stage] = repr(failure)
            bench.say(f"{stage} failed: {failure!r}")
        args.out.write_text(json.dumps(bench.results, indent=1))
    bench.say("done")


main()
