"""From the start of a tool to the moment at which all its programs are attached."""

import statistics
import time

from bench import bpf, machine

GOAL_MS = 10
EXECS = "tracepoint:sched:sched_process_exec { @[comm] = count(); }"
EXEC_LINES = 'tracepoint:sched:sched_process_exec { printf("%d %s\\n", pid, comm); }'
LATENCIES = """
tracepoint:block:block_rq_issue { @start[args->dev, args->sector] = nsecs; }
tracepoint:block:block_rq_complete /@start[args->dev, args->sector]/ {
    @us = hist((nsecs - @start[args->dev, args->sector]) / 1000);
    delete(@start[args->dev, args->sector]);
}"""

# What libbpf-tools' vfsstat counts, by a hook that every kernel has.
CALLS = "".join(f"tracepoint:syscalls:sys_exit_{call}," for call in (
    "read", "pread64", "write", "pwrite64", "fsync", "open", "openat",
)).rstrip(",") + " { @[probe] = count(); }"

# The pages that are fetched into the page cache or written to it, which is all that tracepoints show of every kernel.
ADDITIONS = "tracepoint:filemap:mm_filemap_add_to_page_cache { @[comm] = count(); }"
# What bcc's dcstat attaches to.
LOOKUPS = "kprobe:lookup_fast { @references = count(); } kretprobe:d_lookup /retval == 0/ { @misses = count(); }"

# What syncsnoop reports of the calls, with the same hooks.
SYNC_CALLS = ("sync", "syncfs", "fsync", "fdatasync", "msync", "sync_file_range")
SYNCS = (
    ",".join(f"tracepoint:syscalls:sys_enter_{call}" for call in SYNC_CALLS) + " { @start[tid] = nsecs; }"
    + ",".join(f"tracepoint:syscalls:sys_exit_{call}" for call in SYNC_CALLS)
    + " /@start[tid]/ { @us[probe] = hist((nsecs - @start[tid]) / 1000); delete(@start[tid]); }"
)

# Opens and closes, by a hook that every kernel has.
OPENS = "tracepoint:syscalls:sys_exit_openat,tracepoint:syscalls:sys_exit_close { @[probe] = count(); }"


# What shmsnoop counts where it has tracepoints only, by the same hooks.
SHM = ",".join(f"tracepoint:syscalls:sys_exit_{call}" for call in ("shmget", "shmat", "shmdt", "shmctl")) + (
    " { @calls[probe] = count(); if (args->ret < 0) { @errors[probe] = count(); } }"
)


# What dnslat watches on kernels without functions to attach to, counted.
DEVICES = "tracepoint:net:net_dev_queue,tracepoint:net:netif_receive_skb { @[probe] = count(); }"
# What inetstat counts first, by the same tracepoints.
SOCKETS = "tracepoint:sock:sock_send_length,tracepoint:sock:sock_recv_length { @[probe] = count(); @bytes[probe] = sum(args->ret); }"

# What mountsnoop measures of the calls, by the same hooks.
MOUNT_CALLS = ("mount", "umount", "fsopen", "fsmount", "open_tree", "move_mount", "fsconfig", "pivot_root")
MOUNTS = (
    ",".join(f"tracepoint:syscalls:sys_enter_{call}" for call in MOUNT_CALLS) + " { @start[tid] = nsecs; }"
    + ",".join(f"tracepoint:syscalls:sys_exit_{call}" for call in MOUNT_CALLS)
    + " /@start[tid]/ { @us[probe] = hist((nsecs - @start[tid]) / 1000); delete(@start[tid]); }"
)

# The victims that the kernel marks, which is all that a tracepoint shows.
KILLS = 'tracepoint:oom:mark_victim { printf("%d\\n", args->pid); }'


# All that is queued for disks, which is where swapping shows.
BIOS = "tracepoint:block:block_bio_queue { @[comm] = count(); }"


