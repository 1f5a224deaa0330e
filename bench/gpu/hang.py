#!/usr/bin/env python3
"""bench/gpu/hang.py BUNDLE OUT.json: a rank is stopped, and who hangs is named: our own backends, and PyTorch over NCCL.

Each job runs some seconds; then one of its processes gets SIGSTOP, and `peerscope debug hang` looks on from outside. What counts is
the time from the signal to the answer, and whether the answer names that rank. --jobs host needs no GPU.
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
JOBS = {"host": 4, "cuda": 2, "pytorch": 2}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=pathlib.Path, help="what `./dev bundle` made, or a build folder")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--jobs", default=",".join(JOBS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="that a job runs before")
    return parser.parse_args()


def children(pid):
    """Of a process, in the order of their ranks: the order in which they were started."""
    found = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def command(peerscope, name, pids):
    if name == "pytorch":
        return [peerscope, "run", "-q", "--", sys.executable, str(HERE / "workload.py"), "ddp", "--steps", "1000000", "--pids", str(pids)]
    return [peerscope, "bench", "all_reduce", "--backend", name, "-g", str(JOBS[name]), "-b", "4M", "-e", "4M", "-n", "1000", "--rounds", "1000",
            "-c", "0", "--level", "detailed"]


def one(peerscope, name, seconds):
    work = pathlib.Path(tempfile.mkdtemp(prefix="peerscope-hang-", dir="/dev/shm"))
    env = {**os.environ, "PEERSCOPE_RUNTIME_DIR": str(work)}
    pids = work / "pids"
    job = subprocess.Popen(command(peerscope, name, pids), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        if name == "pytorch":
            while not pids.exists():
                time.sleep(0.1)
        time.sleep(seconds)
        ranks = json.loads(pids.read_text()) if name == "pytorch" else children(job.pid)
        quiet = subprocess.run([peerscope, "debug", "hang", "--json"], env=env, capture_output=True, text=True)
        victim = len(ranks) - 1
        begin = time.time()
        os.kill(ranks[victim], signal.SIGSTOP)
        done = subprocess.run([peerscope, "debug", "hang", "--wait", "5", "--json"], env=env, capture_output=True, text=True)
        after = time.time() - begin
        os.kill(ranks[victim], signal.SIGCONT)
        answer = json.loads(done.stdout) if done.stdout.startswith("{") else {"said": done.stdout + done.stderr}
        hang = next(iter(answer.get("hangs", [])), {})
        named = ((hang.get("finding") or {}).get("subject") or {}).get("rank")
        return {"job": name, "quiet_before": quiet.returncode == 0, "status": done.returncode, "after_s": after, "stopped": victim, "named": named,
                "right": named == victim, "answer": answer}
    finally:
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()
        shutil.rmtree(work, ignore_errors=True)


def main():
    args = parse()
    peerscope = str((args.bundle / "bin" / "peerscope").resolve())
    results = []
    for name in args.jobs.split(","):
        for _ in range(args.rounds):
            results.append(one(peerscope, name, args.seconds))
            args.out.write_text(json.dumps(results, indent=1))
            last = results[-1]
            print(f"{name}: rank {last['stopped']} stopped, rank {last['named']} named after {last['after_s']:.2f} s{'' if last['right'] else ': WRONG'}", flush=True)
    good = all(r["right"] and r["quiet_before"] and r["after_s"] <= 1.5 for r in results)
    sys.exit(0 if good else 1)


main()
