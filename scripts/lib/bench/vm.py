"""What each event costs on another kernel, by its own account, in one boot of a virtual machine (scripts/vm).

The processor is emulated: the numbers compare with each other, not with those of another run or of real hardware."""

import json
import statistics
import subprocess

from bench import machine, table

SHARE = 0.8
PEERS = ["vfsstat", "biolatency", "cachestat", "ext4dist"]

# Name, work and command of each case; the guest's half takes the table as a file. No interval ends
# during the measurement.
CASES = [
    ("vfsstat", "calls", "vfsstat 600"),
    ("libbpf-tools vfsstat", "calls", "peer-vfsstat 600"),
    ("vfsstat, two tasks", "both", "vfsstat 600"),
    ("libbpf-tools vfsstat, two tasks", "both", "peer-vfsstat 600"),
    ("vfsstat --attach kprobe", "calls", "vfsstat --attach kprobe 600"),
    ("vfsstat --attach tracepoint", "calls", "vfsstat --attach tracepoint 600"),
    ("empty fentry", "calls", "empty fentry"),
    ("empty fexit", "calls", "empty fexit"),
    ("empty kretprobe", "calls", "empty kretprobe"),
    ("empty tracepoint", "calls", "empty tracepoint"),
    ("dcstat", "lookups", "dcstat 600"),
    ("dcstat --attach kprobe", "lookups", "dcstat --attach kprobe 600"),
    ("bpftrace, as bcc's dcstat", "lookups", "bpftrace /root/dcstat.bt"),
    ("empty fentry of lookup_fast", "lookups", "empty walkfentry"),
    ("empty kprobe of lookup_fast", "lookups", "empty walkkprobe"),
    ("biolat", "requests", "biolat 600"),
    ("libbpf-tools biolatency", "requests", "peer-biolatency 600"),
    ("empty tp_btf", "requests", "empty tp_btf"),
    ("swapstat", "requests", "swapstat -q 600"),
    ("bpftrace count of bios", "requests", "bpftrace /root/bios.bt"),
    ("cachestat", "cached", "cachestat 600"),
    ("cachestat --attach btf", "cached", "cachestat --attach btf 600"),
    ("cachestat --attach kprobe", "cached", "cachestat --attach kprobe 600"),
    ("libbpf-tools cachestat", "cached", "peer-cachestat 600"),
    ("bpftrace count", "cached", "bpftrace /root/reads.bt"),
    ("fslat", "ext4", "fslat 600"),
    ("fslat --attach kprobe", "ext4", "fslat --attach kprobe 600"),
    ("libbpf-tools ext4dist", "ext4", "peer-ext4dist -t ext4 600"),
]
# What bpftrace counts: the reads that cachestat counts, and nothing of their pages.
READS = "kfunc:vmlinux:{function} {{ @ = count(); }}\n"
# By their kernel: the function that all cached reads pass.
READ_FUNCTIONS = {"5.10": "generic_file_buffered_read"}


# Each bio that is queued, of swap or not: by nothing else does a tracepoint show swapping.
BIOS = "tracepoint:block:block_bio_queue { @ = count(); }\n"

# bcc's dcstat in bpftrace's words, for libbpf-tools has none: by kprobes, as it is.
DCSTAT = """kprobe:lookup_fast { @refs = count(); }
kretprobe:d_lookup { @slow = count(); }
kretprobe:d_lookup /retval == 0/ { @misses = count(); }
"""
# Names in a path of workload's.
NAMES = 7