def cases(bench):
    """Each of ours: its title, its command line, and what it is compared with."""
    return [
        ("proclife", bench.ours("proclife", "1"), {
            "bpftrace count": machine.other("bpftrace", "-e", EXECS),
        }),
        ("proclife --events", bench.ours("proclife", "--events"), {
            "execsnoop": machine.other("execsnoop"),
            "exitsnoop": machine.other("exitsnoop"),
            "bpftrace printf": machine.other("bpftrace", "-e", EXEC_LINES),
        }),
        ("biolat", bench.ours("biolat", "1"), {
            "biolatency": machine.other("biolatency", "1"),
            "bpftrace hist": machine.other("bpftrace", "-e", LATENCIES),
        }),
        ("vfsstat", bench.ours("vfsstat", "1"), {
            "libbpf-tools vfsstat": machine.peer("vfsstat", "1"),
            "bpftrace count": machine.other("bpftrace", "-e", CALLS),
        }),
        ("cachestat", bench.ours("cachestat", "1"), {
            "libbpf-tools cachestat": machine.peer("cachestat", "1"),
            "bpftrace count": machine.other("bpftrace", "-e", ADDITIONS),
        }),
        ("dcstat", bench.ours("dcstat", "1"), {
            "bcc's dcstat": machine.other("dcstat-bpfcc", "1"),
            "bpftrace count": machine.other("bpftrace", "-e", LOOKUPS),
        }),
        ("syncsnoop", bench.ours("syncsnoop", "1"), {
            "bpftrace hist": machine.other("bpftrace", "-e", SYNCS),
        }),
        ("shmsnoop", bench.ours("shmsnoop", "1"), {
            "bcc's shmsnoop": machine.other("shmsnoop-bpfcc"),
            "bpftrace count": machine.other("bpftrace", "-e", SHM),
        }),
        ("mountsnoop", bench.ours("mountsnoop", "1"), {
            "libbpf-tools mountsnoop": machine.peer("mountsnoop"),
            "bpftrace hist": machine.other("bpftrace", "-e", MOUNTS),
        }),
        ("fslat", bench.ours("fslat", "1"), {}),
        ("fdstat", bench.ours("fdstat", "1"), {
            "bpftrace count": machine.other("bpftrace", "-e", OPENS),
        }),
        ("fdstat --events", bench.ours("fdstat", "--events"), {
            "opensnoop": machine.other("opensnoop"),
        }),
        ("oomwatch", bench.ours("oomwatch", "-q"), {
            "oomkill": machine.other("oomkill"),
            "bpftrace printf": machine.other("bpftrace", "-e", KILLS),
        }),
        ("swapstat", bench.ours("swapstat", "-q", "1"), {
            "bpftrace's swapin": machine.other("swapin.bt"),
            "bpftrace count": machine.other("bpftrace", "-e", BIOS),
        }),
        ("tcplife", bench.ours("tcplife", "-q"), {
            "libbpf-tools tcplife": machine.peer("tcplife"),
        }),
        ("inetstat", bench.ours("inetstat", "-q", "1"), {
            "libbpf-tools tcptop": machine.peer("tcptop", "1"),
            "bpftrace count": machine.other("bpftrace", "-e", SOCKETS),
        }),
        ("dnslat", bench.ours("dnslat", "-q", "1"), {
            "libbpf-tools gethostlatency": machine.peer("gethostlatency"),
            "bpftrace's gethostlatency": machine.other("gethostlatency.bt"),
            "bpftrace count": machine.other("bpftrace", "-e", DEVICES),
        }),
        ("sockls", bench.ours("sockls", "-q", "1"), {
            "libbpf-tools tcptop": machine.peer("tcptop", "1"),
        }),
        ("irqlat", bench.ours("irqlat", "1"), {
            "hardirqs": machine.peer("hardirqs", "1"),
            "softirqs": machine.peer("softirqs", "1"),
        }),
    ]


def measure(bench, results):
    """Adds a row for each tool."""
    rounds = bench.pick(5, 20)
    for title, ours, others in cases(bench):
        machine.progress(f"attach: {title}, {rounds} times, and others")
        refusals = {name: bpf.refusal(argv, bench.scratch / "log") for name, argv in {title: ours, **others}.items()}
        if refusals[title]:
            peers = [f"{name} {refusals[name] or 'can'}" for name in others]
            results.add(f"start to attached: {title}", refusals[title], ", ".join(peers))
            continue
        commands = {title: ours, **{name: argv for name, argv in others.items() if not refusals[name]}}
        final = {name: settled(bench, argv) for name, argv in commands.items()}
        times = {name: [] for name in commands}
        # In turn, so that a slow moment of the machine does not fall on one only.
        for _ in range(rounds):
            for name, argv in commands.items():
                times[name].append(once(bench, argv, final[name]))
        peers = [f"{name} {refusals[name] or best_and_median(times[name])}" for name in others]
        median = statistics.median(times[title])
        results.add(
            f"start to attached: {title}, best / median of {rounds}",
            best_and_median(times[title]), ", ".join(peers), f"≤ {GOAL_MS} ms", median <= GOAL_MS,
        )


def best_and_median(times):
    return f"{min(times):.1f} / {statistics.median(times):.1f} ms"


def settled(bench, argv):
    """How many attachments the tool has in the end."""
    with machine.running(argv, bench.scratch / "log") as tool:
        return bpf.wait_attached(tool)


def once(bench, argv, final):
    """Milliseconds from the fork to the last attachment."""
    with machine.running(argv, bench.scratch / "log") as tool:
        deadline = tool.started + 20
        reached = None
        # A trial attachment can come and go on the way: the number must stand for a while.
        while reached is None or time.monotonic() - reached < 0.02:
            if bpf.attached(tool.pid) < final:
                reached = None
            elif reached is None:
                reached = time.monotonic()
            if time.monotonic() > deadline or not tool.alive():
                raise tool.failed()
            # The tool needs a processor, too.
            time.sleep(0.0002)
        return (reached - tool.started) * 1e3
