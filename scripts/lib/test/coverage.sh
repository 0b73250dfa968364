# The end-to-end tests that are built, and which of them run on a kernel. To be sourced after common.sh.
# shellcheck shell=bash
# The variables are those of the scripts around it.
# shellcheck disable=SC2154

# build_tests: builds the tools, the workloads and all tests.
build_tests() { cargo build --workspace --bins --tests --release --locked --quiet; }

# e2e: the path of the program of the end-to-end tests: E2E where that is set, which spares asking cargo.
e2e() {
    if [[ -n ${E2E:-} ]]; then echo "$E2E" && return; fi
    # All of the workspace: for a package alone, features and so its dependencies may be others.
    cargo test --workspace --test e2e --release --locked --no-run --message-format=json 2>/dev/null |
        jq -r 'select(.reason == "compiler-artifact" and .target.name == "e2e") | .executable' | tail -1
}

# e2e_for KERNEL: of the program for that kernel's architecture.
e2e_for() { if [[ $1 == arm64 ]]; then echo "$(binaries_for arm64)/deps/e2e"; else e2e; fi; }

# all_tests: their names, MODULE::TEST a line.
all_tests() { "$(e2e)" --list 2>/dev/null | sed -n 's/: test$//p'; }

# modules: the names of their modules.
modules() { all_tests | sed 's/::.*//' | uniq | paste -sd ' '; }

# planned COLUMN [TOOLS [EVERYTHING]]: the lines of coverage.awk for a column of tests/coverage.md.
planned() {
    all_tests | awk -v COLUMN="$1" -v OF="${2:-}" -v ALL="${3:-}" -f "$root/scripts/lib/test/coverage.awk" \
        "$root/tests/coverage.md" -
}
