"""How long a look at very many open sockets takes."""

import os
import statistics
import subprocess
import time
from contextlib import ExitStack, contextmanager

from bench import machine

# It tells more sockets than its peer.
SHARE = 1
SECONDS = 1
# As the tests have it.
MEMORY_MIB = 64


def measure(bench, results):
    """Adds the rows."""
    holders, udp, pairs = bench.pick((1, 1_000, 200), (6, 12_000, 2_300))
    rounds = bench.pick(3, 10)
    count = holders * (udp + 101 + 2 * pairs)
    commands = {
        "sockls": bench.ours("sockls", "-q", "-o", "json"),
        "sum": bench.ours("sockls", "-q", "-o", "json", "--sum", "comm,state"),
        # The same sockets as far as it can, with what sockls tells of them.
        "ss": machine.other("ss", "-a", "-t", "-u", "-n", "-p", "-i", "-e"),
    }
    commands = {name: argv for name, argv in commands.items() if argv}
    machine.progress(f"cost: sockls and ss over {count} open sockets, {rounds} times")
    with ExitStack() as stack:
        for _ in range(holders):
            stack.enter_context(held(bench, udp, pairs))
        looks = {name: [] for name in commands}
        # In turn, so that a slow moment of the machine does not fall on one only.
        for _ in range(rounds):
            for name, argv in commands.items():
                looks[name].append(look(argv))
        with machine.running(bench.ours("sockls", "-q", "-o", "json", "1"), bench.scratch / "log") as tool:
            time.sleep(5)
            again = machine.peak_memory(tool.pid)
    ours, theirs = looks["sockls"], looks.get("ss")
    cpu, other = median(ours, 1), theirs and median(theirs, 1)
    results.add(
        f"a look at {count} sockets, time / processor time of {rounds}: sockls",
        text(ours) + (f" ({cpu / other:.2f}×)" if other else ""),
        f"ss -tunapie, without the {holders * udp} unbound ones, {text(theirs)}" if theirs else "ss not installed",
        f"≤ {SHARE}× ss's processor time", other and cpu <= SHARE * other,
    )
    results.add("the same without a record for each: sockls --sum comm,state", text(looks["sum"]), "", f"≤ {SECONDS} s",
                median(looks["sum"], 0) <= SECONDS)
    results.add(f"peak memory over {count} sockets: sockls 1", f"{again / (1 << 20):.1f} MiB", "", f"≤ {MEMORY_MIB} MiB",
                again <= MEMORY_MIB << 20)


def text(looks):
    return f"{median(looks, 0):.2f} / {median(looks, 1):.2f} s"


def median(looks, place):
    return statistics.median(one[place] for one in looks)


def look(argv):
    """Runs a command to its end: seconds, and seconds of processor time."""
    begin = time.monotonic()
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise machine.CannotMeasure(f"{argv[0]} ended with {child.returncode}")
    return time.monotonic() - begin, usage.ru_utime + usage.ru_stime


@contextmanager
def held(bench, udp, pairs):
    """A process that holds so many sockets of UDP, 101 listeners, and both ends of so many connections."""
    argv = bench.ours("workload", "sockets", "--hold", "--udp", str(udp), "--listeners", "101", "--pairs", str(pairs),
                      "--bytes", "7")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        while (line := holder.stdout.readline()) and line.strip() != "held":
            pass
        if not line:
            raise machine.CannotMeasure("the workload could not open its sockets")
        yield
        holder.stdin.close()
