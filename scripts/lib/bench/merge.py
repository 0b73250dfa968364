"""ebpfmux merging files by time, beside what merges, copies, parses, adds up and joins."""

import os
import shutil
import subprocess

from bench import combine, machine, streams

CAT_TIMES, JQ_TIMES, GOAL_MB = 1.2, 30, 5


def measure(bench, results):
    """Adds the rows of each size."""
    machine.need("sort", "cat", "cmp", "bash")
    for files, records in bench.pick([(8, 200_000)], [(8, 2_000_000), (16, 16_000_000)]):
        one_size(bench, results, files, records)
    combine.growth(bench, results)


def one_size(bench, results, files, records):
    rounds = bench.pick(3, 5)
    folder = bench.scratch / "merge"
    folder.mkdir()
    try:
        names = streams.generate(folder, files, records // files)
        size = sum(os.path.getsize(name) for name in names)
        title = f"{files} files, {records / 1e6:g} M records, {size / 1e6:.0f} MB"
        machine.progress(f"merge: {title}, best of {rounds}")
        mux = bench.ours("ebpfmux", *names)
        commands = {"cat": ["cat", *names], "sort": ["sort", "-m", *names], "mux": mux}
        # cmp reads both to the end: the files are in the page cache from here on.
        same = subprocess.run(
            ["bash", "-c", 'cmp <("$0" "$@") <(LC_ALL=C sort -m "$@")', *mux], stdin=subprocess.DEVNULL
        ).returncode == 0
        best = {name: float("inf") for name in commands}
        peak = 0
        for _ in range(rounds):
            for name, argv in commands.items():
                seconds, memory = streams.piped(argv)
                best[name] = min(best[name], seconds)
                peak = max(peak, memory if name == "mux" else 0)
        add_rows(results, title, best, rounds, same, peak)
        parse(results, names, best["mux"])
        # The numbers are per record: more of them say nothing new.
        if records <= 2_000_000:
            combine.measure(bench, results, names)
    finally:
        shutil.rmtree(folder)


def add_rows(results, title, best, rounds, same, peak):
    mux = best["mux"]
    what = f"merge into a pipe, best of {rounds}: {title}"
    results.add(what, f"{mux:.2f} s", f"sort -m {best['sort']:.2f} s", "< sort -m", mux < best["sort"])
    results.add(
        "the same beside cat", f"{mux / best['cat']:.2f}×", f"cat {best['cat']:.2f} s", f"≤ {CAT_TIMES}× cat",
        mux <= CAT_TIMES * best["cat"],
    )
    results.add("the same: peak memory", f"{peak / 1e6:.1f} MB", "", f"≤ {GOAL_MB} MB", peak <= GOAL_MB * 1e6)
    results.add("the same: every byte as sort -m has it", "yes" if same else "no", "", "yes", same)


def parse(results, names, mux):
    """jq, once and on one of the files: it is slow, and its time grows with the number of records."""
    if not shutil.which("jq"):
        results.add("the same beside jq -c .", "", "jq not installed", f"≥ {JQ_TIMES}×")
        return
    machine.progress("merge: jq over one of the files")
    seconds = streams.piped(["jq", "-c", ".", names[0]])[0] * len(names)
    results.add(
        "the same beside jq -c .", f"{seconds / mux:.0f}× as fast",
        f"jq {seconds:.1f} s ({len(names)} times its time for one file)", f"≥ {JQ_TIMES}×", seconds >= JQ_TIMES * mux,
    )
