#!/usr/bin/env python3
"""prometheus_scrape.py METRICS_SAMPLE SOURCE: a real Prometheus scrapes our metrics, answers each query of the dashboard and
judges each rule.

Scraped is $PEERSCOPE_METRICS_URL (http://HOST:PORT/metrics) if it is set, else a server in here that shows a made-up job which
goes on. Exit status 77: Prometheus is not here (Debian: prometheus).
"""
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

sample, source = sys.argv[1], pathlib.Path(sys.argv[2])
PATIENCE_S = 60
# What must have an answer, whoever is scraped.
ALWAYS = ["peerscope_build_info", "peerscope_series_limit", "sum(peerscope_findings)", "peerscope_records_delivered_total"]
# What the made-up job has. It moves on by half a second of its own time a scrape.
OF_THE_JOB = {
    "sum(rate(peerscope_operations_total[30s])) > 0": None,
    'histogram_quantile(0.5, sum by (le) (rate(peerscope_collective_transfer_seconds_bucket{clock="host"}[30s])))': (8.1e-6, 16.4e-6),
    'peerscope_finding{kind="straggler",rank="2"}': (1, 1),
    "rate(peerscope_user_tokens_total[30s]) > 0": None,
    'peerscope_communicator_ranks{communicator="nccl \\"world\\""}': (2, 2),
}
MAY_BE_EMPTY = ("XID", "Operations that failed", "Failures", "NVLinks that", "Errors since")


class Job(http.server.BaseHTTPRequestHandler):
    steps = 1
    accepted: set[str] = set()

    def do_GET(self):
        Job.steps += 1
        modern = "application/openmetrics-text" in self.headers.get("Accept", "")
        kind = "application/openmetrics-text; version=1.0.0" if modern else "text/plain; version=0.0.4"
        Job.accepted.add(kind)
        body = subprocess.run([sample, "openmetrics-all" if modern else "prometheus-all", str(Job.steps)],
                              capture_output=True, check=True).stdout
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(base: str, path: str, **parameters):
    url = f"{base}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        if error.code == 503:  # it is still starting: an OSError, which wait_for waits out
            raise
        sys.exit(f"{parameters}: {error.read().decode()}")


def values(base: str, query: str) -> list[float]:
    return [float(series["value"][1]) for series in ask(base, "query", query=query)["result"]]


def wait_for(what: str, condition) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.3)
    sys.exit(f"after {PATIENCE_S} s: not {what}")


def configuration(folder: pathlib.Path, url: urllib.parse.ParseResult) -> pathlib.Path:
    shutil.copy(source / "integrations/prometheus/peerscope.rules.yml", folder)
    file = folder / "prometheus.yml"
    file.write_text(f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [peerscope.rules.yml]
scrape_configs:
  - job_name: peerscope
    scheme: {url.scheme}
    metrics_path: {url.path or '/metrics'}
    static_configs: [{{targets: ["{url.netloc}"]}}]
""")
    return file


def dashboard_queries():
    board = json.loads((source / "integrations/grafana/peerscope.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"].replace("$__rate_interval", "30s")
            for variable in ("session", "instance", "communicator", "rank"):
                query = query.replace(f"${variable}", ".*")
            yield panel["title"], query


def check(base: str, own_job: bool) -> None:
    wait_for("up", lambda: values(base, 'up{job="peerscope"}') == [1])
    for query in ALWAYS:
        wait_for(f"there: {query}", lambda: values(base, query))
    for query, between in OF_THE_JOB.items() if own_job else ():
        wait_for(f"there: {query}", lambda: values(base, query))
        got = values(base, query)[0]
        if between and not between[0] <= got <= between[1]:
            sys.exit(f"{query} is {got}, not between {between[0]} and {between[1]}")
    count = 0
    for title, query in dashboard_queries():
        answer = ask(base, "query", query=query)["result"]
        if own_job and not answer and not title.startswith(MAY_BE_EMPTY):
            wait_for(f"an answer for panel {title}: {query}", lambda: values(base, query))
        count += 1
    wait_for("rules judged", lambda: all(
        rule["health"] == "ok" for group in ask(base, "rules")["groups"] for rule in group["rules"]))
    rules = sum(len(group["rules"]) for group in ask(base, "rules")["groups"])
    series = int(values(base, 'scrape_samples_scraped{job="peerscope"}')[0])
    took = values(base, 'scrape_duration_seconds{job="peerscope"}')[0]
    print(f"scraped {series} samples in {took * 1e3:.0f} ms; {count} queries of the dashboard, {rules} rules")


if not shutil.which("prometheus"):
    print("prometheus is not here (Debian: prometheus)")
    sys.exit(77)
wanted = os.environ.get("PEERSCOPE_METRICS_URL")
server = None
if not wanted:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Job)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    wanted = f"http://127.0.0.1:{server.server_port}/metrics"
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    port = free_port()
    with open(folder / "log", "w") as log:
        prometheus = subprocess.Popen(
            ["prometheus", f"--config.file={configuration(folder, urllib.parse.urlparse(wanted))}",
             f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        check(f"http://127.0.0.1:{port}", own_job=server is not None)
    except SystemExit:
        print((folder / "log").read_text()[-3000:])
        raise
    finally:
        prometheus.terminate()
        prometheus.wait()
if server and Job.accepted != {"application/openmetrics-text; version=1.0.0"}:
    sys.exit(f"Prometheus did not ask for OpenMetrics: {Job.accepted}")
