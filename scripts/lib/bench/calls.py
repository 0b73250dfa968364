"""What vfsstat costs: by the kernel's own account, and by the clock of who reads and writes."""

import subprocess

from bench import attach, bpf, machine, work
from bench.account import together

PEER = "libbpf-tools vfsstat"
# The tools that answer other questions about the same reads and writes.
OTHERS = ["cachestat", "dcstat", "fslat", "syncsnoop"]
# The kind of program that is empty for each rung of vfsstat.
EMPTY = {"fentry": "fexit", "kprobe": "kretprobe", "tracepoint": "tracepoint"}


def measure(bench, results):
    """Adds the rows."""
    kind = rung(bench)
    empty = f"empty {EMPTY[kind]}"
    others = {
        PEER: machine.peer("vfsstat", "1"),
        "bpftrace count": machine.other("bpftrace", "-e", attach.CALLS),
        empty: bench.ours("empty", EMPTY[kind]),
    }
    refusals = {name: bpf.refusal(argv, bench.scratch / "log") for name, argv in others.items()}
    commands = {"vfsstat": bench.ours("vfsstat", "1")}
    commands |= {name: argv for name, argv in others.items() if not refusals[name]}
    account(bench, results, kind, commands, refusals, empty)
    slowed(bench, results, commands, refusals)


def rung(bench):
    """By what vfsstat counts reads on this machine: fentry, kprobe or tracepoint."""
    argv = bench.ours("vfsstat", "--check")
    output = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout
    kinds = [line.split()[1].partition(":")[0] for line in output.splitlines() if line.startswith("reads ")]
    if not kinds or kinds[0] not in EMPTY:
        raise machine.CannotMeasure("vfsstat cannot count reads here: see vfsstat --check")
    return kinds[0]


def account(bench, results, kind, commands, refusals, empty):
    count = bench.pick(20_000, 200_000)
    machine.progress(f"cost: {', '.join(commands)} over 2 times {count} reads and writes")
    accounts = together(bench, commands, lambda: work.calls(bench, count))
    # The programs that ran for each of the calls; the others saw what the bench itself did.
    cost = {name: account.per_run(least=count) for name, account in accounts.items()}
    ours, theirs = cost["vfsstat"], cost.get(PEER)
    cell = f"{ours:.0f} ns"
    if empty in cost:
        cell += f", {ours - cost[empty]:.0f} more than {empty}"
    if theirs:
        cell += f" ({ours / theirs:.2f}×)"
    peers = ", ".join(f"{name} {reason or f'{cost[name]:.0f} ns'}" for name, reason in refusals.items())
    results.add(f"cost of a read or write: vfsstat ({kind})", cell, peers, f"≤ 1× {PEER}", theirs and ours <= theirs)


def slowed(bench, results, commands, refusals):
    tools = {name: bench.ours(name, "1") for name in OTHERS}
    refusals = refusals | {name: bpf.refusal(argv, bench.scratch / "log") for name, argv in tools.items()}
    commands = commands | {name: argv for name, argv in tools.items() if not refusals[name]}
    count, rounds = bench.pick((50_000, 3), (500_000, 10))
    machine.progress(f"cost: {count} cached reads and writes, {rounds} times without a tool and with each")
    took = {name: [] for name in [None, *commands]}
    # In turn, so that a slow moment of the machine does not fall on one only.
    for _ in range(rounds):
        took[None].append(work.calls(bench, count))
        for name, argv in commands.items():
            with machine.running(argv, bench.scratch / "log") as tool:
                bpf.wait_attached(tool, quiet=0.5)
                took[name].append(work.calls(bench, count))
    for index, what in enumerate(("read", "write")):
        best = {name: min(times[index] for times in all_times) for name, all_times in took.items()}
        with_it = {name: f"{ns:.0f} ns ({ns - best[None]:+.0f})" for name, ns in best.items()}
        by_name = {name: reason or with_it[name] for name, reason in refusals.items()}
        peers = ", ".join(f"{name} {by_name[name]}" for name in by_name if name not in OTHERS)
        title = f"a cached {what} of 4 KiB with vfsstat attached, {best[None]:.0f} ns without, best of {rounds}"
        results.add(title, with_it["vfsstat"], peers)
        results.add("the same with another tool attached", ", ".join(f"{name} {by_name[name]}" for name in OTHERS))
