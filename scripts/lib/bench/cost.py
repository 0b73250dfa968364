"""What each event costs, by the kernel's own account (kernel.bpf_stats_enabled)."""

import re
import time
from collections import Counter
from contextlib import ExitStack

from bench import bpf, machine, work

SHARE = 0.8
EVENT_NS = 2000


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

    def runs_of(self, pattern):
        """Runs of the program that stands for one event."""
        return max((runs for name, runs in self.runs.items() if re.search(pattern, name)), default=0)

    def programs(self):
        """Nanoseconds a run, program by program, those that ran most first."""
        ran = [name for name, runs in self.runs.most_common() if runs]
        return ", ".join(f"{name} {self.ns[name] / self.runs[name]:.0f}" for name in ran)


def measure(bench, results):
    """Adds the rows."""
    machine.need("bpftool")
    requests(bench, results)
    processes(bench, results)


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


def requests(bench, results):
    seconds = bench.pick(2, 10)
    machine.progress(f"cost: biolat and biolatency over fio on a loop device, 2 times {seconds} s")
    peer = machine.other("biolatency", "1")
    commands = {"biolat": bench.ours("biolat", "1")} | ({"biolatency": peer} if peer else {})
    with work.loop_device(bench.scratch) as device:
        accounts = together(bench, commands, lambda: work.requests(device, seconds))
    ours, theirs = accounts["biolat"], accounts.get("biolatency")
    completed = {"biolat": ours.runs_of("^on_complete$"), "biolatency": theirs and theirs.runs_of("rq_complete")}

    def row(what, of):
        value = of(ours, completed["biolat"])
        if not theirs:
            results.add(what, f"{value:.0f} ns", "biolatency not installed", f"≤ {SHARE}× biolatency")
            return
        other = of(theirs, completed["biolatency"])
        ratio = f"{value:.0f} ns ({value / other:.2f}×)"
        results.add(what, ratio, f"biolatency {other:.0f} ns", f"≤ {SHARE}× biolatency", value <= SHARE * other)

    row(f"cost of a request, all programs ({completed['biolat']} requests)", lambda account, count: account.per(count))
    row("cost of a program's run, biolat", lambda account, _: account.per(account.runs.total()))
    results.add("program by program, ns a run", ours.programs(), theirs.programs() if theirs else "")


def processes(bench, results):
    count = bench.pick(1000, 5000)
    machine.progress(f"cost: proclife, execsnoop and exitsnoop over 2 times {count} programs started")
    commands = {
        "events": bench.ours("proclife", "--events"),
        "counts": bench.ours("proclife", "1"),
        "execsnoop": machine.other("execsnoop"),
        "exitsnoop": machine.other("exitsnoop"),
    }
    commands = {name: argv for name, argv in commands.items() if argv}
    accounts = together(bench, commands, lambda: work.programs(count))

    # execsnoop prints one event for two runs, at the entry and the exit of execve; exitsnoop one a run.
    said = []
    for name, event, pattern in [("execsnoop", "exec", "exit"), ("exitsnoop", "exit", "exit")]:
        account = accounts.get(name)
        cost = f"{account.per(account.runs_of(pattern)):.0f} ns per {event}" if account else "not installed"
        said.append(f"{name} {cost}")
    events = accounts["events"]
    value = events.per(events.lines)
    results.add(
        f"cost of a streamed process event, all programs ({events.lines} records)", f"{value:.0f} ns",
        ", ".join(said), f"≤ {EVENT_NS} ns", value <= EVENT_NS,
    )
    others = [accounts[name].programs() for name in ("execsnoop", "exitsnoop") if name in accounts]
    results.add("proclife --events, program by program, ns a run", events.programs(), ", ".join(others))

    counts = accounts["counts"]
    # The walk over all tasks belongs to an interval, not to an event.
    walk = {"count_zombies"}
    seen = sum(counts.runs_of(f"^{name}$") for name in ("on_fork", "on_exec", "on_exit"))
    value = counts.per(seen, without=walk)
    results.add(f"cost of a counted process event, all programs ({seen} events)", f"{value:.0f} ns")
    results.add("proclife, program by program, ns a run", counts.programs())
