# The steps of scripts/test: each is run, shown, counted, and stands in the table at the end. To be sourced after common.sh
# and coverage.sh.
# shellcheck shell=bash
# The variables are those of the scripts around it.
# shellcheck disable=SC2154

# begin_steps: creates files for the output and results of the steps, and removes them at the end.
begin_steps() {
    log=$(mktemp) results=$(mktemp) passed_tests=$(mktemp) beside=$(mktemp -d)
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # What a step prints goes through a pipe, so that it can be read here too: cargo would take its colors away.
    if [[ -t 1 && -z ${NO_COLOR:-} ]]; then export CARGO_TERM_COLOR=always; fi
    table=()
    passed=0 failed=0 skipped=0
}

clean_up() {
    local job
    for job in $(jobs -p); do kill -TERM -- "-$job" 2>/dev/null || true; done
    rm -rf "$log" "$results" "$passed_tests" "$beside"
}

# step NAME COUNT COMMAND...: runs a step and records its result. With COUNT `check` it is one
# check; with `tests` the totals that the test programs print are added up.
step() {
    local name=$1 count=$2 start=$SECONDS verdict=ok shown took
    shift 2
    shown="$*" shown=${shown/#guest /scripts/vm-test } shown=${shown/#here/(the modules of tests/coverage.md)}
    printf '\n== %s\n$ %s\n' "$name" "${shown/#follow fetched/scripts/vm --fetch}"
    # In the background, with a process group of its own: a signal is answered at once and ends all of it.
    set -m
    { "$@" </dev/null 2>&1 | tee "$log"; } &
    set +m
    wait $! || verdict=FAILED
    "count_$count" "$verdict"
    took=$((SECONDS - start))
    # A command that ran beside other steps records its own time.
    if [[ -s $beside/took ]]; then took=$(<"$beside/took"); fi
    rm -f "$beside/took"
    table+=("$(printf '%-14s %-6s %5d s' "$name" "$verdict" "$took")$counted")
}

# start_beside NAME COMMAND...: starts a command beside what follows; a process group of its own lets clean_up end all of it.
start_beside() {
    set -m
    run_beside "$@" &
    set +m
}

# run_beside NAME COMMAND...: runs a command and keeps what it prints, its status and its seconds, for `follow NAME`.
run_beside() {
    local name=$1 start=$SECONDS status=0
    shift
    "$@" </dev/null >"$beside/$name" 2>&1 || status=$?
    echo "$((SECONDS - start))" >"$beside/$name.took"
    echo "$status" >"$beside/$name.status"
}

# follow NAME: shows what a command beside prints, as it comes; ends as it did.
follow() {
    local file=$beside/$1 shown=0 size=-1
    until [[ -f $file.status && $shown -eq $size ]]; do
        sleep 1
        size=$(stat -c %s "$file" 2>/dev/null || echo 0)
        tail -c "+$((shown + 1))" "$file" 2>/dev/null | head -c "$((size - shown))" || true
        shown=$size
    done
    # The longest of those that make a step.
    cat "$file.took" "$beside/took" 2>/dev/null | sort -n | tail -n 1 >"$beside/longest" || true
    mv "$beside/longest" "$beside/took"
    return "$(<"$file.status")"
}

count_check() {
    counted=''
    if [[ $1 == ok ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

count_tests() {
    local ok bad left
    read -r ok bad left < <(sed 's/\x1b\[[0-9;]*m//g' "$log" | awk '
        /^test result: / { ok += $4; bad += $6; left += $8 }
        END { print ok + 0, bad + 0, left + 0 }')
    # Tests that do not build, or a test program that dies, leave no line of their own.
    if [[ $1 != ok && $bad -eq 0 ]]; then bad=1; fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + left))
    counted=$(printf '   %d passed, %d failed, %d skipped' "$ok" "$bad" "$left")
}

# collect KERNEL: keeps what the step's tests reported of this kernel.
collect() {
    awk -v KERNEL="$1" -f scripts/lib/test/results.awk "$log" >>"$results"
    collect_passed
}

# collect_passed: keeps which of the step's tests passed.
collect_passed() { awk -f scripts/lib/test/passed.awk "$log" >>"$passed_tests"; }

# faults: whether the tests of tests/faults.md are among those that passed.
faults() { awk -f scripts/lib/test/faults.awk tests/faults.md "$passed_tests"; }

# here: runs the end-to-end tests that tests/coverage.md has for this machine's kernel, each module in a process of its own.
here() {
    local module extent tests plan program worst=0
    program=$(e2e)
    plan=$(planned here "${only[*]}") || return
    while IFS=$'\t' read -r module extent tests; do
        printf '\n== %s on here (%s)\n' "$module" "$extent"
        # shellcheck disable=SC2046,SC2086,SC2059
        "$program" --exact $(printf "$module::%s " $tests) </dev/null || worst=1
    done <<<"$plan"
    return $worst
}

# The rungs on this machine's own kernel, in the format of scripts/lib/vm/suite.
rungs_here() {
    local tool
    for tool in $(tools); do
        "$(binaries)/$tool" --check 2>/dev/null </dev/null |
            sed -nE "s/^([^ ].*[^ ])  +([^ ].*)\$/rung\there\t$tool\t\1\t\2/p" || true
    done
}

# The newest formatter's taste changes from version to version: the one that setup chose is asked.
clang_format() { "clang-format-$(installed_llvm)" --dry-run -Werror bpf/*.bpf.c bpf/*/*.h contrib/mapstat/*.[ch] scripts/lib/bench/*/*.c; }

shell_lint() {
    local scripts
    mapfile -t scripts < <(grep -lE '^#!.*(bash|bin/sh)|shellcheck shell=' -r scripts .ci)
    shellcheck -x "${scripts[@]}"
}

# no_bpf: what needs no BPF is not linked with libbpf, its tests included; it builds in a fraction of the time.
no_bpf() {
    local package found
    for package in cli ebpfmux record table test-support; do
        found=$(cargo tree --locked --package "$package" --prefix none --edges normal,build,dev) || return
        if grep -E '^(libbpf|common |bpf-build )' <<<"$found"; then fail 1 "$package must do without these"; fi
    done
}

# new_tool: scripts/new-tool in a copy of the tree without anything built. Its files are formatted; what fails leaves
# nothing behind.
new_tool() (
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    # A file may have been removed without a commit.
    git ls-files -z --cached --others --exclude-standard |
        while IFS= read -rd '' file; do if [[ -f $file ]]; then printf '%s\0' "$file"; fi; done |
        xargs -0 cp --parents -t "$copy"
    cd "$copy" || exit
    before=$(find . -type f | sort | xargs -d '\n' sha256sum)
    sed -i.kept '/^| vfsstat |/d' tests/coverage.md
    if scripts/new-tool scaffold 'Does it work?' 2>/dev/null; then fail 1 "new-tool did without its place in coverage.md"; fi
    mv tests/coverage.md.kept tests/coverage.md
    [[ $(find . -type f | sort | xargs -d '\n' sha256sum) == "$before" ]] || fail 1 "new-tool failed and left files behind"
    scripts/new-tool scaffold 'Does it work?'
    rustfmt --edition 2024 --check tools/scaffold/src/main.rs tests/tests/e2e/scaffold.rs
    "clang-format-$(installed_llvm)" --dry-run -Werror bpf/scaffold.bpf.c
)

# end_steps: prints the table of the steps and the closing line, and ends.
end_steps() {
    local closing="$passed passed, $failed failed"
    printf '\n== summary\n'
    printf '%s\n' "${table[@]}"
    if [[ $skipped -gt 0 ]]; then closing+=", $skipped skipped"; fi
    printf '\n%s\n' "$closing"
    [[ $failed -eq 0 ]]
}
