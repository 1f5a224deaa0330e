#!/usr/bin/env python3
"""Programs that know nothing of peerscope, for measuring what it costs and whether it tells the truth.

    workload.py MODE [--ranks N] [options]      starts N processes, one a GPU, pinned
    workload.py serve                           the same for each line of its input: {"arguments": [...], "environment": {...}};
                                                what takes long (importing torch) is done once

Modes, all through torch.distributed and NCCL:
  collectives   all_reduce and send/recv by size: time of each operation, back to back, as JSON lines
  decode        160 all_reduces of 16 KB a token, a matrix product between: tokens a second
  suite         both, eager, then as CUDA graphs
  levels        all_reduce, send/recv and decode, while --peerscope changes the level again and again: the paired cost of each
  events        all_reduces by size, each between two CUDA events: their durations by the operation's number
  many          as many small all_reduces as --count says
  ddp           a training loop: products, then buckets of gradients; --delay-rank, --delay-us, --steps
"""
import argparse
import faulthandler
import json
import os
import signal
import subprocess
import sys
import time
import traceback


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["serve", "collectives", "decode", "suite", "levels", "events", "many", "ddp"])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--graph", action="store_true", help="replay CUDA graphs")
    parser.add_argument("--most", type=int, default=64 << 20, help="largest size, bytes")
    parser.add_argument("--batch-ms", type=float, default=40, help="collectives: time of one measurement")
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--delay-rank", type=int, default=-1)
    parser.add_argument("--delay-us", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1.0, help="events: for each size")
    parser.add_argument("--spawn", action="store_true", help="serve: ranks are programs of their own, not forked")
    parser.add_argument("--limit", type=int, default=300, help="seconds after which a rank ends itself")
    parser.add_argument("--peerscope", default="peerscope", help="levels: the command")
    parser.add_argument("--cycles", type=int, default=12)
    parser.add_argument("--pids", help="write the ranks' process ids to this file")
    return parser.parse_args(arguments)


def changed(environment, variables):
    """None: the variable goes."""
    return {name: value for name, value in {**environment, **variables}.items() if value is not None}


