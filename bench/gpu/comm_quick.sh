#!/usr/bin/env bash
# A first look at the P2P backend on GPUs: BUNDLE [NCCL]
P=$1/bin/peerscope
NCCL=$2
for g in 2 4 8; do timeout 60 "$P" verify --backend cuda -g $g -n $((g == 2 ? 2000 : 200)) --most 1M --timeout 3 2>&1 | tail -2; done
run() { local op=$1; shift; timeout 60 "$P" bench $op -g 2 -n 50 -w 10 "$@" 2>&1 | grep -vE '^#' | cut -c1-115; }
for e in 0 1; do echo "== cuda early $e"; PSCOPE_TEST_EARLY=$e run all_reduce --backend cuda --rounds 9 --level off -c 0 -b 8 -e 512K -f 16; done
echo "== cuda graph"; run all_reduce --backend cuda --rounds 9 -G 1 --level off -c 0 -b 8 -e 512M -f 4
echo "== cuda graph, early 0"; PSCOPE_TEST_EARLY=0 run all_reduce --backend cuda --rounds 9 -G 1 --level off -c 0 -b 8 -e 512K -f 16
echo "== nccl"; run all_reduce --backend nccl --nccl "$NCCL" --processes --rounds 9 -c 0 -b 32K -e 512M -f 16
for op in all_gather reduce_scatter broadcast; do echo "== $op"; run $op --backend cuda --rounds 5 --level off -c 0 -b 1M -e 512M -f 8; done
