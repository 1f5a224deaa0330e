#!/usr/bin/env python3
"""bench/serve.py PEERSCOPE OUT.md: what the web server costs and how soon it tells.

start   `demo --serve`: from start to figures that move
live    two threads that record 500,000 operations a second each, an event ten times a second, 200 clients of the event stream:
        how old an event is when a client has it, what the server takes of a processor and of memory, how soon it answers
screen  the same load and clients, and a browser (CHROMIUM names it): how old an event is when it is painted; frames a second
file    a trace of 100 million operations: until it is indexed, memory, and each resource's p50 and p99

Every figure is measured in this run. What stands above the line `<!-- measured -->` of an OUT.md is kept: it is written by hand.
--parts start,live,screen,file; --millions N; --seconds S.
"""
import argparse
import asyncio
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time

RESOURCES = [
    "/api/v1/overview", "/api/v1/overview?history=60", "/api/v1/session", "/api/v1/findings", "/api/v1/ranks", "/api/v1/pairs",
    "/api/v1/operation-stats", "/api/v1/topology", "/api/v1/in-flight", "/api/v1/events", "/api/v1/operations?limit=100",
    "/api/v1/operations?limit=100&order=newest", "/api/v1/operations?limit=100&status=error", "/api/v1/collectives?limit=100",
    "/api/v1/aggregates", "/api/v1/aggregates?by=operation", "/api/v1/aggregates?by=operation,algorithm,size",
    "/api/v1/aggregates?by=rank", "/api/v1/aggregates?by=rank,peer", "/api/v1/aggregates?by=operation&points=200",
    "/api/v1/aggregates?by=rank&points=100", "/api/v1/percentiles?by=operation", "/api/v1/heatmap?columns=200",
    "/api/v1/timeline?bins=1000", "/metrics"]

MEASURED = "<!-- measured -->\n"


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


class Server:
    def __init__(self, command, env):
        self.began = time.perf_counter()
        self.process = subprocess.Popen([*command, "--port", "0", "--json"], env=env, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        try:
            self.port = json.loads(line)["port"]
        except ValueError:
            if line:
                self.process.kill()
            sys.exit(f"{' '.join(command)} ended with {self.process.wait()}, having said {line!r}")
        self.ready_s = time.perf_counter() - self.began
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.asked = time.monotonic()

    def get(self, path):
        if time.monotonic() - self.asked > 5:  # the server closes what is idle
            self.connection.close()
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        self.asked = time.monotonic()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]}")
        return body

    def json(self, path):
        return json.loads(self.get(path))

    def cpu_s(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self):
        """Resident: its own (anonymous), the jobs' rings that it maps (shared), the program (file)."""
        status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines() if ":" in line)
        return {name: int(status[key].split()[0]) / 1e3 for name, key in (("own", "RssAnon"), ("rings", "RssShmem"), ("program", "RssFile"))}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def times_of(server, path, rounds, most_s):
    values = []
    end = time.perf_counter() + most_s
    server.get(path)
    while len(values) < rounds and time.perf_counter() < end:
        begin = time.perf_counter()
        server.get(path)
        values.append((time.perf_counter() - begin) * 1e3)
    return values


def resources_table(server, rounds, most_s):
    rows = ["| resource | answers | p50 ms | p99 ms | max ms | KB |", "|---|---|---|---|---|---|"]
    worst = 0
    for path in RESOURCES:
        values = times_of(server, path, rounds, most_s)
        worst = max(worst, percentile(values, 0.99))
        rows.append(f"| `{path}` | {len(values)} | {percentile(values, 0.5):.2f} | {percentile(values, 0.99):.2f} | {max(values):.2f} | "
                    f"{len(server.get(path)) / 1024:.1f} |")
    return rows, worst


def part_start(peerscope, env, _):
    ready, live = [], []
    for _ in range(5):
        with Server([peerscope, "demo", "--serve"], env) as server:
            while not (server.json("/api/v1/overview?window=1s")["operations_per_s"] or 0) > 0:
                time.sleep(0.01)
            live.append(time.perf_counter() - server.began)
            ready.append(server.ready_s)
    return [f"`peerscope demo --serve`, 5 starts: the page is served after {percentile(ready, 0.5):.2f} s (most {max(ready):.2f}), its figures move after "
            f"**{percentile(live, 0.5):.2f} s** (most {max(live):.2f}); goal 2 s."], {"start_s": max(live)}