class Case:
    """What the guest reported of one case, over both its runs."""

    def __init__(self, calls):
        self.calls = calls
        self.failed = None
        self.accounts, self.names = [], {}
        # A round each: program -> (nanoseconds, runs).
        self.rounds = []

    def end_of_run(self):
        for before, after in zip(self.accounts, self.accounts[1:]):
            cost = {}
            for number, (ns, runs) in after.items():
                old_ns, old_runs = before.get(number, (0, 0))
                # The others ran for other work of the guest's shell.
                if runs - old_runs >= self.calls:
                    cost[self.names.get(number, str(number))] = ns - old_ns, runs - old_runs
            self.rounds.append(cost)
        self.accounts, self.names = [], {}

    def check(self):
        """Takes it for failed unless programs saw all of the work in each round."""
        if self.failed is None and not (self.rounds and all(self.rounds)):
            self.failed = "its programs did not see the work"

    def per_call(self, of=min):
        """Nanoseconds per read or write: each is one run."""
        return of(
            sum(ns for ns, _ in cost.values()) / sum(runs for _, runs in cost.values()) for cost in self.rounds
        )

    def per_pair(self):
        """Nanoseconds per read or write that is seen by its entry and its exit: each is two runs."""
        return 2 * self.per_call()

    def per_call_together(self):
        """The same where tasks disturb each other, which the best round would hide."""
        return self.per_call(statistics.median)

    def per_request(self):
        """Nanoseconds per request: each is a run of several programs."""
        return min(sum(ns for ns, _ in cost.values()) / min(runs for _, runs in cost.values()) for cost in self.rounds)

    def programs(self):
        """Nanoseconds a run, program by program."""
        names = sorted({name for cost in self.rounds for name in cost})
        each = {
            name: min(ns / runs for ns, runs in (cost[name] for cost in self.rounds if name in cost)) for name in names
        }
        return ", ".join(f"{name} {ns:.0f}" for name, ns in each.items())


def measure(bench, kernel):
    """The table of a kernel. Also whether all could be measured."""
    # Short rounds: on a busy host many are none the worse for it, and the best are taken.
    rounds, calls, requests = bench.pick((6, 2000, 200), (24, 2000, 300))
    machine.need("bpftool")
    peers = {f"peer-{name}": machine.peer(name) for name in PEERS}
    peers["bpftrace"] = machine.other("bpftrace")
    (bench.scratch / "cases").write_text(
        "".join("\t".join(case) + "\n" for case in CASES if peers.get(case[2].split()[0], case))
    )
    function = READ_FUNCTIONS.get(kernel, "filemap_read")
    (bench.scratch / "reads.bt").write_text(READS.format(function=function))
    (bench.scratch / "dcstat.bt").write_text(DCSTAT)
    (bench.scratch / "bios.bt").write_text(BIOS)
    for name in ["vfsstat", "dcstat", "biolat", "cachestat", "fslat", "swapstat", "workload", "empty"]:
        bench.ours(name)
    files = [bench.root / "scripts/lib/bench/guest", f"{bench.scratch / 'cases'}:/root/cases"]
    files += [f"{bench.scratch / name}:/root/{name}" for name in ["dcstat.bt", "reads.bt", "bios.bt"]]
    programs = {"bpftool": machine.other("bpftool")} | {name: argv for name, argv in peers.items() if argv}
    files += [f"{path}:/usr/local/bin/{name}" for name, [path] in programs.items()]
    command = [bench.root / "scripts/vm", kernel, "--timeout", "1800", "--disk", "1G", "--disk", "256M"]
    for file in files:
        command += ["--file", file]
    command += ["--", "guest", "/root/cases", rounds, calls, requests]
    guest = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if guest.returncode:
        raise machine.CannotMeasure(f"scripts/vm {kernel} ended with status {guest.returncode}")
    sizes = {"calls": calls, "both": calls, "lookups": calls * NAMES, "cached": calls, "ext4": calls, "requests": requests}
    release, cases = parse(guest.stdout, sizes)
    results = table.Table(f"Linux {release}, emulated: for comparison within this table; best of {2 * rounds} rounds")
    return results, rows(results, cases)


def parse(text, sizes):
    """The guest's lines: the kernel, and the cases by name."""
    work = {name: kind for name, kind, _ in CASES}
    release, cases, case = "", {}, None
    for line in text.splitlines():
        kind, *fields = line.split("\t")
        if kind == "kernel":
            release = ", ".join([fields[0].split("-")[0], *fields[1:]])
        elif kind == "start":
            case = cases.setdefault(fields[0], Case(sizes[work[fields[0]]]))
        elif kind == "account":
            numbers = (map(int, field.split(":")) for field in fields)
            case.accounts.append({number: (ns, runs) for number, ns, runs in numbers})
        elif kind == "programs":
            case.names = {item["id"]: item["name"] for item in json.loads(fields[0])}
            case.end_of_run()
        elif kind == "failed":
            case.failed = fields[0] or "no message"
    for case in cases.values():
        case.check()
    return release, cases


