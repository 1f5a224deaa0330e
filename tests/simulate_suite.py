#!/usr/bin/env python3
"""simulate_suite.py PEERSCOPE SOURCE: the detectors under simulated faults, with a seed that nobody has tuned them for.

The seed is the commit. A suite is a sample: one wrong case of two hundred is no news here, several are. The goals themselves are
judged by `peerscope simulate --suite`, whose table this prints.
"""
import json
import os
import subprocess
import sys

LEAST = 0.97

peerscope, source = sys.argv[1:]
commit = subprocess.run(["git", "-C", source, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
seed = int(commit[:7] or "1", 16)
done = subprocess.run([peerscope, "simulate", "--suite", "--seed", str(seed), "--json"], capture_output=True, text=True)
if done.returncode not in (0, 1):
    sys.exit(f"seed {seed}: status {done.returncode}: {done.stderr}")
result = json.loads(done.stdout)
for fault in result["per_fault"]:
    print("{fault:<20} cases {cases:>3}  precision {precision}  recall {recall}  localisation {localisation}".format(**fault))
print(f"seed {seed}: {result['cases']} cases, precision {result['precision']:.4f}, recall {result['recall']:.4f}, "
      f"localisation {result['localisation']:.4f}, hang named after {result['hang_delay_s']:.2f} s")
bad = [key for key in ("precision", "recall", "localisation") if result[key] < LEAST]
if result["cases"] < 200:
    bad.append("cases")
if result["hang_delay_s"] > 1:
    bad.append("hang_delay_s")
sys.exit(f"missed: {', '.join(bad)}" if bad else 0)
