#!/usr/bin/env bash
# A first look at the P2P backend on GPUs: BUNDLE [NCCL]
P=$1/bin/peerscope
NCCL=$2
for g in 2 4 8; do timeout 60 "$P" verify --backend cuda -g $g -n $((g == 2 ? 3000 : 300)) --most 1M --timeout 3 2>&1 | tail -2; done
run() { timeout 60 "$P" bench all_reduce -g 2 -b 8 -e 256M -f 8 -n 50 -w 10 "$@" 2>&1 | grep -vE '^# *$|^#  |NCCL|CUDA driver' | cut -c1-150; }
echo "== cuda"; run --backend cuda --rounds 9 --level off
echo "== cuda graph"; run --backend cuda --rounds 9 -G 1 --level off
echo "== cuda no LL"; PEERSCOPE_BENCH_LOW_LATENCY_MOST=0 run --backend cuda --rounds 5 --level off -c 0
echo "== nccl"; run --backend nccl --nccl "$NCCL" --processes --rounds 9 -c 0
echo "== nccl graph"; run --backend nccl --nccl "$NCCL" --processes -G 1 --rounds 9 -c 0
timeout 60 "$P" bench p2p --backend cuda -g 2 2>&1 | head -70
