"""What each event costs, by the kernel's own account (kernel.bpf_stats_enabled)."""

from bench import attach, calls, configs, interrupts, machine, sockets, work
from bench.account import together

SHARE = 0.8
EVENT_NS = 2000


def measure(bench, results):
    """Adds the rows."""
    machine.need("bpftool")
    requests(bench, results)
    processes(bench, results)
    calls.measure(bench, results)
    syncs(bench, results)
    opens(bench, results)


    segments(bench, results)
    mounts(bench, results)
    connections(bench, results)
    datagrams(bench, results)
    queries(bench, results)
    sockets.measure(bench, results)
    interrupts.measure(bench, results)


def requests(bench, results):
    seconds = bench.pick(2, 10)
    machine.progress(f"cost: biolat and biolatency over fio on a loop device, 2 times {seconds} s")
    peer = machine.other("biolatency", "1")
    commands = {"biolat": bench.ours("biolat", "1"), "mapstat": configs.compiled(bench, "biolatency")}
    commands |= {"biolatency": peer} if peer else {}
    with work.loop_device(bench.scratch) as device:
        accounts = together(bench, commands, lambda: work.requests(device, seconds))
    ours, theirs = accounts["biolat"], accounts.get("biolatency")
    completed = {"biolat": ours.runs_of("^on_complete$"), "biolatency": theirs and theirs.runs_of("rq_complete")}

    def row(what, of):
        value = of(ours, completed["biolat"])
        if not theirs:
            results.add(what, f"{value:.0f} ns", "biolatency not installed", f"≤ {SHARE}× biolatency")
            return
        other = of(theirs, completed["biolatency"])
        ratio = f"{value:.0f} ns ({value / other:.2f}×)"
        results.add(what, ratio, f"biolatency {other:.0f} ns", f"≤ {SHARE}× biolatency", value <= SHARE * other)

    row(f"cost of a request, all programs ({completed['biolat']} requests)", lambda account, count: account.per(count))
    row("cost of a program's run, biolat", lambda account, _: account.per(account.runs.total()))
    # The same question by a config like ebpf_exporter's biolatency: device times alone, in buckets of powers of two.
    config = accounts["mapstat"]
    value, own = config.per(config.runs_of("rq_completed")), ours.per(completed["biolat"])
    results.add("cost of a request, mapstat with a config like ebpf_exporter's biolatency", f"{value:.0f} ns",
                f"biolat {own:.0f} ns")
    results.add("program by program, ns a run", ours.programs(), theirs.programs() if theirs else "")


def processes(bench, results):
    count = bench.pick(1000, 5000)
    machine.progress(f"cost: proclife, execsnoop and exitsnoop over 2 times {count} programs started")
    commands = {
        "events": bench.ours("proclife", "--events"),
        "counts": bench.ours("proclife", "1"),
        "execsnoop": machine.other("execsnoop"),
        "exitsnoop": machine.other("exitsnoop"),
    }
    commands = {name: argv for name, argv in commands.items() if argv}
    accounts = together(bench, commands, lambda: work.programs(count))

    # execsnoop prints one event for two runs, at the entry and the exit of execve; exitsnoop one a run.
    cells = []
    for name, event, pattern in [("execsnoop", "exec", "exit"), ("exitsnoop", "exit", "exit")]:
        account = accounts.get(name)
        cost = f"{account.per(account.runs_of(pattern)):.0f} ns per {event}" if account else "not installed"
        cells.append(f"{name} {cost}")
    events = accounts["events"]
    value = events.per(events.lines)
    results.add(
        f"cost of a streamed process event, all programs ({events.lines} records)", f"{value:.0f} ns",
        ", ".join(cells), f"≤ {EVENT_NS} ns", value <= EVENT_NS,
    )
    others = [accounts[name].programs() for name in ("execsnoop", "exitsnoop") if name in accounts]
    results.add("proclife --events, program by program, ns a run", events.programs(), ", ".join(others))

    counts = accounts["counts"]
    # The walk over all tasks belongs to an interval, not to an event.
    walk = {"count_zombies"}
    seen = sum(counts.runs_of(f"^{name}$") for name in ("on_fork", "on_exec", "on_exit"))
    value = counts.per(seen, without=walk)
    results.add(f"cost of a counted process event, all programs ({seen} events)", f"{value:.0f} ns")
    results.add("proclife, program by program, ns a run", counts.programs())