def launch(args, arguments, environment=None):
    """One process a rank, each on processors of its own; the worst exit status."""
    port = 20_000 + (os.getpid() * 37 + int(time.time() * 1000)) % 20_000
    ranks = []
    for rank in range(args.ranks):
        variables = dict(environment or {}, RANK=str(rank), WORLD_SIZE=str(args.ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        if environment is None or args.spawn:
            ranks.append(subprocess.Popen([sys.executable, __file__, *arguments], env=changed(os.environ, variables)).pid)
            continue
        child = os.fork()
        if child == 0:
            status = 1
            try:
                wanted = changed(os.environ, variables)
                os.environ.clear()
                os.environ.update(wanted)
                run_rank(args)
                status = 0
            except BaseException:  # noqa: BLE001: nothing of the parent's may run here
                traceback.print_exc()
            sys.stdout.flush()
            os._exit(status)
        ranks.append(child)
    if args.pids:
        with open(args.pids + ".new", "w") as file:
            json.dump(ranks, file)
        os.rename(args.pids + ".new", args.pids)
    return max(os.waitstatus_to_exitcode(os.waitpid(rank, 0)[1]) & 255 for rank in ranks)


def serve():
    import torch.distributed  # noqa: F401: CUDA is not initialised by this, so that children may be forked
    for line in sys.stdin:
        request = json.loads(line)
        arguments = request["arguments"]
        status = launch(parse(arguments), arguments, request.get("environment", {}))
        print(json.dumps({"done": status}), flush=True)


class Rank:
    def __init__(self, args):
        self.args = args
        self.rank, self.ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        share = max(2, (os.cpu_count() or 2) // self.ranks)
        os.sched_setaffinity(0, range(self.rank * share, (self.rank + 1) * share - 1))  # one is left for whoever watches
        import torch
        import torch.distributed as dist
        self.torch, self.dist = torch, dist
        torch.cuda.set_device(self.rank % torch.cuda.device_count())
        self.device = torch.device("cuda", torch.cuda.current_device())
        dist.init_process_group("nccl", device_id=self.device)

    def say(self, **fields):
        if self.rank == 0:
            print(json.dumps(fields), flush=True)

    def tensor(self, size):
        return self.torch.ones(max(size // 2, 1), dtype=self.torch.bfloat16, device=self.device) / 4

    def agree(self, value):
        """Rank 0's number, so that all do as much."""
        box = self.torch.tensor([float(value)], device=self.device, dtype=self.torch.float64)
        self.dist.broadcast(box, 0)
        return box.item()

    def operation(self, name, tensor):
        dist = self.dist
        if name == "all_reduce":
            return lambda: dist.all_reduce(tensor)
        other = self.torch.empty_like(tensor)
        peer = self.rank ^ 1

        def exchange():
            for request in dist.batch_isend_irecv([dist.P2POp(dist.isend, tensor, peer), dist.P2POp(dist.irecv, other, peer)]):
                request.wait()
        return exchange

    def timed(self, call, times):
        torch = self.torch
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(times):
            call()
        torch.cuda.synchronize()
        return (time.perf_counter() - begin) / times * 1e6

    def suite(self):
        self.collectives()
        self.decode()
        self.args.graph = True
        self.collectives()
        self.decode()

    def collectives(self):
        torch, args = self.torch, self.args
        sizes = [size for size in (8, 32768, 524288, 8 << 20, 64 << 20) if size <= args.most]
        for name in ("all_reduce", "sendrecv"):
            for size in sizes:
                call, an_operation = self.operation(name, self.tensor(size)), 1
                if name == "sendrecv" and size in (32768, 8 << 20):
                    continue
                if args.graph:
                    if name != "all_reduce" or size > 1 << 20:
                        continue
                    call, an_operation = self.captured(call, 20), 20
                for _ in range(5):
                    call()
                estimate = self.agree(self.timed(call, 10))
                times = max(10, int(args.batch_ms * 1000 / max(estimate, 1)))
                us = [self.timed(call, times) / an_operation for _ in range(args.batches)]
                # The mean: what is measured in windows costs in windows.
                self.say(operation=name, bytes=size, graph=args.graph, us=sum(us) / len(us), least_us=min(us), times=times * an_operation)

    def captured(self, call, times):
        torch = self.torch
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                call()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            for _ in range(times):
                call()
        return graph.replay

    def decode(self):
        torch, args = self.torch, self.args
        small = self.tensor(16384)
        weights = torch.randn(4096, 4096, dtype=torch.bfloat16, device=self.device)
        state = torch.randn(1, 4096, dtype=torch.bfloat16, device=self.device)

        def token():
            for _ in range(160):
                torch.matmul(state, weights)
                self.dist.all_reduce(small)
        step = self.captured(token, 1) if args.graph else token
        for _ in range(10):
            step()
        us = [self.timed(step, args.tokens) for _ in range(args.batches)]
        self.say(operation="decode", bytes=16384, graph=args.graph, us=sum(us) / len(us), least_us=min(us), times=args.tokens)

    def levels(self):
        """Blocks of 40 ms (decode: of 8 tokens, each timed), the levels in turn, rank 0 sets them: what one level costs is a
        ratio within a process."""
        torch, args = self.torch, self.args
        weights = torch.randn(4096, 4096, dtype=torch.bfloat16, device=self.device)
        state = torch.randn(1, 4096, dtype=torch.bfloat16, device=self.device)
        small = self.operation("all_reduce", self.tensor(16384))

        def token():
            for _ in range(160):
                torch.matmul(state, weights)
                small()
        rows = [("all_reduce", size, self.operation("all_reduce", self.tensor(size))) for size in (8, 32768, 524288)]
        rows += [("sendrecv", size, self.operation("sendrecv", self.tensor(size))) for size in (8, 524288)]
        rows += [("decode", 16384, token)]
        for name, size, call in rows:
            for _ in range(5):
                call()
            times = max(2, int(args.batch_ms * 1000 / max(self.agree(self.timed(call, 10)), 1)))
            for cycle in range(args.cycles * (6 if name == "decode" else 1)):
                order = ["off", "basic", "detailed", "comprehensive"]
                for level in order[cycle % 4:] + order[:cycle % 4]:
                    if self.rank == 0:
                        subprocess.run([args.peerscope, "level", level], stdout=subprocess.DEVNULL, check=True)
                    self.agree(0)
                    call()
                    us = [self.timed(call, 1) for _ in range(8)] if name == "decode" else [self.timed(call, times)]
                    self.say(operation=name, bytes=size, cycle=cycle, level=level, us=sum(us) / len(us), each=us)

    def events(self):
        """Durations by the GPU's own events. A spin in front: nothing waits for the host."""
        torch, args = self.torch, self.args
        number = 0  # of the all_reduce on this communicator
        self.floor()
        for size in (1024, 16384, 262144, 1 << 20, 16 << 20, 64 << 20):
            tensor = self.tensor(size)
            end = time.time() + args.seconds
            lines = []
            going = True
            while going:
                pairs = []
                torch.cuda._sleep(3_000_000)
                for _ in range(50):
                    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
                    first.record()
                    self.dist.all_reduce(tensor)
                    last.record()
                    pairs.append((number, first, last))
                    number += 1
                torch.cuda.synchronize()
                lines += [[n, round(first.elapsed_time(last) * 1e6)] for n, first, last in pairs]
                going = self.agree(time.time() < end) > 0
            self.say(bytes=size, ns=lines)

    def floor(self):
        """What a pair of events says of nothing, and of the smallest kernel: it is in all that they say."""
        torch = self.torch
        tiny = torch.zeros(1, device=self.device)
        for name, work in (("nothing", lambda: None), ("an addition to one number", lambda: tiny.add_(1))):
            torch.cuda._sleep(3_000_000)
            pairs = []
            for _ in range(100):
                first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
                first.record()
                work()
                last.record()
                pairs.append((first, last))
            torch.cuda.synchronize()
            ns = sorted(round(first.elapsed_time(last) * 1e6) for first, last in pairs)
            self.say(around=name, median_ns=ns[50], least_ns=ns[0])

    def many(self):
        tensor = self.tensor(1024)
        begin = time.perf_counter()
        for i in range(self.args.count):
            self.dist.all_reduce(tensor)
            if i % 1000 == 999:
                self.torch.cuda.synchronize()
        self.torch.cuda.synchronize()
        self.say(mode="many", count=self.args.count, seconds=time.perf_counter() - begin)

    def ddp(self):
        torch, args = self.torch, self.args
        weights = torch.randn(2048, 2048, device=self.device)
        activations = torch.randn(256, 2048, device=self.device)
        buckets = [self.tensor(4 << 20) for _ in range(4)]
        begin = time.perf_counter()
        for _ in range(args.steps):
            for bucket in buckets:
                torch.matmul(activations, weights)
                torch.cuda.synchronize()  # the program waits for its gradients
                if self.rank == args.delay_rank:
                    until = time.perf_counter() + args.delay_us / 1e6
                    while time.perf_counter() < until:
                        pass
                self.dist.all_reduce(bucket)
            torch.cuda.synchronize()
        self.say(mode="ddp", steps=args.steps, seconds=time.perf_counter() - begin)


def run_rank(args):
    signal.alarm(args.limit)  # a rank whose peer has died would wait for ever
    faulthandler.dump_traceback_later(max(1, args.limit - 2))
    rank = Rank(args)
    getattr(rank, args.mode)()
    if args.mode in ("suite", "levels"):  # NCCL 2.28.9 did not come back from the end of a communicator that had sent and received
        rank.torch.cuda.synchronize()
        sys.stdout.flush()
        os._exit(0)
    rank.dist.destroy_process_group()


def main():
    args = parse()
    if args.mode == "serve":
        serve()
    elif "RANK" not in os.environ:
        sys.exit(launch(args, sys.argv[1:]))
    else:
        run_rank(args)


main()
