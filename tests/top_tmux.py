#!/usr/bin/env python3
"""peerscope top in a real terminal (tmux): keys, mouse, sizes, no colour, and that the terminal is given back. Usage: top_tmux.py PEERSCOPE"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PEERSCOPE = os.path.abspath(sys.argv[1])
COLOUR = re.compile(r"\x1b\[[0-9;:]*\b(3[0-8]|4[0-8]|9[0-7]|10[0-7])\b[0-9;:]*m")


class Terminal:
    """A shell in a tmux of its own, that nobody else knows."""

    def __init__(self, folder: pathlib.Path, environment: dict, width: int, height: int):
        self.tmux = ["tmux", "-u", "-L", f"peerscope-top-{os.getpid()}", "-f", "/dev/null"]
        self.environment = environment
        subprocess.run([*self.tmux, "new-session", "-d", "-x", str(width), "-y", str(height), "-c", str(folder), "sh", "-i"],
                       check=True, env=environment)
        self.run("set-option", "-g", "window-size", "manual")
        self.run("resize-window", "-x", str(width), "-y", str(height))

    def run(self, *words: str) -> str:
        return subprocess.run([*self.tmux, *words], check=True, env=self.environment, capture_output=True, text=True).stdout

    def keys(self, *keys: str):
        self.run("send-keys", *keys)

    def type(self, text: str):
        self.run("send-keys", "-l", text)

    def pane(self, *options: str) -> str:
        return self.run("capture-pane", "-p", *options)

    def asks(self, what: str) -> str:
        return self.run("display-message", "-p", "#{" + what + "}").strip()

    def wait(self, what: str, holds, seconds: float = 10) -> str:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pane = self.pane()
            if holds(pane):
                return pane
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within {seconds} s. The pane:\n{self.pane()}")

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], env=self.environment, capture_output=True, check=False)


def start_demo(environment: dict) -> subprocess.Popen:
    demo = subprocess.Popen([PEERSCOPE, "demo", "--duration", "200", "--quiet"], env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    for _ in range(200):
        found = subprocess.run([PEERSCOPE, "sessions", "--json"], env=environment, capture_output=True, text=True, check=False).stdout
        if found and any(s.get("state") == "live" for s in json.loads(found)["sessions"]):
            return demo
        time.sleep(0.05)
    raise AssertionError("the demo's session does not appear")


def stop(demo: subprocess.Popen):
    if demo.poll() is None:
        os.killpg(demo.pid, signal.SIGKILL)  # the demo and its ranks, which are all in its group
    demo.wait()


def begin_top(terminal: Terminal, before: str = "", options: str = "--interval 250ms"):
    terminal.type(f"clear; echo before-top; {before} {PEERSCOPE} top {options}; echo status=$?")
    terminal.keys("Enter")


def wait_for_findings(terminal: Terminal):
    terminal.wait("the finding", lambda pane: "1 Overview" in pane and re.search(r"[■▲] Rank 2 arrives", pane), 30)


def expect_given_back(terminal: Terminal, status: int):
    pane = terminal.wait("the shell again", lambda pane: "status=" in pane)
    assert f"status={status}" in pane and "before-top" in pane, pane
    assert "Overview" not in pane, pane
    assert terminal.asks("alternate_on") == "0" and terminal.asks("cursor_flag") == "1", "the other screen, or no cursor"
    assert terminal.asks("mouse_any_flag") == "0", "the mouse is still caught"
    terminal.type("echo typed-again")
    terminal.keys("Enter")
    terminal.wait("echo of what is typed", lambda pane: pane.count("typed-again") >= 2)


def rows(pane: str) -> list[str]:
    """The first words of a table's rows, without marks."""
    lines = [re.sub(r"[●▲■]", " ", line) for line in pane.splitlines()[3:-1]]
    table = []
    for line in lines:
        if not line.strip():
            break
        table.append(line.split()[0])
    return table


