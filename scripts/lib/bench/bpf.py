"""The kernel's view of BPF programs, maps and links."""

import json
import os
import subprocess
import time
from contextlib import contextmanager

from bench import machine

STATS = "/proc/sys/kernel/bpf_stats_enabled"
ATTACHED = {"anon_inode:bpf_link", "anon_inode:[perf_event]", "anon_inode:bpf-raw-tracepoint"}


def attached(pid):
    """How many attachments (links, perf events, raw tracepoints) a process holds."""
    count = 0
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                try:
                    count += os.readlink(entry.path) in ATTACHED
                except OSError:
                    pass  # Closed since.
    except OSError:
        pass  # Ended since.
    return count


def wait_attached(tool, quiet=1.0, timeout=20.0):
    """Waits until a tool has attached all it attaches: the number has stood still for so many seconds. Returns it."""
    count, since = 0, time.monotonic()
    deadline = since + timeout
    while time.monotonic() < deadline and tool.alive():
        now = attached(tool.pid)
        if now != count:
            count, since = now, time.monotonic()
        elif count and time.monotonic() - since >= quiet:
            return count
        time.sleep(0.02)
    raise tool.failed()


def refusal(argv, log):
    """Why a tool, None where it is not installed, cannot be measured here; None if it can."""
    if not argv:
        return "not installed"
    with machine.running(argv, log) as tool:
        try:
            wait_attached(tool, quiet=0.5)
        except machine.CannotMeasure:
            return f"cannot run here: {tool.last_words()}"
    return None


def held(pid):
    """The ids of the programs and maps that a process holds: `(programs, maps)`."""
    programs, maps = set(), set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{name}") as info:
                for line in info:
                    key, _, value = line.partition(":")
                    if key in ("prog_id", "map_id"):
                        (programs if key == "prog_id" else maps).add(int(value))
        except (OSError, ValueError):
            pass
    return programs, maps


def show(what):
    """bpftool's account of all `prog` or `map` objects, by id."""
    out = subprocess.run(["bpftool", "-j", what, "show"], capture_output=True, text=True, check=True).stdout
    return {item["id"]: item for item in json.loads(out)}


def account(pid):
    """What the programs of a process have cost so far: name -> (nanoseconds, runs)."""
    programs = show("prog")
    cost = {}
    for number in held(pid)[0] & programs.keys():
        item = programs[number]
        ns, runs = cost.get(item["name"], (0, 0))
        cost[item["name"]] = (ns + item.get("run_time_ns", 0), runs + item.get("run_cnt", 0))
    return cost


def map_bytes(pid):
    """The kernel's memory for the maps of a process."""
    programs, maps = held(pid)
    known = show("prog")
    for number in programs & known.keys():
        maps.update(known[number].get("map_ids", []))
    known = show("map")
    return sum(known[number].get("bytes_memlock", 0) for number in maps & known.keys())


@contextmanager
def counting():
    """Has the kernel count what programs cost, as long as the block; afterwards the setting is what it was."""
    with open(STATS) as stats:
        before = stats.read()
    try:
        with open(STATS, "w") as stats:
            stats.write("1")
        yield
    finally:
        with open(STATS, "w") as stats:
            stats.write(before)
