"""The kernel's own account of what tools cost (kernel.bpf_stats_enabled) while they see the same work."""

import re
import time
from collections import Counter
from contextlib import ExitStack

from bench import bpf, machine


class Account:
    """What the programs of a tool cost over some work: nanoseconds and runs by program, and lines printed."""

    def __init__(self):
        self.ns, self.runs, self.lines = Counter(), Counter(), 0

    def add(self, before, after, lines):
        for name, (ns, runs) in after.items():
            old_ns, old_runs = before.get(name, (0, 0))
            self.ns[name] += ns - old_ns
            self.runs[name] += runs - old_runs
        self.lines += lines

    def per(self, events, without=()):
        """Nanoseconds per event, of all programs but some."""
        return sum(ns for name, ns in self.ns.items() if name not in without) / max(events, 1)

    def per_run(self, least):
        """Nanoseconds per run, of the programs that ran at least so often: each run is an event."""
        seen = [name for name, runs in self.runs.items() if runs >= least]
        return sum(self.ns[name] for name in seen) / max(sum(self.runs[name] for name in seen), 1)

    def runs_of(self, pattern):
        """Runs of the program that stands for one event."""
        return max((runs for name, runs in self.runs.items() if re.search(pattern, name)), default=0)

    def programs(self):
        """Nanoseconds a run, program by program, those that ran most first."""
        ran = [name for name, runs in self.runs.most_common() if runs]
        return ", ".join(f"{name} {self.ns[name] / self.runs[name]:.0f}" for name in ran)


def together(bench, commands, job):
    """Runs tools over the same work, once attached in this order and once in the other: the first program on a
    tracepoint pays for the cache lines that the next finds warm. Returns the account of each tool."""
    accounts = {name: Account() for name in commands}
    for order in [list(commands), list(reversed(commands))]:
        with ExitStack() as stack:
            tools = {}
            for number, name in enumerate(order):
                log, output = bench.scratch / f"log{number}", bench.scratch / f"out{number}"
                tools[name] = stack.enter_context(machine.running(commands[name], log, output)), output
                bpf.wait_attached(tools[name][0])
            stack.enter_context(bpf.counting())
            before = {name: (bpf.account(tool.pid), lines(output)) for name, (tool, output) in tools.items()}
            job()
            # Ring buffers are drained and the tasks that ended are freed.
            time.sleep(0.5)
            for name, (tool, output) in tools.items():
                programs, printed = before[name]
                accounts[name].add(programs, bpf.account(tool.pid), lines(output) - printed)
    return accounts


def lines(path):
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
