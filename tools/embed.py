#!/usr/bin/env python3
"""embed.py FOLDER OUT: the files of FOLDER, compressed, in OUT/assets.bin, and OUT/assets.cpp with the table of them.

The bytes come in by .incbin: a C++ array of them would take the compiler seconds."""
import gzip
import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".webp": "image/webp",
    ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm", ".map": "application/json",
    ".webmanifest": "application/manifest+json",
}

SOURCE = """// Written by tools/embed.py.
#include <array>
#include <cstddef>

#include "http/assets.hpp"

{blob}namespace peerscope::http {{

std::span<const Asset> embedded_assets() {{
{body}}}

}}  // namespace peerscope::http
"""

BLOB = """asm(".section .rodata\\n.global pscope_assets\\n.hidden pscope_assets\\npscope_assets:\\n.incbin \\"{path}\\"\\n.byte 0\\n.text\\n");
extern "C" const char pscope_assets[];

"""


def literal(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def rows(folder: pathlib.Path):
    """(row of the table, compressed bytes) of each file, in the order of their names."""
    at = 0
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        data = file.read_bytes()
        packed = gzip.compress(data, 9, mtime=0)
        path = "/" + file.relative_to(folder).as_posix()
        etag = '"' + hashlib.sha256(data).hexdigest()[:32] + '"'
        kind = TYPES.get(file.suffix, "application/octet-stream")
        yield f"      Asset{{{literal(path)}, {literal(kind)}, {literal(etag)}, {{pscope_assets + {at}, {len(packed)}}}}},\n", packed
        at += len(packed)


def main(folder: pathlib.Path, out: pathlib.Path):
    out.mkdir(parents=True, exist_ok=True)
    table = list(rows(folder)) if folder.is_dir() else []
    (out / "assets.bin").write_bytes(b"".join(packed for _, packed in table))
    if table:
        names = "".join(row for row, _ in table)
        body = f"  static const std::array<Asset, {len(table)}> kAssets = {{\n{names}  }};\n  return kAssets;\n"
        source = SOURCE.format(blob=BLOB.format(path=out / "assets.bin"), body=body)
    else:
        source = SOURCE.format(blob="", body="  return {};\n")
    (out / "assets.cpp").write_text(source)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve())
