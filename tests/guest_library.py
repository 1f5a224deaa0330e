#!/usr/bin/env python3
"""Checks a library that others load into a job: guest_library.py LIBRARY SYMBOL...

It needs libc only, takes no static TLS, stays once it is loaded, and exports the symbols named and nothing else.
"""
import os
import re
import subprocess
import sys

SKIP = 77


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def has_sanitizer(library: str) -> bool:
    return bool(re.search(r"__(asan|tsan|ubsan)_", output("nm", "-D", library)))


def exports(library: str) -> set[str]:
    return {line.split()[-1].split("@")[0] for line in output("nm", "-D", "--defined-only", library).splitlines()}


def guest_problems(library: str):
    dynamic = output("readelf", "-d", library)
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic))
    if extra := {name for name in needed if not re.match(r"libc\.so|ld-linux|ld-musl", name)}:
        yield f"needs {sorted(extra)}"
    if "STATIC_TLS" in dynamic:
        yield "takes static TLS, which a library that is loaded late may not get"
    if "NODELETE" not in dynamic:
        yield "may be unloaded while others call back"


def problems(library: str, symbols: set[str]):
    yield from guest_problems(library)
    exported = exports(library)
    if exported != symbols:
        yield f"exports {sorted(exported)}, not {sorted(symbols)}"


if __name__ == "__main__":
    path, *names = sys.argv[1:]
    if not os.path.exists(path):
        print(f"skipped: {path} was not built")
        sys.exit(SKIP)
    if has_sanitizer(path):
        print("skipped: a sanitizer brings its own runtime into the library")
        sys.exit(SKIP)
    found = list(problems(path, set(names)))
    print("\n".join(found) or "as it should be")
    sys.exit(bool(found))
