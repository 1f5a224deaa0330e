#!/usr/bin/env python3
"""perfetto_check.py PEERSCOPE TRACE.pscope [PROTO]: exports the trace to Perfetto's format, decodes it with protoc by
Perfetto's own description (PROTO, or $PERFETTO_PROTO: protos/perfetto/trace/perfetto_trace.proto; else our subset of it),
and compares counts, durations and flows with the source. Exit status 77: protoc is not here."""
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def decode(export: pathlib.Path, proto: pathlib.Path) -> str:
    with export.open("rb") as data:
        return subprocess.run(["protoc", f"--proto_path={proto.parent}", "--decode=perfetto.protos.Trace", str(proto)],
                              stdin=data, stdout=subprocess.PIPE, check=True).stdout.decode()


def events(text: str):
    """(timestamp, fields of the track event) of each packet that has one."""
    for packet in text.split("\npacket {"):
        if re.search(r"^ *\d+[:{ ]", packet, re.M):
            sys.exit(f"a field that the description does not know:\n{packet}")
        if "track_event {" not in packet:
            continue
        stamp = int(re.search(r"^  timestamp: (\d+)$", packet, re.M)[1])
        kind = re.search(r"^    type: (\w+)$", packet, re.M)[1]
        track = int(re.search(r"^    track_uuid: (\d+)$", packet, re.M)[1])
        flow = re.search(r"^    flow_ids: (\d+)$", packet, re.M)
        yield stamp, kind, track, flow and flow[1]


def slices(text: str):
    stacks, done, flows = collections.defaultdict(list), collections.Counter(), collections.Counter()
    for stamp, kind, track, flow in events(text):
        if kind == "TYPE_SLICE_BEGIN":
            stacks[track].append(stamp)
            if flow:
                flows[flow] += 1
        elif kind == "TYPE_SLICE_END":
            done[(stacks[track].pop(), stamp)] += 1
            if flow:  # a message's, at the end of its receive
                flows[flow] += 1
    if any(stacks.values()):
        sys.exit("slices that do not end")
    return done, flows


def expected(lines):
    done, flows = collections.Counter(), collections.Counter()
    for line in lines:
        entry = json.loads(line)
        if entry["type"] == "mark" and entry["duration_ns"] is not None:
            done[(entry["at_ns"], entry["at_ns"] + entry["duration_ns"])] += 1
        if entry["type"] != "op":
            continue
        host, device = entry["host_duration_ns"], entry["device_duration_ns"]
        if host is not None and not entry["device_only"]:
            done[(entry["begin_ns"], entry["begin_ns"] + host)] += 1
        if device is not None and entry["device_begin_ns"] is not None:
            done[(entry["device_begin_ns"], entry["device_begin_ns"] + device)] += 1
        if entry["operation"] not in ("send", "recv", "copy", "other", "put", "get", "signal", "compute") and entry["comm_id"] != "0x0":
            flows[(entry["comm_id"], entry["sequence"])] += 1
        # Both sides of a message, where the backend counts them alike.
        ours = entry["backend"] in ("host", "cuda", "sim") and entry["comm_id"] != "0x0" and not entry["device_only"]
        if entry["operation"] in ("send", "recv") and ours and entry["peer"] is not None:
            pair = (entry["rank"], entry["peer"]) if entry["operation"] == "send" else (entry["peer"], entry["rank"])
            flows[(entry["comm_id"], entry["sequence"], *pair)] += 1
    return done, flows


def main():
    if not shutil.which("protoc"):
        print("protoc is not here (Debian: protobuf-compiler)")
        sys.exit(77)
    binary, trace = sys.argv[1:3]
    proto = pathlib.Path((sys.argv[3:] or [os.environ.get("PERFETTO_PROTO", pathlib.Path(__file__).parent / "perfetto_subset.proto")])[0])
    with tempfile.TemporaryDirectory() as work:
        out = pathlib.Path(work)
        for form in ("perfetto", "jsonl"):
            subprocess.run([binary, "export", trace, "--to", form, "-o", str(out / form)], check=True, stdout=subprocess.DEVNULL)
        done, flows = slices(decode(out / "perfetto", proto))
        with (out / "jsonl").open() as lines:
            want_done, want_flows = expected(lines)
    if done != want_done:
        sys.exit(f"slices differ: {sum(done.values())} against {sum(want_done.values())}")
    if sorted(flows.values()) != sorted(want_flows.values()):
        sys.exit(f"flows differ: {len(flows)} against {len(want_flows)}")
    print(f"{sum(done.values())} slices and {len(flows)} flows agree, by {proto.name}")


if __name__ == "__main__":
    main()