def record_events(library, runtime, stop):
    """An event ten times a second, by the library's own interface."""
    class Options(ctypes.Structure):
        _fields_ = [("size", ctypes.c_size_t), ("name", ctypes.c_char_p), ("session", ctypes.c_char_p), ("runtime_dir", ctypes.c_char_p),
                    ("level", ctypes.c_int)]
    lib = ctypes.CDLL(library)
    lib.pscope_open.restype = ctypes.c_void_p
    lib.pscope_name.restype = ctypes.c_uint16
    lib.pscope_name.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    lib.pscope_event.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint16, ctypes.c_uint16, ctypes.c_int64]
    lib.pscope_close.argtypes = [ctypes.c_void_p]
    options = Options(ctypes.sizeof(Options), b"events", b"events", runtime.encode(), 2)
    session = lib.pscope_open(ctypes.byref(options), None)
    name = lib.pscope_name(session, b"tick")
    number = 0
    while not stop.is_set():
        number += 1
        lib.pscope_event(session, 2, name, 0, number)
        time.sleep(0.1)
    lib.pscope_close(session)


async def client(port, start_unix_ns, ages, end):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(f"GET /api/v1/stream?topics=overview,findings,events,in_flight HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n".encode())
    kind = ""
    while time.time() < end:
        try:
            line = await asyncio.wait_for(reader.readline(), max(0.1, end - time.time()))
        except asyncio.TimeoutError:
            break
        if not line:
            raise RuntimeError("the server closed a stream")
        if line.startswith(b"event: "):
            kind = line[7:].strip().decode()
        elif line.startswith(b"data: ") and kind == "events":
            now = time.time_ns()
            for item in json.loads(line[6:])["items"]:
                if item["kind"] == "tick":
                    ages.append((now - start_unix_ns - item["t_ns"]) / 1e6)
    writer.close()


async def clients(count, *args):
    await asyncio.gather(*(client(*args) for _ in range(count)))


def watched(server, start_unix_ns, count, seconds):
    ages = []
    before, cpu = server.json("/api/v1/session"), server.cpu_s()
    begin = time.time()
    asyncio.run(clients(count, server.port, start_unix_ns, ages, begin + seconds))
    wall = time.time() - begin
    after = server.json("/api/v1/session")
    rate = (after["operations"] - before["operations"]) / wall
    lost = after["lost"] - before["lost"]
    return {"clients": count, "ages": ages, "cores": (server.cpu_s() - cpu) / wall, "memory": server.memory_mb(), "rate": rate, "lost": lost}


