#!/usr/bin/env python3
"""bench/gpu/hang.py BUNDLE OUT.json: a rank is stopped, and who hangs is named: our own backends, and PyTorch over NCCL.

Each job runs some seconds; then one of its processes gets SIGSTOP, and `peerscope debug hang` looks on from outside. What counts is
the time from the signal to the answer, and whether the answer names that rank. Then the same jobs with a rank that computes 500 us longer
before each operation: whether it is named, and how soon after the job was seen. --jobs host needs no GPU.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
JOBS = {"host": 4, "cuda": 2, "pytorch": 2}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=pathlib.Path, help="what `./dev bundle` made, or a build folder")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--jobs", default=",".join(JOBS))
    parser.add_argument("--faults", default="stopped,slowed")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the segments of jobs whose rank was not named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="that a job runs before")
    return parser.parse_args()


def children(pid):
    """Of a process, in the order of their ranks: the order in which they were started."""
    found = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def command(peerscope, name, pids, slow):
    victim = JOBS[name] - 1
    if name == "pytorch":
        delay = ["--delay-rank", str(victim), "--delay-us", "500"] if slow else []
        return [peerscope, "run", "-q", "--", sys.executable, str(HERE / "workload.py"), "ddp", "--steps", "1000000", "--pids", str(pids), *delay]
    delay = ["--slow-rank", str(victim), "--slow-by", "500"] if slow else []
    return [peerscope, "bench", "all_reduce", "--backend", name, "-g", str(JOBS[name]), "-b", "256K", "-e", "256K", "-n", "1000", "--rounds", "1000",
            "-c", "0", "--level", "detailed", *delay]


def snapshot(peerscope, env):
    done = subprocess.run([peerscope, "top", "--once", "--json"], env=env, capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout.startswith("{") else {}


class Job:
    """A job that runs, in a runtime folder of its own."""

    def __init__(self, peerscope, name, seconds, slow=False):
        self.peerscope, self.name = peerscope, name
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="peerscope-hang-", dir="/dev/shm"))
        self.env = {**os.environ, "PEERSCOPE_RUNTIME_DIR": str(self.work / "run")}
        self.job = None
        try:
            self.start(seconds, slow)
        except BaseException:  # also when it is interrupted: nothing of the job outlives this
            self.end()
            raise

    def start(self, seconds, slow):
        (self.work / "run").mkdir(mode=0o700)
        pids = self.work / "pids"
        with open(self.work / "output", "w") as output:
            self.job = subprocess.Popen(command(self.peerscope, self.name, pids, slow), env=self.env, stdout=output, stderr=output, start_new_session=True)
        until = time.time() + 120  # PyTorch takes its time to start
        while snapshot(self.peerscope, self.env).get("totals", {}).get("collectives", 0) < 100:
            if time.time() > until or self.job.poll() is not None:
                raise RuntimeError(f"{self.name} does not communicate: {(self.work / 'output').read_text()[-2000:]}")
            time.sleep(0.2)
        time.sleep(seconds)
        self.ranks = json.loads(pids.read_text()) if self.name == "pytorch" else children(self.job.pid)

    def keep_if(self, wanted, folder):
        if wanted and folder:
            folder.mkdir(parents=True, exist_ok=True)
            with tarfile.open(folder / f"{self.name}-{int(time.time())}.tgz", "w:gz", compresslevel=1) as archive:
                archive.add(self.work / "run", "run")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        if self.job:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(self.job.pid, signal.SIGKILL)
            self.job.wait()
        shutil.rmtree(self.work, ignore_errors=True)


def stopped(peerscope, name, seconds, keep):
    with Job(peerscope, name, seconds) as job:
        quiet = subprocess.run([peerscope, "debug", "hang", "--json"], env=job.env, capture_output=True, text=True)
        victim = len(job.ranks) - 1
        begin = time.time()
        os.kill(job.ranks[victim], signal.SIGSTOP)
        done = subprocess.run([peerscope, "debug", "hang", "--wait", "5", "--json"], env=job.env, capture_output=True, text=True)
        after = time.time() - begin
        job.keep_if(done.returncode != 1, keep)
        os.kill(job.ranks[victim], signal.SIGCONT)
        answer = json.loads(done.stdout) if done.stdout.startswith("{") else {"said": done.stdout + done.stderr}
        hang = next(iter(answer.get("hangs", []) + [{"finding": other} for other in answer.get("other_findings", [])]), {})
        named = ((hang.get("finding") or {}).get("subject") or {}).get("rank")
        return {"job": name, "fault": "stopped", "quiet_before": quiet.returncode == 0, "status": done.returncode, "after_s": after, "victim": victim,
                "named": named, "sentence": (hang.get("finding") or {}).get("sentence"), "right": named == victim, "answer": answer}


def slowed(peerscope, name, seconds, keep):
    with Job(peerscope, name, 0, slow=True) as job:
        victim = len(job.ranks) - 1
        begin = time.time()
        found, last = {}, {}
        while not found and time.time() < begin + 10:
            last = snapshot(peerscope, job.env)
            for finding in last.get("findings", []):
                if finding["kind"] == "straggler":
                    found = finding
        after = time.time() - begin
        job.keep_if(not found, keep)
        named = (found.get("subject") or {}).get("rank")
        return {"job": name, "fault": "slowed", "quiet_before": True, "after_s": after, "victim": victim, "named": named,
                "sentence": found.get("sentence"), "right": named == victim,
                "answer": found or {key: last.get(key) for key in ("findings", "ranks", "operations")}}


def main():
    args = parse()
    peerscope = str((args.bundle / "bin" / "peerscope").resolve())
    results = []
    for name in args.jobs.split(","):
        for fault in [{"stopped": stopped, "slowed": slowed}[word] for word in args.faults.split(",")]:
            for _ in range(args.rounds):
                results.append(fault(peerscope, name, args.seconds, args.keep))
                args.out.write_text(json.dumps(results, indent=1))
                last = results[-1]
                verdict = f"rank {last['named']} named after {last['after_s']:.2f} s{'' if last['right'] else ': WRONG'}"
                print(f"{name}: rank {last['victim']} {last['fault']}, {verdict}", flush=True)
    good = all(r["right"] and r["quiet_before"] and (r["fault"] != "stopped" or r["after_s"] <= 1) for r in results)
    sys.exit(0 if good else 1)


main()
