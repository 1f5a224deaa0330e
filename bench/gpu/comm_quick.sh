#!/usr/bin/env bash
# A first look at the P2P backend on GPUs: BUNDLE [NCCL]
P=$1/bin/peerscope
for g in 2 4 8; do timeout 60 "$P" verify --backend cuda -g $g -n $((g == 2 ? 2000 : 200)) --most 1M --timeout 3 2>&1 | tail -2; done
run() { local op=$1; shift; timeout 60 "$P" bench $op -g 2 -n 50 -w 10 "$@" 2>&1 | grep -vE '^#' | cut -c1-115; }
echo "== plan"; PSCOPE_TEST_LL=0 run all_reduce --backend cuda --rounds 7 -G 1 --level off -c 0 -b 512K -e 512M -f 2
echo "== LL"; PSCOPE_TEST_LL=8000000 run all_reduce --backend cuda --rounds 7 -G 1 --level off -c 0 -b 256K -e 4M -f 2
echo "== eager off"; run all_reduce --backend cuda --rounds 15 --level off -c 0 -b 8 -e 256K -f 32
echo "== eager comprehensive"; run all_reduce --backend cuda --rounds 15 --level comprehensive -c 0 -b 8 -e 256K -f 32
for op in all_gather broadcast; do echo "== $op"; run $op --backend cuda --rounds 5 --level off -c 0 -b 1M -e 512M -f 8; done
