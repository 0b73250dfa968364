"""The most memory that a tool takes, and what its maps take in the kernel."""

from bench import bpf, machine, work

GOAL_MB = 5
INTERVALS = 3


def measure(bench, results):
    """Adds a row for each tool. All run at the same time, over the same work."""
    machine.need("bpftool")
    mux = bench.ours("ebpfmux", "--join", "--run", "biolat 0.5", "--run", "proclife 0.5")
    ours = {
        "proclife": bench.ours("proclife", "0.5"),
        "proclife --events": bench.ours("proclife", "--events"),
        "biolat": bench.ours("biolat", "0.5"),
        "biolat --buckets": bench.ours("biolat", "--buckets", "-o", "json", "0.5"),
        "vfsstat": bench.ours("vfsstat", "0.5"),
        "cachestat": bench.ours("cachestat", "0.5"),
        "dcstat": bench.ours("dcstat", "0.5"),
        "syncsnoop": bench.ours("syncsnoop", "0.5"),
        "shmsnoop": bench.ours("shmsnoop", "0.5"),
        "mountsnoop": bench.ours("mountsnoop", "0.5"),
        "fslat": bench.ours("fslat", "0.5"),
        "fdstat": bench.ours("fdstat", "0.5"),
        "fdstat --events": bench.ours("fdstat", "--events"),
        "oomwatch, locked": bench.ours("oomwatch", "-q"),
        "swapstat": bench.ours("swapstat", "-q", "0.5"),
        "irqlat": bench.ours("irqlat", "0.5"),
        "tcplife": bench.ours("tcplife", "-q"),
        "inetstat": bench.ours("inetstat", "-q", "0.5"),
        "dnslat": bench.ours("dnslat", "-q", "0.5"),
        "sockls": bench.ours("sockls", "-q", "0.5"),
        "ebpfmux --join over two tools": mux,
    }
    others = {
        "proclife": ["exitsnoop", "bpftrace"],
        "proclife --events": ["execsnoop"],
        "biolat": ["biolatency"],
        "vfsstat": ["libbpf-tools vfsstat"],
        "cachestat": ["libbpf-tools cachestat"],
        "dcstat": ["bcc's dcstat"],
        "syncsnoop": ["bpftrace"],
        "fdstat": ["bpftrace"],
        "fdstat --events": ["opensnoop"],
        "shmsnoop": ["bcc's shmsnoop", "bpftrace"],
        "mountsnoop": ["libbpf-tools mountsnoop"],
        "oomwatch, locked": ["oomkill"],
        "swapstat": ["bpftrace's swapin", "bpftrace"],
        "irqlat": ["hardirqs", "softirqs"],
        "tcplife": ["libbpf-tools tcplife"],
        "inetstat": ["libbpf-tools tcptop"],
        "dnslat": ["libbpf-tools gethostlatency"],
    }
    commands = {
        "execsnoop": machine.other("execsnoop"),
        "exitsnoop": machine.other("exitsnoop"),
        "oomkill": machine.other("oomkill"),
        "bpftrace's swapin": machine.other("swapin.bt"),
        "opensnoop": machine.other("opensnoop"),
        "biolatency": machine.other("biolatency", "1"),
        "libbpf-tools vfsstat": machine.peer("vfsstat", "1"),
        "libbpf-tools cachestat": machine.peer("cachestat", "1"),
        "bcc's dcstat": machine.other("dcstat-bpfcc", "1"),
        "bcc's shmsnoop": machine.other("shmsnoop-bpfcc"),
        "libbpf-tools mountsnoop": machine.peer("mountsnoop"),
        "hardirqs": machine.peer("hardirqs", "1"),
        "softirqs": machine.peer("softirqs", "1"),
        "libbpf-tools tcplife": machine.peer("tcplife"),
        "libbpf-tools tcptop": machine.peer("tcptop", "1"),
        "libbpf-tools gethostlatency": machine.peer("gethostlatency"),
        "bpftrace": machine.other("bpftrace", "-e", "tracepoint:sched:sched_process_exec { @[comm] = count(); }"),
    }
    with work.loop_device(bench.scratch) as device:
        sizes = {}
        for name, argv in [*ours.items(), *commands.items()]:
            machine.progress(f"memory: {name}")
            # ebpfmux itself attaches nothing.
            sizes[name] = "ebpfmux" not in name and bpf.refusal(argv, bench.scratch / "log")
            if not sizes[name]:
                sizes[name] = size(bench, argv, device, name)
    for name in ours:
        peers = [f"{peer} {text(sizes[peer])}" for peer in others.get(name, [])]
        if isinstance(sizes[name], str):
            results.add(f"peak memory + maps in the kernel: {name}", sizes[name], ", ".join(peers))
            continue
        peak, maps = sizes[name]
        results.add(
            f"peak memory + maps in the kernel: {name}", text((peak, maps)), ", ".join(peers),
            f"≤ {GOAL_MB} MB", peak <= GOAL_MB * 1e6,
        )


def size(bench, argv, device, name):
    """Bytes: the peak of the process, and its maps."""
    with machine.running(argv, bench.scratch / "log") as tool:
        if "ebpfmux" not in name:
            bpf.wait_attached(tool, quiet=0.5)
        work.programs(bench.pick(300, 1000))
        work.requests(device, bench.pick(1, 3))
        if not tool.alive():
            raise tool.failed()
        return machine.peak_memory(tool.pid), bpf.map_bytes(tool.pid)


def text(sizes):
    if isinstance(sizes, str):
        return sizes
    peak, maps = sizes
    return f"{peak / 1e6:.1f} MB" + (f" + {maps / 1e6:.2f} MB" if maps else "")