def syncs(bench, results):
    count = bench.pick(5_000, 50_000)
    commands = {
        "counts": bench.ours("syncsnoop", "1"),
        "events": bench.ours("syncsnoop", "--min-us", "1000"),
        "left out": bench.ours("syncsnoop", "--comm", "no-such-name", "--user", "!65534", "1"),
        "bpftrace": machine.other("bpftrace", "-e", attach.SYNCS),
    }
    commands = {name: argv for name, argv in commands.items() if argv}
    machine.progress(f"cost: syncsnoop and bpftrace over 2 times {count} fsyncs of a file in memory")
    accounts = together(bench, commands, lambda: work.syncs(count))
    # Its entry and its exit, in both orders of the tools.
    cost = {name: account.per(2 * count) for name, account in accounts.items()}
    ours, theirs = cost["counts"], cost.get("bpftrace")
    results.add(
        "cost of a call, entry and exit: syncsnoop", f"{ours:.0f} ns" + (f" ({ours / theirs:.2f}×)" if theirs else ""),
        f"bpftrace hist {theirs:.0f} ns" if theirs else "bpftrace not installed", "≤ 0.8× bpftrace",
        theirs and ours <= 0.8 * theirs,
    )
    results.add("the same: syncsnoop --events, of calls that are too quick to be reported", f"{cost['events']:.0f} ns")
    left_out = cost["left out"]
    results.add("the same: syncsnoop --comm --user, of calls that are left out", f"{left_out:.0f} ns",
                f"counted {ours:.0f} ns", "< counted", left_out < ours)


def opens(bench, results):
    count = bench.pick(5_000, 50_000)
    commands = {
        "counts": bench.ours("fdstat", "-q", "1"),
        "events": bench.ours("fdstat", "-q", "--events", "-o", "json"),
        "opensnoop": machine.other("opensnoop"),
        "bpftrace": machine.other("bpftrace", "-e", attach.OPENS),
    }
    commands = {name: argv for name, argv in commands.items() if argv}
    machine.progress(f"cost: fdstat, opensnoop and bpftrace over 2 times {count} opens and closes")
    accounts = together(bench, commands, lambda: work.opens(count))
    # In both orders of the tools. The walk over all tasks belongs to an interval, not to an event.
    cost = {name: account.per(2 * count, without={"count_fds"}) for name, account in accounts.items()}
    ours, theirs = cost["events"], cost.get("opensnoop")
    results.add(
        "cost of an open that is reported, and its close: fdstat --events",
        f"{ours:.0f} ns" + (f" ({ours / theirs:.2f}×)" if theirs else ""),
        f"opensnoop {theirs:.0f} ns" if theirs else "opensnoop not installed", f"≤ {SHARE}× opensnoop",
        theirs and ours <= SHARE * theirs,
    )
    peer = f"bpftrace count {cost['bpftrace']:.0f} ns" if "bpftrace" in cost else "bpftrace not installed"
    results.add("cost of an open and a close: fdstat", f"{cost['counts']:.0f} ns", peer)
    results.add("fdstat --events, program by program, ns a run", accounts["events"].programs(),
                accounts["opensnoop"].programs() if theirs else "")


def segments(bench, results):
    count = bench.pick(1_000, 10_000)
    commands = {
        "counts": bench.ours("shmsnoop", "-q", "1"),
        "events": bench.ours("shmsnoop", "-q", "--events", "-o", "json"),
        "shmsnoop": machine.other("shmsnoop-bpfcc"),
        "bpftrace": machine.other("bpftrace", "-e", attach.SHM),
    }
    commands = {name: argv for name, argv in commands.items() if argv}
    machine.progress(f"cost: shmsnoop and bpftrace over 2 times {count} segments of shared memory")
    accounts = together(bench, commands, lambda: work.segments(bench, count))
    # Six calls for each, in both orders of the tools.
    cost = {name: account.per(2 * 6 * count) for name, account in accounts.items()}
    ours, theirs = cost["counts"], cost.get("bpftrace")
    others = [f"bpftrace count {theirs:.0f} ns" if theirs else "bpftrace not installed"]
    results.add(
        "cost of a call: shmsnoop", f"{ours:.0f} ns" + (f" ({ours / theirs:.2f}×)" if theirs else ""),
        ", ".join(others), "≤ 0.8× bpftrace", theirs and ours <= 0.8 * theirs,
    )
    snoop = cost.get("shmsnoop")
    results.add("the same: shmsnoop --events", f"{cost['events']:.0f} ns",
                f"bcc's shmsnoop {snoop:.0f} ns" if snoop else "bcc's shmsnoop not installed")


def mounts(bench, results):
    count = bench.pick(1_000, 10_000)
    commands = {
        "events": bench.ours("mountsnoop", "-q", "--events", "-o", "json"),
        "counts": bench.ours("mountsnoop", "-q", "1"),
        "mountsnoop": machine.peer("mountsnoop"),
        "bpftrace": machine.other("bpftrace", "-e", attach.MOUNTS),
    }
    commands = {name: argv for name, argv in commands.items() if argv}
    machine.progress(f"cost: mountsnoop, libbpf-tools' mountsnoop and bpftrace over 2 times {count} failing mounts and umounts")
    accounts = together(bench, commands, lambda: work.mounts(bench, count))
    # Four calls each, in both orders of the tools.
    cost = {name: account.per(2 * 4 * count) for name, account in accounts.items()}
    for title, ours, name, theirs in [
        ("cost of a call, entry and exit: mountsnoop --events", "events", "libbpf-tools mountsnoop", "mountsnoop"),
        ("the same: mountsnoop 1", "counts", "bpftrace hist", "bpftrace"),
    ]:
        value, other = cost[ours], cost.get(theirs)
        results.add(title, f"{value:.0f} ns" + (f" ({value / other:.2f}×)" if other else ""),
                    f"{name} {other:.0f} ns" if other else f"{name} not installed",
                    f"≤ {SHARE}× {name}", other and value <= SHARE * other)


