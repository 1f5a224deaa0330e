#!/usr/bin/env python3
"""metrics_lint.py METRICS_SAMPLE SOURCE: what Prometheus' own tools say of our metrics, scrape configuration and rules.

promtool (Debian: prometheus) lints the text, and checks and runs the rules; the reference parser of OpenMetrics (Debian:
python3-prometheus-client) reads the rest strictly. Exit status 77: promtool is not here.
"""
import re
import shutil
import subprocess
import sys

sample, source = sys.argv[1:]
STRICT = """
import sys
from prometheus_client.openmetrics import parser
families = list(parser.text_string_to_metric_families(sys.stdin.read()))
print(len(families), "families,", sum(len(f.samples) for f in families), "samples by the strict parser")
"""


def text_of(form: str) -> str:
    return subprocess.run([sample, form], capture_output=True, text=True, check=True).stdout


def must_pass(words: list[str], given: str | None = None, cwd: str | None = None) -> None:
    done = subprocess.run(words, input=given, capture_output=True, text=True, cwd=cwd)
    said = (done.stdout + done.stderr).strip()
    if done.returncode != 0 or (given and words[0] == "promtool" and said):
        sys.exit(f"{' '.join(words[:3])}: status {done.returncode}\n{said}")
    print(said or f"{' '.join(words)}: clean")


def parser_python() -> str | None:
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import prometheus_client.openmetrics"], capture_output=True).returncode == 0:
            return python
    return None


if not shutil.which("promtool"):
    print("promtool is not here (Debian: prometheus)")
    sys.exit(77)
must_pass(["promtool", "check", "metrics"], text_of("prometheus"))
# The names of others, and those that programs give, may break the guide's rules, but must be readable: status 3 is lint only.
for form in ("prometheus-all", "prometheus-hostile"):
    done = subprocess.run(["promtool", "check", "metrics"], input=text_of(form), capture_output=True, text=True)
    ours = [line for line in (done.stderr + done.stdout).splitlines() if re.match(r"peerscope_(?!user_)", line)]
    if done.returncode not in (0, 3) or ours:
        sys.exit(f"{form}: {done.stdout}{done.stderr}")
if python := parser_python():
    for form in ("openmetrics", "openmetrics-all", "openmetrics-hostile"):
        must_pass([python, "-c", STRICT], text_of(form))
else:
    print("the strict parser is not here (Debian: python3-prometheus-client)")
folder = f"{source}/integrations/prometheus"
must_pass(["promtool", "check", "config", "prometheus.yml"], cwd=folder)
must_pass(["promtool", "check", "rules", "peerscope.rules.yml"], cwd=folder)
must_pass(["promtool", "test", "rules", "peerscope.rules_test.yml"], cwd=folder)
