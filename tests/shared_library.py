#!/usr/bin/env python3
"""Checks libpeerscope.so as a job's loader sees it: shared_library.py LIBRARY HEADER PROGRAM.

It needs libc only, takes no static TLS, exports what the header declares and nothing else, and PROGRAM calls all of it.
"""
import pathlib
import re
import sys

from guest_library import SKIP, exports, guest_problems, has_sanitizer


def problems(library: str, header: str, program: str):
    yield from guest_problems(library)
    exported = exports(library)
    declared = set(re.findall(r"PSCOPE_API [^;(]*?\b(pscope_\w+)\(", header))
    if foreign := {name for name in exported if not name.startswith("pscope_")}:
        yield f"exports {sorted(foreign)}"
    if missing := declared - exported:
        yield f"does not export {sorted(missing)}"
    if not declared:
        yield "the header declares nothing"
    inline = set(re.findall(r"static inline [^;(]*?\b(pscope_\w+)\(", header))
    public = {name for name in declared | inline if not name.endswith("_")}
    if unused := {name for name in public if not re.search(rf"\b{name}\(", program)}:
        yield f"the program does not call {sorted(unused)}"


if __name__ == "__main__":
    library_path, header_path, program_path = sys.argv[1:]
    if has_sanitizer(library_path):
        print("skipped: a sanitizer brings its own runtime into the library")
        sys.exit(SKIP)
    found = list(problems(library_path, pathlib.Path(header_path).read_text(), pathlib.Path(program_path).read_text()))
    print("\n".join(found) or "as declared")
    sys.exit(bool(found))
