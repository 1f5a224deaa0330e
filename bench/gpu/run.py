#!/usr/bin/env python3
"""bench/gpu/run.py BUNDLE OUT.json: everything that needs GPUs, measured in one go of under ten minutes.

BUNDLE is what `./dev bundle` made. Needs PyTorch with NCCL and two GPUs, and a C compiler. bench/gpu/report.py OUT.json makes
docs/benchmarks/gpu.md of it. Stages: see STAGES.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
STAGES = ["facts", "ddp", "stopped", "accuracy", "lost", "ras", "exact_levels", "driver_levels", "levels", "torch", "driver"]
MASK_WITH_CHANNELS = 2 | 4 | 64  # Coll, P2p, KernelCh: as ours with everything exact
GROUP_API = 256  # what ours asks for at level off


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--cycles", type=int, default=12, help="of levels")
    parser.add_argument("--conditions", default="", help="of overhead, by name; empty: all")
    parser.add_argument("--seconds", type=float, default=540, help="stages after this are left out, and said")
    return parser.parse_args()


class Bench:
    def __init__(self, args):
        self.args = args
        self.p = str((args.bundle / "bin" / "peerscope").resolve())
        self.lib = (args.bundle / "lib").resolve()
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="peerscope-gpu-", dir="/dev/shm"))
        self.results = {"date": time.strftime("%Y-%m-%d %H:%M", time.gmtime())}
        self.null = self.work / "null.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", self.null, HERE / "null_profiler.c"], check=True)
        self.begin = time.time()

    def say(self, text):
        print(f"[{time.time() - self.begin:5.0f} s] {text}", file=sys.stderr, flush=True)

    def save(self):
        self.args.out.write_text(json.dumps(self.results, indent=1))

    def runtime_dir(self, name):
        path = self.work / name
        path.mkdir(mode=0o700, exist_ok=True)
        return str(path)

    def conditions(self):
        ours = {"NCCL_PROFILER_PLUGIN": str(self.lib / "libpeerscope-nccl.so"), "PEERSCOPE_RUNTIME_DIR": self.runtime_dir("rt")}
        off = {"NCCL_PROFILER_PLUGIN": "none", "CUDA_INJECTION64_PATH": None}
        null = {**off, "NCCL_PROFILER_PLUGIN": str(self.null)}
        every = {"none": off}
        for level in ("basic", "detailed", "comprehensive"):
            every[level] = {**ours, "PEERSCOPE_LEVEL": level}
        every["exact"] = {**ours, "PEERSCOPE_LEVEL": "detailed", "PEERSCOPE_OVERHEAD__BUDGET": "100 %"}
        every["null, channels"] = {**null, "NULL_PROFILER_MASK": str(MASK_WITH_CHANNELS)}
        # Off unless asked for: what it costs on top.
        every["detailed, cuda"] = {**every["detailed"], "CUDA_INJECTION64_PATH": str(self.lib / "libpeerscope-cuda.so")}
        wanted = [name for name in self.args.conditions.split(";") if name]
        return {name: env for name, env in every.items() if not wanted or name in wanted}

    def peerscope(self, *arguments, **options):
        env = {**os.environ, "PEERSCOPE_RUNTIME_DIR": self.runtime_dir("rt"), **options.pop("env", {})}
        return subprocess.run([self.p, *map(str, arguments)], env=env, capture_output=True, text=True, **options)

    def query(self, trace, sql):
        answer = self.peerscope("query", trace, sql, "--json")
        if answer.returncode != 0:
            raise RuntimeError(answer.stderr)
        return [list(row.values()) for row in json.loads(answer.stdout)]

    # ---- stages ------------------------------------------------------------------------------------------------------

    def facts(self):
        def output(*command):
            try:
                return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()
            except OSError as failure:
                return str(failure)
        self.results["facts"] = {
            "gpus": output("nvidia-smi", "--query-gpu=name,driver_version,pcie.link.gen.max,pcie.link.width.max", "--format=csv,noheader"),
            "topology": output("nvidia-smi", "topo", "-m"),
            "torch": output(sys.executable, "-c", "import torch; print(torch.__version__, torch.version.cuda, '.'.join(map(str, torch.cuda.nccl.version())))"),
            "kernel": output("uname", "-r"), "cpus": os.cpu_count(),
            "cpu": next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), ""),
            "version": output(self.p, "--version"),
            "sources": self.peerscope("doctor", "sources").stdout,
            "devices": self.peerscope("devices").stdout,
        }

    def rounds(self, what, measure, left_out):
        """Each condition once a round, from another one on each time."""
        conditions = {name: env for name, env in self.conditions().items() if name not in left_out}
        names = list(conditions)
        rows = []
        for number in range(self.args.rounds):
            for i in range(len(names)):
                name = names[(i + number) % len(names)]
                if time.time() - self.begin > self.args.seconds:
                    self.say(f"{what}: no time for more than {number} rounds")
                    self.results[what] = {"rows": rows}
                    return
                for row in measure(conditions[name]):
                    rows.append({"round": number, "condition": name, **row})
            self.say(f"{what}: round {number + 1} of {self.args.rounds}")
        self.results[what] = {"rows": rows}
        self.save()

    def torch(self):
        trace = self.work / "torch.pscope"
        # As in use: a reader follows it all, and writes a trace.
        server = subprocess.Popen([self.p, "run", "-q", "--out", str(trace), "--", sys.executable, str(HERE / "workload.py"), "serve"],
                                  env={**os.environ, "PEERSCOPE_RUNTIME_DIR": self.runtime_dir("rt")}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=open(self.args.out.with_suffix(".torch.log"), "w"), text=True)

        def ask(arguments, environment):
            server.stdin.write(json.dumps({"arguments": arguments, "environment": environment}) + "\n")
            server.stdin.flush()
            rows = []
            for line in server.stdout:
                try:
                    row = json.loads(line)
                except ValueError:
                    self.say(f"torch said: {line.strip()[:200]}")
                    continue
                if "done" in row:
                    return rows, row["done"]
                rows.append(row)
            raise RuntimeError("the torch server has ended: see " + str(self.args.out.with_suffix(".torch.log")))

        spawn = []
        if ask(["decode", "--limit", "20", "--batches", "1"], self.conditions()["none"])[1] != 0:
            self.say("torch: ranks cannot be forked here; they are started anew each time")
            spawn = ["--spawn"]

        def measure(environment):
            rows, status = ask(["suite", "--limit", "40", *spawn], environment)
            if status != 0:
                self.say(f"torch: status {status}")
            return rows
        self.rounds("torch", measure, ["exact", "null, channels", "detailed, cuda"])
        server.stdin.close()
        said = server.stdout.read()
        server.wait()
        self.results["torch"].update(said=said[-1000:], info=json.loads(self.peerscope("info", trace, "--json").stdout))

    def driver(self):
        """nccl-tests' way, without Python: one process, two GPUs."""
        library = self.nccl()

        def measure(environment):
            rows = []
            env = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
            for operation in ("all_reduce",):  # after sends NCCL 2.28.9 did not come to its end: those are torch's
                answer = subprocess.run([self.p, "bench", operation, "--backend", "nccl", *library, "-g", "2", "-b", "8", "-e", "2M", "-f", "64", "-n", "2500", "-w", "20",
                                         "--rounds", "2", "-c", "0", "--json"], env=env, capture_output=True, text=True, timeout=60)
                if "did not come to its end" in answer.stderr:
                    self.say("driver: NCCL did not come to its end")
                if answer.returncode != 0:
                    self.say(f"driver: {answer.stderr.strip()[-300:]}")
                    continue
                for row in json.loads(answer.stdout)["rows"]:
                    us = [place["time_us"] for place in (row, row["in_place"]) if place]
                    rows.append({"operation": operation, "bytes": row["bytes"], "graph": False, "us": sum(us) / len(us), "least_us": min(us)})
            return rows
        self.rounds("driver", measure, ["basic", "comprehensive", "detailed, cuda"])

    def levels(self):
        """Within one process: what levels cost against level off."""
        trace, done = self.recorded_run("levels", "detailed", "levels", "--peerscope", self.p, "--limit", "110", "--cycles", str(self.args.cycles))
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"operation"')]
        self.results["levels"] = {"status": done.returncode, "rows": rows, "stderr": done.stderr[-1500:]}

    def driver_levels(self):
        """The same with our driver, which varies less: rounds of some milliseconds, a level each. A process for each GPU, as
        PyTorch has it, and (small sizes) one for both, in which one thread pays for two ranks."""
        small, large = ["-b", "8", "-e", "512K", "-f", "256", "-n", "500"], ["-b", "16M", "-e", "64M", "-f", "4", "-n", "50"]
        rows = []
        for operation in ("all_reduce", "sendrecv", "all_gather", "reduce_scatter", "broadcast", "all_to_all"):
            main = operation in ("all_reduce", "sendrecv")
            rows += [{"processes": 2, **row} for row in self.levels_of(operation, *small, "--rounds", 400 if main else 160, "--processes")]
            rows += [{"processes": 2, **row} for row in self.levels_of(operation, *large, "--rounds", 100, "--processes")]
            if main:
                rows += [{"processes": 1, **row} for row in self.levels_of(operation, *small, "--rounds", 200)]
        self.results["driver_levels"] = rows

    def exact_levels(self):
        """Everything exact against a plugin that does nothing, in turn: NCCL is asked for the same events all the time."""
        env = {"NCCL_PROFILER_PLUGIN": str(self.null), "NULL_PROFILER_MASK": str(MASK_WITH_CHANNELS | GROUP_API),
               "NULL_PROFILER_FORWARD": str(self.lib / "libpeerscope-nccl.so"), "PEERSCOPE_OVERHEAD__BUDGET": "100 %"}
        self.results["exact_levels"] = [row for operation in ("all_reduce", "sendrecv")
                                        for row in self.levels_of(operation, "-b", "8", "-e", "512K", "-f", "256", "-n", "500", "--rounds", "200", env=env)]

    def levels_of(self, operation, *arguments, env=None):
        plugin = {"NCCL_PROFILER_PLUGIN": str(self.lib / "libpeerscope-nccl.so")}
        done = self.peerscope("bench", operation, "--backend", "nccl", *self.nccl(), "-g", "2", *arguments, "-w", "50", "-c", "0", "--levels", "--json",
                              env=env or plugin, timeout=120)
        if done.returncode != 0:
            self.say(f"{operation}, levels: {done.stderr.strip()[-300:]}")
            return []
        return [{"operation": operation, "bytes": row["bytes"], "place": name, "levels": place["levels"]}
                for row in json.loads(done.stdout)["rows"] for name, place in (("out", row), ("in", row["in_place"])) if place]

    def ras(self):
        """NCCL's own view of a running job."""
        pids = self.work / "ras_pids"
        job = subprocess.Popen([sys.executable, str(HERE / "workload.py"), "ddp", "--steps", "1000000", "--pids", str(pids)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            time.sleep(10)
            text, as_json = self.peerscope("ras", timeout=60), self.peerscope("ras", "--json", timeout=60)
            self.results["ras"] = {"status": text.returncode, "text": text.stdout + text.stderr, "json": as_json.stdout}
        finally:
            for pid in json.loads(pids.read_text()):
                os.kill(pid, signal.SIGKILL)
            job.wait()

    def nccl(self):
        """PyTorch's library, if that is where it is."""
        where = subprocess.run([sys.executable, "-c", "import nvidia.nccl; print(list(nvidia.nccl.__path__)[0])"], capture_output=True, text=True).stdout.strip()
        return ["--nccl", where + "/lib/libnccl.so.2"] if where else []

    def recorded_run(self, name, level, *workload, env=None):
        trace = self.work / f"{name}.pscope"
        command = [self.p, "run", "--level", level, "--out", str(trace), "--", sys.executable, str(HERE / "workload.py"), *workload]
        done = subprocess.run(command, env={**os.environ, "PEERSCOPE_RUNTIME_DIR": self.runtime_dir(name), **(env or {})}, capture_output=True, text=True, timeout=120)
        return trace, done

    def accuracy(self):
        result = {}
        for name, env in (("exact", {"PEERSCOPE_OVERHEAD__BUDGET": "100 %"}), ("sampled", {})):
            trace, done = self.recorded_run(name, "detailed", "events", env=env)
            events = {}
            for line in done.stdout.splitlines():
                if line.startswith('{"bytes"'):
                    row = json.loads(line)
                    events.update({number: (row["bytes"], ns) for number, ns in row["ns"]})
            ours = self.query(trace, "SELECT rank, sequence, bytes, device_duration_ns FROM ops WHERE device_only = 1 AND operation = 'all_reduce' AND rank = 0 LIMIT 1000000")
            pairs = [(*events[row[1]], row[3]) for row in ours if row[1] in events]
            result[name] = {"status": done.returncode, "pairs": pairs, "events": len(events), "device_times": len(ours), "stderr": done.stderr[-800:], "report": done.stdout[-3000:] if not events else ""}
            result["pairs of events around"] = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"around"')]
            self.say(f"accuracy, {name}: {len(events)} operations between events, {len(ours)} device times, {len(pairs)} of both")
        self.results["accuracy"] = result

    def lost(self):
        trace, done = self.recorded_run("lost", "detailed", "many", "--count", "1000000")
        rows = self.query(trace, "SELECT rank, count(*), sum(weight) FROM ops WHERE operation = 'all_reduce' AND device_only = 0 GROUP BY rank")
        self.results["lost"] = {"status": done.returncode, "rows": rows, "info": json.loads(self.peerscope("info", trace, "--json").stdout), "said": done.stdout[:300]}

    def ddp(self):
        trace, done = self.recorded_run("ddp", "detailed", "ddp", "--delay-rank", "1", "--steps", "1500")
        self.results["ddp"] = {"status": done.returncode, "report": done.stdout, "stderr": done.stderr[-2000:]}
        json_report = self.peerscope("report", trace, "--json")
        self.results["ddp"]["findings"] = json.loads(json_report.stdout).get("findings") if json_report.returncode == 0 else json_report.stderr

    def stopped(self):
        pids = self.work / "pids"
        directory = self.runtime_dir("stopped")
        env = {**os.environ, "PEERSCOPE_RUNTIME_DIR": directory}
        job = subprocess.Popen([self.p, "run", "--", sys.executable, str(HERE / "workload.py"), "ddp", "--steps", "1000000", "--pids", str(pids)], env=env,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        while not pids.exists():
            time.sleep(0.1)
        time.sleep(9)
        victim = json.loads(pids.read_text())[1]
        os.kill(victim, signal.SIGSTOP)
        time.sleep(3)
        report = self.peerscope("report", env={"PEERSCOPE_RUNTIME_DIR": directory})
        as_json = self.peerscope("report", "--json", env={"PEERSCOPE_RUNTIME_DIR": directory})
        os.kill(victim, signal.SIGCONT)
        os.killpg(job.pid, signal.SIGKILL)
        for pid in json.loads(pids.read_text()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.results["stopped"] = {"report": report.stdout + report.stderr, "stopped_pid": victim}
        if as_json.returncode == 0:
            whole = json.loads(as_json.stdout)
            self.results["stopped"].update(findings=whole.get("findings"), in_flight=whole.get("in_flight"))


def main():
    args = parse()
    bench = Bench(args)
    try:
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
            bench.save()
    finally:
        shutil.rmtree(bench.work, ignore_errors=True)
    bench.say("done")


main()
