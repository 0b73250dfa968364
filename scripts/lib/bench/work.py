"""Work for the tools to see."""

import json
import os
import socket
import subprocess
from contextlib import contextmanager

from bench import machine


def programs(count):
    """Starts a small program so many times and waits for each."""
    loop = 'i=0; while [ "$i" -lt "$1" ]; do /bin/true; i=$((i + 1)); done'
    subprocess.run(["sh", "-c", loop, "sh", str(count)], stdin=subprocess.DEVNULL, check=True)


def calls(bench, count):
    """So many cached reads of 4 KiB and as many writes: nanoseconds that each took, `(read, write)`."""
    file = bench.scratch / "calls"
    argv = bench.ours("workload", "calls", "--file", str(file), "--reads", str(count), "--writes", str(count),
                      "--bytes", "4096")
    try:
        output = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    finally:
        file.unlink(missing_ok=True)
    took = json.loads(output)
    return took["read_ns"] / count, took["write_ns"] / count


def syncs(count):
    """Forces a file in memory to a disk that it has not, so many times: nothing but the call."""
    file = os.memfd_create("bench")
    try:
        for _ in range(count):
            os.fsync(file)
    finally:
        os.close(file)


def opens(count):
    """Opens a file that is always there and closes it, so many times."""
    for _ in range(count):
        os.close(os.open("/dev/null", os.O_RDONLY))


def segments(bench, count):
    """Creates so many segments of System V shared memory, each attached twice, detached twice and removed."""
    argv = bench.ours("workload", "shm", "--times", str(count))
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


def mounts(bench, count):
    """Calls mount(2) twice and umount(2) twice, so many times, all of which fail."""
    argv = bench.ours("workload", "mounts", "--directory", str(bench.scratch), "--fails", str(count))
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


def packets(count):
    """Sends so many packets over the loopback device, each after the last has come: a soft interrupt each."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        here.bind(("127.0.0.1", 0))
        for _ in range(count):
            here.sendto(b"x", here.getsockname())
            here.recv(8)


def queries(count):
    """Asks so many queries of DNS of this machine itself, each after the answer to the last."""
    query = bytes.fromhex("000701000001000000000000") + b"\x07example\x03com" + bytes.fromhex("0000010001")
    answer = query[:2] + b"\x81\x80" + query[4:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        server.bind(("127.0.0.54", 53))
        for _ in range(count):
            asker.sendto(query, server.getsockname())
            server.sendto(answer, server.recvfrom(512)[1])
            asker.recv(512)


def connections(bench, count):
    """Opens so many connections to this machine itself and closes them, from one process to another."""
    argv = bench.ours("workload", "tcp", "--how", "storm", "--backlog", "4096", "--times", str(count))
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


def direct_reads(bench, count):
    """Reads so often 4 KiB of a file past the page cache, one after the other: interrupts of its disk."""
    file = bench.scratch / "direct"
    file.write_bytes(bytes(8 << 20))
    argv = bench.ours("workload", "io", "--file", str(file), "--reads", str(count), "--writes", "0", "--bytes", "4096")
    try:
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    finally:
        file.unlink()


def requests(device, seconds):
    """Random reads and writes of 4 KiB, eight under way, straight to a device."""
    subprocess.run(
        ["fio", "--name=bench", f"--filename={device}", "--direct=1", "--rw=randrw", "--bs=4k", "--ioengine=libaio",
         "--iodepth=8", "--time_based", f"--runtime={seconds}", "--output=/dev/null"],
        stdin=subprocess.DEVNULL, check=True,
    )


@contextmanager
def loop_device(scratch):
    """A loop device on a scratch file, as long as the block."""
    machine.need("losetup", "fio")
    file = scratch / "disk"
    # Written, not sparse: the first write to a hole costs the file system's work.
    with open(file, "wb") as disk:
        for _ in range(256):
            disk.write(bytes(1 << 20))
    made = subprocess.run(["losetup", "--find", "--show", str(file)], capture_output=True, text=True)
    if made.returncode:
        raise machine.CannotMeasure(f"losetup: {made.stderr.strip()}")
    device = made.stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=False)
        file.unlink()
