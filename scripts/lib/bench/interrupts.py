"""What an interrupt costs that irqlat sees, beside libbpf-tools' hardirqs and softirqs, by the kernel's own account."""

import re

from bench import machine, work
from bench.account import together

# The compared programs: ours, theirs, and the tool that theirs belong to.
PARTS = [
    ("an interrupt's handler, entry and exit: irqlat", "^hard_", "irq_handler", "hardirqs"),
    ("a soft interrupt, entry and exit: irqlat", "^soft_e", "softirq", "softirqs"),
]


def measure(bench, results):
    """Adds the rows."""
    packets, requests = bench.pick((20_000, 2_000), (200_000, 20_000))
    machine.progress(f"cost: irqlat, hardirqs and softirqs over 2 times {packets} packets and {requests} requests")
    commands = {"irqlat": bench.ours("irqlat", "1")}
    for name in ("hardirqs", "softirqs"):
        argv = machine.peer(name, "-d", "1")
        commands |= {name: argv} if argv else {}

    def job():
        work.packets(packets)
        work.direct_reads(bench, requests)

    accounts = together(bench, commands, job)
    ours = accounts["irqlat"]
    for what, mine, theirs, peer in PARTS:
        value = each(ours, mine)
        if peer not in accounts:
            results.add(f"cost of {what}", f"{value:.0f} ns", f"{peer} not installed", f"≤ 1× {peer}")
            continue
        other = each(accounts[peer], theirs)
        results.add(
            f"cost of {what}", f"{value:.0f} ns ({value / other:.2f}×)", f"{peer} {other:.0f} ns", f"≤ 1× {peer}",
            value <= other,
        )
    # No other tool reports how long soft interrupts wait.
    raised = ours.ns["soft_raise"] / max(ours.runs["soft_raise"], 1)
    results.add("the same: its raise, for the time that it waits", f"{raised:.0f} ns")
    results.add("irqlat, program by program, ns a run", ours.programs(),
                ", ".join(accounts[name].programs() for name in ("hardirqs", "softirqs") if name in accounts))


def each(account, pattern):
    """Nanoseconds of the programs whose names match, for each run of that which sees the exit."""
    ns = sum(ns for name, ns in account.ns.items() if re.search(pattern, name))
    exits = sum(runs for name, runs in account.runs.items() if re.search(pattern, name) and "exit" in name)
    return ns / max(exits, 1)
