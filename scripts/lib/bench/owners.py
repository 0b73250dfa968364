"""What it costs to track many owners: reading a hundred thousand of them at the end of an interval, and ten."""

import re
import time

from bench import bpf, machine

MANY, FEW = 100_000, 10
GOAL_SECONDS, GOAL_MB, GOAL_MS = 0.5, 64, 1


def measure(bench, results):
    """Adds the rows."""
    machine.progress(f"owners: vfsstat --by comm, {MANY} names in an interval")
    cpu, peak, records, maps = many(bench)
    results.add(
        f"reading and printing {records} owners of one interval: vfsstat --by comm", f"{cpu:.2f} s of CPU, {peak / 1e6:.1f} MB",
        f"its maps: {maps / 1e6:.1f} MB", f"≤ {GOAL_SECONDS} s, ≤ {GOAL_MB} MB",
        records > MANY and cpu <= GOAL_SECONDS and peak <= GOAL_MB * 1e6,
    )
    machine.progress(f"owners: vfsstat --by comm, {FEW} names in each interval")
    each = few(bench, rounds=bench.pick(20, 50)) * 1e3
    results.add(
        f"an interval with {FEW} owners: vfsstat --by comm", f"{each:.2f} ms of CPU", "", f"≤ {GOAL_MS} ms", each <= GOAL_MS
    )


def rename(count):
    """Gives this thread so many names, one after the other; a write(2) by each. The names go with the thread's last."""
    with open("/proc/thread-self/comm", "rb+", buffering=0) as comm:
        before = comm.read()
        for number in range(count):
            comm.write(b"bench %d" % number)
        comm.write(before.strip())


def many(bench):
    """Seconds of CPU that the interval with many owners took, the tool's peak in bytes, the records, and its maps."""
    output = bench.scratch / "owners"
    argv = bench.ours("vfsstat", "-q", "-o", "json", "--by", "comm", "--map-size", str(2 * MANY), "3")
    with machine.running(argv, bench.scratch / "log", output) as tool:
        bpf.wait_attached(tool, quiet=0.5)
        before = until_new(output, 0)
        # Right at the begin of an interval, so that all fall in one.
        used = cpu_seconds(tool.pid)
        rename(MANY)
        until_new(output, before)
        time.sleep(0.5)
        return cpu_seconds(tool.pid) - used, machine.peak_memory(tool.pid), largest(output), bpf.map_bytes(tool.pid)


def few(bench, rounds):
    """Seconds of CPU for each interval with a few owners."""
    argv = bench.ours("vfsstat", "-q", "-o", "json", "--by", "comm", "0.1")
    with machine.running(argv, bench.scratch / "log") as tool:
        bpf.wait_attached(tool, quiet=0.5)
        used, start = cpu_seconds(tool.pid), time.monotonic()
        for _ in range(rounds):
            rename(FEW)
            time.sleep(0.1)
        return (cpu_seconds(tool.pid) - used) / ((time.monotonic() - start) / 0.1)


def until_new(output, size):
    """Waits until there is more in a file than that; how much there is."""
    while output.stat().st_size <= size:
        time.sleep(0.002)
    return output.stat().st_size


def largest(output):
    """The most records that an interval has."""
    text = output.read_text()
    times = re.findall(r'^\{"ts":"([^"]*)"', text, re.MULTILINE)
    counts = {}
    for ts in times:
        counts[ts] = counts.get(ts, 0) + 1
    return max(counts.values())


def cpu_seconds(pid):
    """What a process has had of the processors."""
    with open(f"/proc/{pid}/schedstat") as stat:
        return int(stat.read().split()[0]) / 1e9