def check_sort(terminal: Terminal):
    terminal.keys("3")
    terminal.wait("ranks", lambda pane: "came last" in pane)
    for _ in range(20):
        if "late p50↓" in terminal.pane():
            break
        before = terminal.pane().splitlines()[2]
        terminal.keys("s")
        terminal.wait("another column", lambda pane: pane.splitlines()[2] != before)
    terminal.wait("the late rank first", lambda pane: "late p50↓" in pane and rows(pane)[:1] == ["2"])
    terminal.keys("S")
    terminal.wait("the late rank last", lambda pane: "late p50↑" in pane and rows(pane)[3:4] == ["2"])


def check_mouse(terminal: Terminal):
    head = terminal.pane().splitlines()[2]
    column = head.index("rank") + 1
    terminal.type(f"\x1b[<0;{column};3M\x1b[<0;{column};3m")
    terminal.wait("sorted by rank, by a click", lambda pane: "rank↓" in pane and rows(pane)[:1] == ["3"])
    tabs = terminal.pane().splitlines()[1]
    column = tabs.index("2 Operations") + 1
    terminal.type(f"\x1b[<0;{column};2M")
    terminal.wait("operations, by a click", lambda pane: "busbw" in pane)


def check_filter(terminal: Terminal):
    terminal.keys("2")
    terminal.wait("all operations", lambda pane: {"all_reduce", "gather"} <= set(rows(pane)))
    terminal.type("/GATH")
    terminal.wait("only what matches", lambda pane: "filter: GATH" in pane and set(rows(pane)) == {"gather"})
    terminal.keys("Escape")
    terminal.wait("all again", lambda pane: {"all_reduce", "gather"} <= set(rows(pane)))


def check_overlays(terminal: Terminal):
    terminal.keys("?")
    terminal.wait("help", lambda pane: "╭ keys" in pane and "another page" in pane)
    terminal.keys("Escape")
    terminal.wait("no help", lambda pane: "╭ keys" not in pane)
    terminal.keys("Enter")
    terminal.wait("details", lambda pane: "╭ operation" in pane and "p99.9" in pane)
    terminal.keys("Escape")
    terminal.wait("no details", lambda pane: "╭ operation" not in pane)


def check_pause(terminal: Terminal):
    terminal.keys("p")
    terminal.wait("paused", lambda pane: "▮▮ paused" in pane)
    time.sleep(0.3)
    before = terminal.pane()
    time.sleep(1)
    assert terminal.pane() == before, "something moved while paused"
    terminal.keys("Space")
    terminal.wait("live again", lambda pane: "● live" in pane)


def check_sizes(terminal: Terminal):
    for width, height in ((40, 10), (20, 4), (200, 60), (80, 24)):
        terminal.run("resize-window", "-x", str(width), "-y", str(height))
        for page in "1234567":
            terminal.keys(page)
            whole = "overhead" if width >= 40 else ""  # drawn for this size: it ends in what is lost
            pane = terminal.wait(f"page {page} at {width} x {height}",
                                 lambda pane: whole in pane.splitlines()[0] and re.search(r"lost [0-9 ]+$", pane.splitlines()[0]) and f" {page} " in pane.splitlines()[1])
            lines = pane.splitlines()
            assert len(lines) <= height and all(len(line) <= width for line in lines), pane


def check_export(terminal: Terminal, folder: pathlib.Path):
    terminal.keys("2")
    terminal.wait("operations", lambda pane: "busbw" in pane)
    terminal.keys("e")
    terminal.wait("where it was written", lambda pane: "wrote /" in pane)
    (file,) = folder.glob("peerscope-top-operations-*.csv")
    lines = file.read_text().splitlines()
    assert lines[0].startswith("operation,size_bytes,") and any(line.startswith("all_reduce,") for line in lines[1:]), lines
    terminal.keys("E")
    terminal.wait("JSON, too", lambda pane: ".json" in pane)
    (file,) = folder.glob("peerscope-top-operations-*.json")
    assert {row["operation"] for row in json.loads(file.read_text())["rows"]} >= {"all_reduce"}


def check_suspend(terminal: Terminal):
    terminal.keys("C-z")
    terminal.wait("the shell, meanwhile", lambda pane: "before-top" in pane and "Overview" not in pane)
    terminal.type("clear; echo before-top; fg; echo status=$?")
    terminal.keys("Enter")
    terminal.wait("all of it again", lambda pane: "1 Overview" in pane and "busbw" in pane and "overhead" in pane)


