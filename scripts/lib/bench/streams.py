"""The streams that ebpfmux is measured with, and how long a program takes to write what it makes of them."""

import os
import random
import select
import shutil
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta, timezone

from bench import machine

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
TAILS = 4096


def piped(argv):
    """Seconds until `argv | cat > /dev/null` has ended, and the peak memory of the first."""
    environment = os.environ | {"LC_ALL": "C"}
    started = time.monotonic()
    first = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment)
    second = subprocess.Popen(["cat"], stdin=first.stdout, stdout=subprocess.DEVNULL)
    first.stdout.close()
    peak = 0
    # The end of the last reader is the end of all.
    end = select.poll()
    descriptor = os.pidfd_open(second.pid)
    end.register(descriptor, select.POLLIN)
    while not end.poll(10):
        peak = max(peak, machine.peak_memory(first.pid))
    seconds = time.monotonic() - started
    os.close(descriptor)
    second.wait()
    if first.wait() != 0:
        raise machine.CannotMeasure(f"{os.path.basename(argv[0])} ended with status {first.returncode}")
    return seconds, peak


def lines(name):
    """The number of records in a file."""
    with open(name, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def generate(folder, files, records):
    """Writes the files and returns their names. Each is in order; no two records have the same time, and the next
    record in time is mostly in another file."""
    names = [str(folder / f"{number:02}.ndjson") for number in range(files)]
    need = files * records * 250
    if shutil.disk_usage(folder).free < need * 1.1:
        raise machine.CannotMeasure(f"{folder} has no room for {need / 1e9:.1f} GB (--scratch names another place)")
    with open("/proc/meminfo") as meminfo:
        available = next(int(line.split()[1]) * 1024 for line in meminfo if line.startswith("MemAvailable"))
    if available < need * 1.2:
        raise machine.CannotMeasure(f"the page cache cannot hold {need / 1e9:.1f} GB: that would measure the disk")
    machine.progress(f"merge: writing {files} files of {records} records")
    with ProcessPoolExecutor() as pool:
        list(pool.map(write, names, range(files), [files] * files, [records] * files))
    # Or the writing to the disk would go on during the measurement.
    os.sync()
    return names


def write(name, number, files, records):
    """One file: what one host's tool would have written."""
    rng = random.Random(number)
    # Rendering numbers is slow here: records share a stock of endings.
    make = biolat if number % 8 == 7 else proclife
    tails = [make(rng, f"web{number:02}") for _ in range(TAILS)]
    jitter = [rng.randrange(files) for _ in range(TAILS)]
    second, prefix = -1, ""
    with open(name, "w", buffering=1 << 20) as out:
        for index in range(records):
            # In microseconds: no two files have the same remainder by their number.
            at = (index * files + jitter[index % TAILS]) * files + number
            now, micros = divmod(at, 1_000_000)
            if now != second:
                second, prefix = now, (START + timedelta(seconds=now)).strftime("%Y-%m-%dT%H:%M:%S")
            out.write(f'{{"ts":"{prefix}.{micros:06}Z",{tails[(index * 7) % TAILS]}')


def proclife(rng, host):
    counts = [rng.randrange(5000) for _ in range(6)]
    names = ["forks", "threads", "execs", "exits", "thread_exits", "reaped"]
    fields = "".join(f'"{name}":{count},' for name, count in zip(names, counts))
    return (f'"host":"{host}","tool":"proclife","interval_s":{1 + rng.random() / 1000:.6f},{fields}"fork_errors":0,'
            f'"exec_errors":{rng.randrange(100)},"zombies":{rng.randrange(10)},"lost":0}}\n')


def biolat(rng, host):
    def latency(prefix):
        times = sorted(rng.randrange(1000, 9_000_000) / 1000 for _ in range(7))
        names = ["min", "mean", "p50", "p90", "p99", "p999", "max"]
        return "".join(f'"{prefix}{name}_us":{micros},' for name, micros in zip(names, times))

    count = rng.randrange(5000)
    return (f'"host":"{host}","tool":"biolat","interval_s":{1 + rng.random() / 1000:.6f},"disk":"nvme0n1","op":"read",'
            f'"count":{count},{latency("")}"queue_count":{count},{latency("queue_")}"bytes":{count * 4096},'
            '"errors":0,"lost":0}\n')
