#!/usr/bin/env python3
"""dashboard.py PEERSCOPE SOURCE WHAT: `peerscope demo --serve` as others use it.

pages       every page in a browser, behind a token (web/tests/pages.mjs)
timeline    timeline and topology in a browser (web/tests/timeline.mjs)
prometheus  a real Prometheus scrapes /metrics (tests/prometheus_scrape.py)
speed       from start to figures that move, and to the first paint; the size of what the browser fetches

Exit status 77: what it needs is not here (web/node_modules, Chromium, Prometheus).
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

peerscope, source, what = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
web = source / "web"


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def serve(work, *options):
    env = {**os.environ, "PEERSCOPE_RUNTIME_DIR": str(work / "run"), "PEERSCOPE_STATE_DIR": str(work / "state")}
    (work / "run").mkdir(mode=0o700, exist_ok=True)
    process = subprocess.Popen([peerscope, "demo", "--serve", "--port", "0", "--json", *options], env=env, stdout=subprocess.PIPE, text=True)
    try:
        return process, json.loads(process.stdout.readline())
    except ValueError:  # it says why on standard error
        process.kill()
        process.wait()
        raise


def get(url, token=None):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def in_browser(work, script, options, environment):
    if not (web / "node_modules" / "playwright-core").is_dir():
        skip("web/node_modules is not there: ./dev build fetches it")
    if not shutil.which("chromium"):
        skip("chromium is not installed")
    process, where = serve(work, *options)
    try:
        if b"peerscope serve" in get(where["url"]):
            skip("the dashboard is not built in")
        env = {**os.environ, **environment, "PEERSCOPE_URL": where["url"] + "/", "PEERSCOPE_WAIT_MS": "45000"}
        return subprocess.run(["node", f"tests/{script}", *([where["url"]] if script == "timeline.mjs" else [])], cwd=web, env=env).returncode
    finally:
        process.terminate()
        process.wait()


def pages(work):
    token = "a-token-of-the-test"
    (work / "token").write_text(token + "\n")
    return in_browser(work, "pages.mjs", ["--set", f"dashboard.token_file={work / 'token'}"], {"PEERSCOPE_TOKEN": token})


def timeline(work):
    return in_browser(work, "timeline.mjs", [], {})


def prometheus(work):
    process, where = serve(work)
    try:
        env = {**os.environ, "PEERSCOPE_METRICS_URL": where["url"] + "/metrics"}
        return subprocess.run([sys.executable, str(source / "tests" / "prometheus_scrape.py"), "-", str(source)], env=env).returncode
    finally:
        process.terminate()
        process.wait()


def speed(work):
    begin = time.monotonic()
    process, where = serve(work)
    try:
        while not (json.loads(get(where["url"] + "/api/v1/overview?window=1s"))["operations_per_s"] or 0) > 0:
            time.sleep(0.01)
        took = time.monotonic() - begin
    finally:
        process.terminate()
        process.wait()
    print(f"figures move {took:.2f} s after the start; goal 2 s")
    return 0 if took <= 2 * (4 if os.environ.get("CI") else 1) else 1


with tempfile.TemporaryDirectory(prefix="peerscope-dashboard-", dir="/dev/shm") as folder:
    sys.exit({"pages": pages, "timeline": timeline, "prometheus": prometheus, "speed": speed}[what](pathlib.Path(folder)))
