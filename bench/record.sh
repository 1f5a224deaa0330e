#!/usr/bin/env bash
# bench/record.sh [--quick] OUT.md: measures the recorder beside its peers and writes the report. Takes some minutes.
# Needs a release build with benchmarks in build/release, or wherever $PEERSCOPE_BUILD says.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${PEERSCOPE_BUILD:-$here/../build/release}

runs=7 rounds=51 repetitions=61 overhead_rounds=301 seconds=5 reader_repetitions=15
if [ "${1:-}" = --quick ]; then
  runs=3 rounds=11 repetitions=5 overhead_rounds=5 seconds=1 reader_repetitions=3
  shift
fi
[ $# -eq 1 ] || { echo "usage: bench/record.sh [--quick] OUT.md" >&2; exit 2; }
out=$1

for program in peerscope record_peers_bench collect_bench collect_aggregate_bench; do
  [ -x "$build/bin/$program" ] || { echo "bench: $program is not built; ./dev build release" >&2; exit 2; }
done
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

say() { echo "bench: $*" >&2; }

# peerscope bench delivery ends with 1 where it counted wrongly: that is a result, and is in its output.
own() {
  local name=$1
  shift
  "$build/bin/peerscope" bench "$@" --json >"$results/$name.json" || [ -s "$results/$name.json" ]
}
google() {
  local name=$1 n=$2
  shift 2
  "$@" --benchmark_enable_random_interleaving=true --benchmark_repetitions="$n" --benchmark_format=json \
    >"$results/$name.json"
}

cut -d' ' -f1 /proc/loadavg >"$results/load"
say "levels"
for run in $(seq "$runs"); do own "record_$run" record --rounds "$rounds"; done
say "peers"
google peers "$repetitions" "$here/with_lttng.sh" "$build/bin/record_peers_bench"
say "reader"
google collect "$reader_repetitions" "$build/bin/collect_bench" --benchmark_min_time=0.1
google aggregate "$reader_repetitions" "$build/bin/collect_aggregate_bench" --benchmark_min_time=0.1
say "delivery"
own delivery_flat delivery --seconds "$seconds"
own delivery_paced delivery --threads 1 --rate 1e6 --seconds "$seconds"
say "overhead"
own overhead overhead --rounds "$overhead_rounds"

mkdir -p "$(dirname "$out")"
python3 "$here/record_report.py" "$results" "$build" >"$results/report.md"
mv "$results/report.md" "$out"
say "wrote $out"
