#!/usr/bin/env bash
# bench/trace.sh OUT.md: measures the trace file and writes the report. Takes some minutes; the machine should be idle.
# Needs a release build with benchmarks in build/release, or wherever $PEERSCOPE_BUILD says.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${PEERSCOPE_BUILD:-$here/../build/release}
p=$build/bin/peerscope
[ $# -eq 1 ] || { echo "usage: bench/trace.sh OUT.md" >&2; exit 2; }
for program in peerscope trace_bench; do
  [ -x "$build/bin/$program" ] || { echo "bench: $program is not built; ./dev build release" >&2; exit 2; }
done
work=$(mktemp -d /dev/shm/peerscope-bench-XXXXXX)
trap 'rm -rf "$work"' EXIT
say() { echo "bench: $*" >&2; }

say "all figures, 4 million operations, 5 rounds"
"$p" bench trace -n 4 --rounds 5 --json >"$work/figures.json"
say "Google Benchmark, part by part"
"$build/bin/trace_bench" --benchmark_repetitions=3 --benchmark_min_time=0.1 --benchmark_format=json >"$work/parts.json" 2>/dev/null
say "a file of 100 million operations"
"$p" bench trace -n 100 --keep "$work/big.pscope"
"$p" info "$work/big.pscope" --json >"$work/info.json"
middle=$(python3 -c "import json,sys; i=json.load(open('$work/info.json')); print((i['first_ns'] + i['last_ns']) // 2)")
measure() {  # name, command...: wall time and memory, best and median of five
  local name=$1
  shift
  for _ in 1 2 3 4 5; do
    /usr/bin/env python3 - "$work/$name.txt" "$@" <<'PY'
import resource, subprocess, sys, time
begin = time.perf_counter()
subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL, check=True)
seconds = time.perf_counter() - begin
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
open(sys.argv[1], "a").write(f"{seconds} {peak}\n")
PY
  done
}
say "commands on it"
measure statistics "$p" query "$work/big.pscope" "SELECT sum(bytes) FROM ops WHERE operation = 'all_reduce'"
measure filtered "$p" query "$work/big.pscope" "SELECT sum(bytes) FROM ops WHERE operation = 'all_reduce' AND bytes >= 0"
measure slow "$p" query "$work/big.pscope" "SELECT count(*) FROM ops WHERE operation = 'all_reduce' AND host_duration_ns > 20000"
measure window "$p" query "$work/big.pscope" "SELECT rank, status, begin_ns FROM ops WHERE begin_ns BETWEEN $middle AND $middle + 2000000000 AND status <> 'ok'"
measure info "$p" info "$work/big.pscope"
"$p" bench trace -n 4 --keep "$work/small.pscope"
measure csv "$p" export "$work/small.pscope" --to csv -o "$work/out.csv"
measure copy cp "$work/out.csv" "$work/copy.csv"
python3 "$here/trace_report.py" "$work" >"$1"
say "wrote $1"
