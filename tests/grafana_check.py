#!/usr/bin/env python3
"""grafana_check.py METRICS_SAMPLE SOURCE: each metric and label that dashboard and rules name exists in what we write."""
import json
import pathlib
import re
import subprocess
import sys

sample, source = sys.argv[1], pathlib.Path(sys.argv[2])
NAME = re.compile(r"(?<![\w:])((?:peerscope|nccl|DCGM)_\w+)(\{[^}]*\})?")
FROM_SCRAPE = {"instance", "job"}


def written() -> dict[str, set[str]]:
    """Sample name -> its labels."""
    text = subprocess.run([sample, "openmetrics-all"], capture_output=True, text=True, check=True).stdout
    labels: dict[str, set[str]] = {}
    for line in text.splitlines():
        if match := re.match(r"(\w+)(?:\{(.*)\})? \S+$", line):
            labels.setdefault(match[1], set()).update(re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', match[2] or ""))
    return labels


def problems(place: str, text: str, known: dict[str, set[str]]):
    for name, selector in NAME.findall(text):
        if name not in known:
            yield f"{place}: there is no metric {name}"
            continue
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector):
            if label not in known[name] | FROM_SCRAPE:
                yield f"{place}: {name} has no label {label}"


def queries(board: dict):
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                yield panel["title"], f"by ({label})"
    for variable in board["templating"]["list"]:
        yield f"variable {variable['name']}", variable.get("definition", "")


board = json.loads((source / "integrations/grafana/peerscope.json").read_text())
known = written()
found = [p for place, text in queries(board) for p in problems(place, text, known)]
rules = (source / "integrations/prometheus/peerscope.rules.yml").read_text()
expressions = re.findall(r"expr: (?:>-\n)?((?:.|\n)*?)\n\s*(?:- |for:|labels:|\n|$)", rules)
found += [p for text in expressions for p in problems("rules", text, known)]
every_label = set().union(*known.values()) | FROM_SCRAPE
for place, text in queries(board):
    for label in re.findall(r"\bby \(([^)]*)\)", text):
        found += [f"{place}: no metric has a label {one}" for one in re.split(r",\s*", label) if one not in every_label]
kinds = {panel["type"] for panel in board["panels"]}
names = {name for _, text in queries(board) for name, _ in NAME.findall(text)}
ids = [panel["id"] for panel in board["panels"]]
if len(ids) != len(set(ids)):
    found.append("two panels have one id")
if len(expressions) < 10 or len(names) < 25:
    found.append(f"only {len(expressions)} rules and {len(names)} metrics were found: the check does not see them")
print("\n".join(found) or f"{len(names)} metrics in {len(board['panels'])} panels ({', '.join(sorted(kinds))}), {len(expressions)} rules")
sys.exit(bool(found))
