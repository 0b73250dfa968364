"""ebpfmux making longer intervals and joined records, beside Miller doing the same; and merging few files and many."""

import shutil

from bench import machine, streams

MLR_TIMES = 10
STREAMS = (1, 2, 4, 8, 16, 32, 64)
# Both for each second: sums of all numbers per host and tool; and all of them in one record, under names of their own.
WINDOW = ["put", "$w = substr0($ts, 0, 18); unset $ts"]
SUMS = ["stats1", "-a", "sum", "--fx", "^(w|host|tool|disk|op)$", "-g", "w,host,tool"]
JOIN = [
    "put", "-q",
    'for (k, v in $*) { if (is_numeric(v)) { @r[substr0($ts, 0, 18)][$host . "." . $tool . "." . k] += v } } '
    'end { emit @r, "ts" }',
]


def measure(bench, results, names):
    """Adds the rows, on these files."""
    records = sum(streams.lines(name) for name in names)
    for what, options, verbs in [
        ("--window 1", ["--window", "1"], [*WINDOW, "then", *SUMS]),
        ("--join", ["--join"], JOIN),
    ]:
        machine.progress(f"merge: {what}")
        seconds, peak = min(streams.piped(bench.ours("ebpfmux", "-q", *options, *names)) for _ in range(3))
        cell = f"{seconds:.2f} s, {seconds / records * 1e9:.0f} ns a record, {peak / 1e6:.1f} MB"
        goal = f"≥ {MLR_TIMES}×"
        if not shutil.which("mlr"):
            results.add(f"the same files: {what}", cell, "mlr not installed", goal)
            continue
        # Miller's time grows with the number of records, too: one file of several will do.
        mlr = streams.piped(["mlr", "--ijsonl", "--ojsonl", *verbs, names[0]])[0] * records / streams.lines(names[0])
        results.add(
            f"the same files: {what}", f"{cell}: {mlr / seconds:.0f}× as fast", f"mlr {mlr:.1f} s (by one file)", goal,
            mlr >= MLR_TIMES * seconds,
        )


def growth(bench, results):
    """Adds a row: what a record costs, out of one file and out of many."""
    records = bench.pick(200_000, 2_000_000)
    costs = []
    for files in STREAMS:
        folder = bench.scratch / "growth"
        folder.mkdir()
        try:
            names = streams.generate(folder, files, records // files)
            best, peak = min(streams.piped(bench.ours("ebpfmux", *names)) for _ in range(bench.pick(3, 5)))
            costs.append((files, best / records * 1e9, peak / 1e6))
        finally:
            shutil.rmtree(folder)
    cell = ", ".join(f"{files}: {cost:.0f} ns" for files, cost, _ in costs)
    results.add(
        f"merge of {records / 1e6:g} M records, per record, out of so many files", cell,
        f"{STREAMS[-1]} files: {costs[-1][2]:.1f} MB", "64 files ≤ 3× 2 files", costs[-1][1] <= 3 * costs[1][1],
    )