def connections(bench, results):
    count = bench.pick(2_000, 10_000)
    commands = {
        "events": bench.ours("tcplife", "-q", "--events", "-o", "json"),
        "counts": bench.ours("tcplife", "-q", "1"),
        "sockets": bench.ours("sockls", "-q", "3600"),
        "tcplife": machine.peer("tcplife"),
    }
    commands = {name: argv for name, argv in commands.items() if argv}
    machine.progress(f"cost: tcplife and libbpf-tools' tcplife over 2 times {count} connections to this machine itself")
    accounts = together(bench, commands, lambda: work.connections(bench, count))
    # Both ends of each, in both orders of the tools.
    cost = {name: account.per(4 * count) for name, account in accounts.items()}
    ours, theirs = cost["events"], cost.get("tcplife")
    results.add(
        "cost of a connection's end, from open to closed: tcplife --events",
        f"{ours:.0f} ns" + (f" ({ours / theirs:.2f}×)" if theirs else ""),
        f"libbpf-tools tcplife {theirs:.0f} ns" if theirs else "libbpf-tools tcplife not installed",
        f"≤ {SHARE}× tcplife", theirs and ours <= SHARE * theirs,
    )
    results.add("the same: tcplife 1", f"{cost['counts']:.0f} ns")
    results.add("the same: sockls with INTERVAL", f"{cost['sockets']:.0f} ns")
    results.add("tcplife --events, program by program, ns a run", accounts["events"].programs(),
                accounts["tcplife"].programs() if theirs else "")


def datagrams(bench, results):
    count = bench.pick(20_000, 200_000)
    commands = {
        "system": bench.ours("inetstat", "-q", "1"),
        "process": bench.ours("inetstat", "-q", "--by", "process", "1"),
        "bpftrace": machine.other("bpftrace", "-e", attach.SOCKETS),
    }
    commands = {name: argv for name, argv in commands.items() if argv}
    machine.progress(f"cost: inetstat and bpftrace over 2 times {count} datagrams to this machine itself")
    accounts = together(bench, commands, lambda: work.packets(count))
    # A send and a receive of each, in both orders of the tools.
    cost = {name: account.per(4 * count) for name, account in accounts.items()}
    ours, theirs = cost["system"], cost.get("bpftrace")
    results.add(
        "cost of a send or receive: inetstat", f"{ours:.0f} ns" + (f" ({ours / theirs:.2f}×)" if theirs else ""),
        f"bpftrace count and sum {theirs:.0f} ns" if theirs else "bpftrace not installed", f"≤ {SHARE}× bpftrace",
        theirs and ours <= SHARE * theirs,
    )
    results.add("the same: inetstat --by process", f"{cost['process']:.0f} ns")


def queries(bench, results):
    count = bench.pick(10_000, 50_000)
    commands = {
        "counts": bench.ours("dnslat", "-q", "1"),
        "events": bench.ours("dnslat", "-q", "--events", "-o", "json"),
        "bpftrace": machine.other("bpftrace", "-e", attach.DEVICES),
    }
    commands = {name: argv for name, argv in commands.items() if argv}
    machine.progress(f"cost: dnslat and bpftrace over 2 times {count} packets to this machine itself, and as many queries")
    accounts = together(bench, commands, lambda: work.packets(count))
    # Each is sent and received, in both orders of the tools.
    cost = {name: account.per(4 * count) for name, account in accounts.items()}
    ours, theirs = cost["counts"], cost.get("bpftrace")
    results.add(
        "cost of a datagram that is none of DNS, sent or received: dnslat",
        f"{ours:.0f} ns" + (f" ({ours / theirs:.2f}×)" if theirs else ""),
        f"bpftrace count {theirs:.0f} ns" if theirs else "bpftrace not installed", f"≤ {SHARE}× bpftrace",
        theirs and ours <= SHARE * theirs,
    )
    accounts = together(bench, commands, lambda: work.queries(count))
    cost = {name: account.per(2 * count) for name, account in accounts.items()}
    results.add("cost of a query of DNS and its answer: dnslat", f"{cost['counts']:.0f} ns")
    results.add("the same: dnslat --events", f"{cost['events']:.0f} ns")
