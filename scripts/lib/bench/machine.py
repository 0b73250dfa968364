"""What the parts of the bench share: this machine, its tools, and how to run them."""

import fcntl
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager


class CannotMeasure(Exception):
    """A part cannot be measured here, and why."""


def progress(text):
    """One line about what is being measured."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def widen_path():
    """Cargo as rustup installs it, and the system's own tools, which not every login has in its PATH."""
    cargo = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    os.environ["PATH"] += f":{cargo}/bin:/usr/local/sbin:/usr/sbin:/sbin"


def describe():
    """The machine in some words."""
    return f"Linux {platform.release().split('-')[0]}, {platform.machine()}, {os.cpu_count()} CPUs"


@contextmanager
def alone():
    """Holds the machine as long as the block. The tests that need it for themselves take the same lock."""
    with open(os.path.join(tempfile.gettempdir(), "ebpf-filters-tests.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for a test, or another bench, that holds the machine")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if os.getloadavg()[0] > 1:
            progress(f"the machine is busy (load {os.getloadavg()[0]:.1f}): what follows suffers from it")
        yield


class Bench:
    """The project's binaries, the scratch directory and how much is to be done."""

    def __init__(self, root, quick):
        verbose = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
        host = next(line.split()[1] for line in verbose.splitlines() if line.startswith("host:"))
        target = os.environ.get("CARGO_TARGET_DIR") or root / "target"
        self.binaries = os.path.join(root, target, host, "release")
        self.root, self.quick = root, quick
        self.scratch = None

    def ours(self, name, *args):
        """The command line of one of the project's tools."""
        path = os.path.join(self.binaries, name)
        if not os.access(path, os.X_OK):
            raise CannotMeasure(f"{path} is not built")
        return [path, *args]

    def pick(self, quick, full):
        """One of two sizes of the work."""
        return quick if self.quick else full


def other(name, *args):
    """The command line of another's tool, or None where it is not installed."""
    path = shutil.which(name)
    return path and [path, *args]


def peer(name, *args):
    """The command line of libbpf-tools' tool of this name, or None. Ours may have the name, too, and come first."""
    for folder in os.get_exec_path():
        path = shutil.which(name, path=folder)
        if path and b"libbpf-tools" in subprocess.run([path, "--help"], capture_output=True, check=False).stdout:
            return [path, *args]
    return None


def need(*names):
    """Ends the part unless these programs are there."""
    for name in names:
        if not shutil.which(name):
            raise CannotMeasure(f"{name} is not installed")


class Running:
    """A tool that runs in the background."""

    def __init__(self, argv, log, output=os.devnull):
        """Starts it; its messages go to the file `log`. `started` is the time just before the fork."""
        self.name, self.log = os.path.basename(argv[0]), log
        write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), write, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, str(log), write, 0o600),
        ]
        # Python ignores SIGPIPE, and a job in the background of a script SIGINT: neither is for the tool.
        default = [signal.SIGINT, signal.SIGTERM, signal.SIGPIPE]
        self.started = time.monotonic()
        self.pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=files, setsigdef=default)
        self.ended = False

    def alive(self):
        """Whether it still runs."""
        if not self.ended:
            self.ended = os.waitpid(self.pid, os.WNOHANG) != (0, 0)
        return not self.ended

    def last_words(self):
        """The last line of its messages."""
        with open(self.log, errors="replace") as log:
            lines = log.read().strip().splitlines()
        return lines[-1] if lines else "no message"

    def failed(self):
        """The error to raise when it has ended, or hangs, before its work was done."""
        return CannotMeasure(f"{self.name} did not attach: {self.last_words()}")

    def stop(self):
        """Ends it as Ctrl-C does; by force if that takes longer than three seconds."""
        for number, seconds in [(signal.SIGINT, 3), (signal.SIGKILL, 10)]:
            until = time.monotonic() + seconds
            if self.alive():
                os.kill(self.pid, number)
            while self.alive() and time.monotonic() < until:
                time.sleep(0.005)


@contextmanager
def running(argv, log, output=os.devnull):
    """A tool that runs as long as the block."""
    tool = Running(argv, log, output)
    try:
        yield tool
    finally:
        tool.stop()


def peak_memory(pid):
    """The most memory (resident set) that a process has had, in bytes. Not from wait4(2), where the memory of the
    process that forked counts too."""
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