def check_no_colour(terminal: Terminal):
    begin_top(terminal, "NO_COLOR=1")
    wait_for_findings(terminal)
    for page in "1234567":
        terminal.keys(page)
        terminal.wait(f"page {page}", lambda pane: f" {page} " in pane.splitlines()[1])
        assert not COLOUR.search(terminal.pane("-e")), f"page {page} has colours"
    terminal.keys("q")
    expect_given_back(terminal, 0)
    begin_top(terminal, "LC_ALL=C")
    terminal.wait("marks of ASCII", lambda pane: "1 Overview" in pane and "Rank 2 arrives" in pane, 30)
    assert terminal.pane().isascii(), terminal.pane()
    terminal.keys("C-c")
    expect_given_back(terminal, 0)


def check_text(terminal: Terminal, folder: pathlib.Path):
    begin_top(terminal, "TERM=dumb", "--once")
    pane = terminal.wait("text", lambda pane: "status=0" in pane)
    assert "overhead" in pane, pane
    terminal.type("clear")
    terminal.keys("Enter")
    terminal.wait("an empty screen", lambda pane: "overhead" not in pane)
    begin_top(terminal, "TERM=dumb", "2>reason")
    terminal.wait("text instead of a screen", lambda pane: "monitor: level" in pane)
    assert "cannot be drawn on, so here is text" in (folder / "reason").read_text()
    assert terminal.asks("alternate_on") == "0"
    terminal.keys("C-c")
    terminal.wait("its end", lambda pane: "status=0" in pane)


def child_named(parent: int, name: str) -> int:
    for child in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if pathlib.Path(f"/proc/{child}/comm").read_text().strip() == name:
            return int(child)
    raise AssertionError(f"no child {name} of {parent}")


def check_signals(terminal: Terminal, demo: subprocess.Popen):
    for number, status in ((signal.SIGTERM, 0), (signal.SIGSEGV, 139)):
        begin_top(terminal)
        wait_for_findings(terminal)
        os.kill(child_named(int(terminal.asks("pane_pid")), "peerscope"), number)
        expect_given_back(terminal, status)
    begin_top(terminal)
    wait_for_findings(terminal)
    stop(demo)  # killed: what is watched goes without a word
    terminal.wait("that the session died", lambda pane: "■ died" in pane)
    terminal.keys("q")
    expect_given_back(terminal, 0)


def check(folder: pathlib.Path):
    environment = {**os.environ, "PEERSCOPE_RUNTIME_DIR": str(folder / "run"), "PEERSCOPE_STATE_DIR": str(folder / "state"), "LC_ALL": "C.UTF-8",
                   "PS1": "$ ", "ENV": "", "PEERSCOPE_SOURCE__NVML": "false"}
    for name in ("NO_COLOR", "TMUX", "TMUX_PANE", "PEERSCOPE_SESSION"):
        environment.pop(name, None)
    demo = start_demo(environment)
    terminal = Terminal(folder, environment, 100, 30)
    try:
        begin_top(terminal)
        wait_for_findings(terminal)
        check_sort(terminal)
        check_mouse(terminal)
        check_filter(terminal)
        check_overlays(terminal)
        check_pause(terminal)
        check_export(terminal, folder)
        check_suspend(terminal)
        terminal.keys("q")
        expect_given_back(terminal, 0)
        begin_top(terminal)
        wait_for_findings(terminal)
        check_sizes(terminal)
        terminal.keys("q")
        terminal.wait("the shell again", lambda pane: "status=0" in pane and "Overview" not in pane)
        check_no_colour(terminal)
        check_text(terminal, folder)
        check_signals(terminal, demo)
    finally:
        terminal.close()
        stop(demo)


def main() -> int:
    if shutil.which("tmux") is None:
        print("skipped: tmux is not installed (./dev deps installs it)")
        return 77
    with tempfile.TemporaryDirectory(prefix="peerscope-top-") as folder:
        check(pathlib.Path(folder))
    print("peerscope top does on a terminal what it should")
    return 0


if __name__ == "__main__":
    sys.exit(main())
