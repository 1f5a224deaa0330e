#!/usr/bin/env python3
"""Checks what the compiler cannot: layers, homes of vendor headers, file sizes, settings that nobody reads. Run by ctest."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
LINES_MAX = {"code": 500, "test": 800}
LINES_EXEMPT: dict[str, str] = {}  # path: why it may be longer
COMPOSITION_ROOTS = {"cli"}  # may include every module
VENDOR_HOMES = {"sqlite3": ["trace/query", "session/alerts"], "curl": ["net"], "restinio": ["http"], "asio": ["http"], "zstd": ["trace"], "cupti": ["source/cuda"],
                "nvml": ["source/nvml"], "nccl": ["comm/nccl"], "cuda": ["comm/cuda"]}
SCHEMA_KEY = re.compile(r'^\s*\{"([a-z_]+\.[a-z0-9_]+)", [a-z]+, "', re.M)

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([\w./-]+)[">]')
MODULE = re.compile(r"^pscope_module\(([\w/]+)(?:\s+GUEST)?(?:\s+DEPS\s+([\w\s/]+?))?(?:\s+GUEST)?\)", re.M)


def allowed_modules() -> dict[str, set[str]]:
    """Module -> modules it may include: the closure of DEPS in CMakeLists.txt, declared only there."""
    closure: dict[str, set[str]] = {}
    for name, deps in MODULE.findall((ROOT / "CMakeLists.txt").read_text()):
        closure[name] = {name}.union(*(closure[dep] for dep in deps.split()))
    return closure


def module_of(path: str, modules) -> str | None:
    """The innermost module that holds `path`: source/fake/fake.hpp belongs to source/fake."""
    return max((m for m in modules if path.startswith(m + "/")), key=len, default=None)


def include_problems(path: str, header: str, allowed: dict[str, set[str]]):
    module, target = module_of(path, allowed), module_of(header, allowed)
    if module and target and target not in allowed[module]:
        yield f"{module} must not include {target}"
    homes = VENDOR_HOMES.get(re.split(r"[._/]", header)[0])
    if homes and not target and module not in homes:
        yield f"<{header}> may be included in {' and '.join(homes)} only"


def is_read_code(path: str) -> bool:
    """Code that may give a setting its meaning: neither the configuration itself nor tests."""
    return path.endswith((".cpp", ".hpp")) and not path.startswith("config/") and not re.search(r"_(test|fuzz|bench)\.", path)


def unread_settings():
    """Each key of the schema is read somewhere by its literal: config.bytes("trace.max_bytes")."""
    keys = SCHEMA_KEY.findall((ROOT / "src/config/schema.cpp").read_text())
    if not keys:
        yield "src/config/schema.cpp: no key was found there"
    files = (f for f in (ROOT / "src").rglob("*.[ch]pp") if is_read_code(str(f.relative_to(ROOT / "src"))))
    code = "\n".join(file.read_text() for file in files)
    for key in keys:
        if f'"{key}"' not in code:
            yield f"src/config/schema.cpp: nothing reads {key}"


def problems():
    yield from unread_settings()
    allowed = allowed_modules()
    for file in sorted((ROOT / "src").rglob("*.[ch]*")):
        path, lines = str(file.relative_to(ROOT / "src")), file.read_text().splitlines()
        limit = LINES_MAX["test" if file.stem.endswith("_test") else "code"]
        if len(lines) > limit and path not in LINES_EXEMPT:
            yield f"src/{path}: {len(lines)} lines, at most {limit}"
        if path.split("/")[0] in COMPOSITION_ROOTS:
            continue
        for number, line in enumerate(lines, 1):
            if match := INCLUDE.match(line):
                for problem in include_problems(path, match[1], allowed):
                    yield f"src/{path}:{number}: {problem}"


if __name__ == "__main__":
    report = list(problems())
    print("\n".join(report) or "tidy")
    sys.exit(bool(report))