def rows(results, cases):
    """Adds the rows; returns whether all of ours could be measured."""
    peer = "libbpf-tools vfsstat"
    for name, attached, empty, rival in [
        ("vfsstat", "fentry, by default", "empty fexit", peer),
        ("vfsstat --attach kprobe", "", "empty kretprobe", None),
        ("vfsstat --attach tracepoint", "", "empty tracepoint", None),
    ]:
        note = f" ({attached})" if attached else ""
        others = [peer, "empty fentry", empty] if rival else [empty]
        row(results, cases, f"cost of a read or write: {name}{note}", name, others, empty, rival, 1, Case.per_call)
    # Whether processors share a counter shows only here, and only where the host has two processors to spare: no goal.
    row(results, cases, "the same, two tasks at once, median of the rounds: vfsstat", "vfsstat, two tasks",
        [f"{peer}, two tasks"], None, None, 1, Case.per_call_together)
    for name, attached, empty, rival in [
        ("dcstat", " (fentry, by default)", "empty fentry of lookup_fast", "bpftrace, as bcc's dcstat"),
        ("dcstat --attach kprobe", "", "empty kprobe of lookup_fast", "bpftrace, as bcc's dcstat"),
    ]:
        row(results, cases, f"cost of a name looked up: {name}{attached}", name, [rival, empty], empty, rival, SHARE,
            Case.per_call)
    rival = "libbpf-tools biolatency"
    row(results, cases, "cost of a request, all programs: biolat", "biolat", [rival, "empty tp_btf"], "empty tp_btf",
        rival, SHARE, Case.per_request)
    rival = "bpftrace count of bios"
    row(results, cases, "cost of a request that is none of swap: swapstat", "swapstat", [rival, "empty tp_btf"],
        "empty tp_btf", rival, SHARE, Case.per_request)
    # libbpf-tools' does not load on each kernel; then what counts the calls alone is all that there is.
    rival = next((other for other in ("libbpf-tools cachestat", "bpftrace count") if ran(cases, other)), None)
    others = ["libbpf-tools cachestat", "bpftrace count"]
    row(results, cases, "cost of a cached read of 4 KiB: cachestat", "cachestat", others, None, rival, SHARE, Case.per_call)
    for name in ["cachestat --attach btf", "cachestat --attach kprobe"]:
        row(results, cases, f"the same: {name}", name, [], None, None, SHARE, Case.per_call)
    rival = "libbpf-tools ext4dist"
    row(results, cases, "cost of a read or write of ext4, entry and exit: fslat", "fslat", [rival], None, rival, SHARE,
        Case.per_pair)
    row(results, cases, "the same: fslat --attach kprobe", "fslat --attach kprobe", [rival], None, None, 1, Case.per_pair)
    for name, rival in [("vfsstat", peer), ("biolat", "libbpf-tools biolatency"), ("fslat", "libbpf-tools ext4dist")]:
        cells = [cases[other].programs() if ran(cases, other) else "" for other in (name, rival)]
        results.add(f"{name}, program by program, ns a run", *cells)
    ours = ["vfsstat", "vfsstat --attach kprobe", "dcstat", "dcstat --attach kprobe", "biolat", "cachestat", "fslat", "swapstat"]
    return all(ran(cases, name) for name in ours)


def ran(cases, name):
    return name in cases and cases[name].failed is None


def row(results, cases, what, name, others, empty, rival, share, of):
    cells = [f"{other} {of(cases[other]):.0f} ns" if ran(cases, other) else why(cases, other) for other in others]
    if not ran(cases, name):
        results.add(what, why(cases, name), ", ".join(cells))
        return
    value = of(cases[name])
    cell = f"{value:.0f} ns"
    if empty and ran(cases, empty):
        cell += f", {value - of(cases[empty]):.0f} more than {empty}"
    if rival and ran(cases, rival):
        limit = share * of(cases[rival])
        cell += f" ({value / of(cases[rival]):.2f}×)"
        results.add(what, cell, ", ".join(cells), f"≤ {share}× {rival}", value <= limit)
    else:
        results.add(what, cell, ", ".join(cells))


def why(cases, name):
    return f"{name}: {cases[name].failed}" if name in cases else f"{name} not installed"
