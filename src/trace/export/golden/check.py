#!/usr/bin/env python3
"""Reads the golden exports with parsers that are not ours and compares what they say: all are of one trace."""
import csv
import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

FOLDER = pathlib.Path(__file__).parent


def load_jsonl(name: str) -> list[dict]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def integer(text: str | None) -> int | None:
    return int(text) if text else None


def key(row) -> tuple:
    """What every format that holds operations says of one."""
    fields = ("begin_ns", "host_duration_ns", "device_begin_ns", "device_duration_ns", "bytes", "sequence", "rank", "peer", "process")
    return tuple(row[field] for field in fields) + (row["operation"], row["communicator"], row["status"], row["algorithm"])


def from_csv() -> list[tuple]:
    with (FOLDER / "small.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    numbers = ("begin_ns", "host_duration_ns", "device_begin_ns", "device_duration_ns", "bytes", "sequence", "rank", "peer", "process")
    for row in rows:
        host = integer(row["host_duration_ns"])
        assert integer(row["end_ns"]) == (None if host is None else int(row["begin_ns"]) + host), row
    return [key({**{k: v or None for k, v in row.items()}, **{k: integer(row[k]) for k in numbers}}) for row in rows]


def from_xml(root) -> list[tuple]:
    rows = []
    for element in root:
        if element.tag in ("session", "mark"):
            continue
        get = element.attrib.get
        row = {name: integer(get(name.replace("_", "-"))) for name in ("begin_ns", "host_duration_ns", "device_begin_ns", "device_duration_ns",
                                                                       "bytes", "sequence", "rank", "peer", "process")}
        rows.append(key({**row, "operation": element.tag, "communicator": get("communicator"), "status": get("status"), "algorithm": get("algorithm")}))
    return rows


def micros_to_ns(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * 1000 + int(fraction.ljust(3, "0"))


def check_chrome(ops: list[dict]):
    trace = json.loads((FOLDER / "small.chrome").read_text(encoding="utf-8"), parse_float=str)
    got = sorted((micros_to_ns(e["ts"]), micros_to_ns(e["dur"])) for e in trace["traceEvents"] if e.get("cat") in ("kernel", "cuda_runtime"))
    want = [(op["begin_ns"], op["host_duration_ns"]) for op in ops if op["host_duration_ns"] is not None]
    want += [(op["device_begin_ns"], op["device_duration_ns"]) for op in ops if op["device_duration_ns"] is not None]
    assert got == sorted(want), "chrome: its intervals are not those of the trace"


def check_inspector(ops: list[dict]):
    lines = load_jsonl("small.inspector")
    known = {(op["comm_id"], op["sequence"], op["rank"]): op for op in ops if not (op["async"] and op["device_duration_ns"] is None)}
    for line in lines:
        perf = line.get("coll_perf") or line["p2p_perf"]
        what = "coll" if "coll_perf" in line else "p2p"
        header = line["header"]
        op = known[header["id"], perf[f"{what}_sn"], header["rank"]]
        ns = op["device_duration_ns"] if op["device_duration_ns"] is not None else op["host_duration_ns"]
        assert perf[f"{what}_exec_time_us"] == ns / 1e3, line
        assert abs(perf[f"{what}_algobw_gbs"] - op["bytes"] / ns) < 1e-9, line
    return len(lines)


def main():
    lines = load_jsonl("small.jsonl")
    assert lines[0]["type"] == "meta"
    ops = [line for line in lines if line["type"] == "op"]
    marks = [line for line in lines if line["type"] == "mark"]
    rows = sorted(map(key, ops), key=str)
    whole = json.loads((FOLDER / "small.json").read_text(encoding="utf-8"))
    root = ElementTree.parse(FOLDER / "small.xml").getroot()
    assert sorted(map(key, whole["operations"]), key=str) == rows, "json differs from jsonl"
    assert len(whole["marks"]) == len(marks)
    assert sorted(from_csv(), key=str) == rows, "csv differs from jsonl"
    assert sorted(from_xml(root), key=str) == rows, "xml differs from jsonl"
    assert len(root.findall("mark")) == len(marks)
    assert root.find("session").attrib["id"] == lines[0]["meta"]["session"], "xml: an escape is wrong"
    check_chrome(ops)
    print(f"{len(ops)} operations and {len(marks)} marks agree, {check_inspector(ops)} of them as NCCL Inspector's lines")


if __name__ == "__main__":
    sys.exit(main())