def live_tables(server, seconds):
    start_unix_ns = int(server.json("/api/v1/session")["start_unix_ns"])
    time.sleep(2)
    rows = ["| clients | operations/s | lost | server, cores | resident MB | of it own | the job's rings | program | event age p50 ms | p99 ms | max ms |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    worst = {}
    for count in (1, 200):
        w = watched(server, start_unix_ns, count, seconds)
        rows.append(f"| {count} | {w['rate']:,.0f} | {w['lost']} | {w['cores']:.2f} | {sum(w['memory'].values()):.0f} | {w['memory']['own']:.0f} | {w['memory']['rings']:.0f} | {w['memory']['program']:.0f} | {percentile(w['ages'], 0.5):.0f} | "
                    f"{percentile(w['ages'], 0.99):.0f} | {max(w['ages']):.0f} |")
        worst = {"age_p99_ms": percentile(w["ages"], 0.99), "cores": w["cores"], "own_mb": w["memory"]["own"], "rate": w["rate"]}
    table, slowest = resources_table(server, 200, 1.0)
    worst["live_p99_ms"] = slowest
    return [*rows, "", "While that goes on, one client asks (no other):", "", *table], worst


@contextlib.contextmanager
def under_load(peerscope, env, seconds):
    """A server over two threads that record 500,000 operations a second each, and one that reports an event ten times a second."""
    runtime = env["PEERSCOPE_RUNTIME_DIR"]
    library = next(str(p) for p in [pathlib.Path(peerscope).parent.parent / "lib" / "libpeerscope.so"] if p.exists())
    stop = threading.Event()
    ticker = threading.Thread(target=record_events, args=(library, runtime, stop), daemon=True)
    load = subprocess.Popen([peerscope, "bench", "delivery", "--threads", "2", "--rate", "5e5", "--seconds", str(seconds)], env=env,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ticker.start()
    try:
        time.sleep(1)
        with Server([peerscope, "serve", "all"], env) as server:
            yield server
    finally:
        stop.set()
        load.kill()
        load.wait()
        ticker.join(timeout=5)


def part_live(peerscope, env, options):
    with under_load(peerscope, env, 3 * options.seconds + 20) as server:
        return live_tables(server, options.seconds)


def part_screen(peerscope, env, options):
    """In a browser, with 200 clients of the stream beside it."""
    script = pathlib.Path(__file__).resolve().parent.parent / "web" / "tests" / "screen.mjs"
    seconds = options.seconds
    with under_load(peerscope, env, 2 * seconds + 60) as server:
        start_unix_ns = int(server.json("/api/v1/session")["start_unix_ns"])
        time.sleep(2)
        browser = subprocess.Popen(["node", str(script), f"http://127.0.0.1:{server.port}/", str(seconds)], stdout=subprocess.PIPE, text=True)
        try:
            w = watched(server, start_unix_ns, 200, 2 * seconds + 5)
            text, _ = browser.communicate(timeout=120)
        finally:
            browser.kill()
    if browser.returncode != 0:
        raise RuntimeError(f"screen.mjs ended with {browser.returncode}")
    seen = json.loads(text)
    if seen["faults"]:
        raise RuntimeError(f"the page threw: {seen['faults']}")
    ages, own = seen["samples_ms"], seen["page_ms"]
    lines = [f"Chromium {seen['browser']} beside 200 clients of the stream, {w['rate']:,.0f} operations a second ({w['lost']} lost), the server {w['cores']:.2f} cores.", "",
             "| event to the screen | p50 ms | p99 ms | max ms |", "|---|---|---|---|",
             f"| from happening to painted, {len(ages)} events | **{percentile(ages, 0.5):.0f}** | {percentile(ages, 0.99):.0f} | {max(ages):.0f} |",
             f"| of that from the wire to painted | {percentile(own, 0.5):.1f} | {percentile(own, 0.99):.1f} | {max(own):.1f} |", "",
             f"The overview meanwhile: {seen['fps']} frames a second, the longest gap between two {seen['longest_gap_ms']} ms."]
    return lines, {"screen_p50_ms": percentile(ages, 0.5), "screen_max_ms": max(ages), "fps": seen["fps"]}


def part_file(peerscope, env, options):
    path = pathlib.Path(options.work) / "big.pscope"
    subprocess.run([peerscope, "bench", "trace", "-n", str(options.millions), "--keep", str(path)], env=env, check=True, stdout=subprocess.DEVNULL)
    with Server([peerscope, "serve", str(path)], env) as server:
        first = percentile(times_of(server, "/api/v1/operations?limit=100", 20, 1), 0.5)
        begin = server.began
        while server.json("/api/v1/health")["indexed_share"] < 1:
            time.sleep(0.1)
        indexed = time.perf_counter() - begin
        table, slowest = resources_table(server, 200, 2.0)
        text = [f"{options.millions} million operations, {path.stat().st_size / 1e6:.0f} MB. Served after {server.ready_s:.2f} s; the first page took {first:.1f} ms "
                f"while the index was being made, which took {indexed:.1f} s. Its own memory {server.memory_mb()['own']:.0f} MB.", "", *table]
    path.unlink()
    return text, {"file_p99_ms": slowest, "indexed_s": indexed}


def above(out):
    """What people have written into OUT.md, down to the line below which this writes."""
    before, mark, _ = (out.read_text() if out.exists() else "").partition("\n" + MEASURED)
    if mark:
        return before + mark
    return ("# The web server\n\n`bench/serve.py`. Ages are from an event's own time to its arrival at a client on the same machine.\n\n" + MEASURED)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peerscope")
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--parts", default="start,live,file")
    parser.add_argument("--millions", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    parts = {"start": part_start, "live": part_live, "screen": part_screen, "file": part_file}
    titles = {"start": "From start to figures", "live": "1,000,000 operations a second, live", "screen": "On the screen, at 1,000,000 operations a second", "file": "A recording"}
    text, figures = [f"Measured {time.strftime('%Y-%m-%d')}: {os.cpu_count()} processors, {platform.machine()}, Linux {platform.release().split('-')[0]}.\n"], {}
    for part in options.parts.split(","):  # what one leaves behind is no part of the next
        with tempfile.TemporaryDirectory(prefix="peerscope-serve-") as work, tempfile.TemporaryDirectory(prefix="peerscope-rt-", dir="/dev/shm") as runtime:
            options.work = work
            env = {**os.environ, "PEERSCOPE_RUNTIME_DIR": runtime, "PEERSCOPE_STATE_DIR": work}
            lines, found = parts[part](str(pathlib.Path(options.peerscope).resolve()), env, options)
        text += [f"## {titles[part]}\n", *lines, ""]
        figures.update(found)
        print("\n".join(lines), flush=True)
    options.out.write_text(above(options.out) + "\n" + "\n".join(text))
    print(json.dumps(figures))


main()
