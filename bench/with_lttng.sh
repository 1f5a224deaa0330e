#!/usr/bin/env bash
# bench/with_lttng.sh COMMAND...: runs COMMAND while a private LTTng session records peerscope_bench:begin and :end.
# Where that cannot be had, it says why in one line and runs COMMAND without.
set -euo pipefail

without() {
  local why=$1
  shift
  echo "bench: LTTng-UST is measured off only: $why" >&2
  exec "$@"
}

for tool in lttng lttng-sessiond; do
  command -v "$tool" >/dev/null || without "$tool is not installed (lttng-tools)" "$@"
done

if [ "$(id -u)" -eq 0 ]; then
  # Root's daemon talks through /run/lttng: in a mount namespace of our own that is a directory nobody else sees.
  if [ -z "${PEERSCOPE_BENCH_NAMESPACE:-}" ]; then
    unshare --mount true 2>/dev/null || without "root cannot make a mount namespace here" "$@"
    made=""
    [ -d /run/lttng ] || { mkdir /run/lttng && made=1; }
    rc=0
    PEERSCOPE_BENCH_NAMESPACE=1 unshare --mount --propagation private "$0" "$@" || rc=$?
    [ -z "$made" ] || rmdir /run/lttng
    exit "$rc"
  fi
  mount -t tmpfs none /run/lttng
fi

home=$(mktemp -d /dev/shm/peerscope-lttng-XXXXXX)
export LTTNG_HOME=$home
daemon=""
finish() {
  lttng destroy peerscope >/dev/null 2>&1 || true
  [ -z "$daemon" ] || { kill "$daemon" && wait "$daemon"; } 2>/dev/null || true
  rm -rf "$home"
}
trap finish EXIT

# On the last processor: the benchmark has the first.
taskset -c "$(($(nproc) - 1))" lttng-sessiond --no-kernel --quiet &
daemon=$!
for _ in $(seq 50); do
  lttng --quiet list >/dev/null 2>&1 && break
  sleep 0.1
done

start_session() {
  lttng create peerscope --output="$home/trace" &&
    lttng enable-channel --userspace --subbuf-size=4M --num-subbuf=8 operations &&
    lttng enable-event --userspace --channel=operations 'peerscope_bench:begin' &&
    lttng enable-event --userspace --channel=operations 'peerscope_bench:end' &&
    lttng start
}
start_session >/dev/null 2>&1 || echo "bench: LTTng-UST is measured off only: its session could not be started" >&2
"$@"
