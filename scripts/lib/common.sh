# What the scripts share. To be sourced, not run: sets `root`, goes there, and makes the tools that lie off an ordinary
# PATH findable.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1

# Cargo as rustup installs it, and the system's own tools (losetup, bpftool), which not every login has in its PATH.
PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin:/usr/local/sbin:/usr/sbin:/sbin
# scripts/setup adds rustup's components and prints so: no other script has it download a linter
# that rust-toolchain.toml names.
export PATH RUSTUP_AUTO_INSTALL=0

# The name of the running script, for messages.
self=$(basename "$0")

# say TEXT: one line about what is being done.
say() { printf '%s: %s\n' "$self" "$*"; }

# fail STATUS TEXT: one line about what is wrong, and the end.
fail() {
    local status=$1
    shift
    printf '%s: %s\n' "$self" "$*" >&2
    exit "$status"
}

# need_root WHY: ends with status 4, as the tools do, unless root runs this.
need_root() { [[ $EUID -eq 0 ]] || fail 4 "this needs root ($1): run it as root or with sudo"; }

# installed_llvm [PROGRAM...]: the version of which all of these are installed (clang and clang-format); nothing if there
# is none. 19 goes first, because the tree is formatted by it; 16 is the oldest that knows what the programs ask of a
# compiler.
installed_llvm() {
    local version program
    if [[ $# -eq 0 ]]; then set -- clang clang-format; fi
    for version in 19 {40..20} {18..16}; do
        for program; do
            command -v "$program-$version" >/dev/null || continue 2
        done
        echo "$version"
        return
    done
}

# binaries: the directory where cargo puts the release binaries (.cargo/config.toml names the host as build target).
binaries() { binaries_for host; }

# binaries_for ARCHITECTURE: the same; for arm64 where scripts/build-arm64 has cargo put them.
binaries_for() { echo "${CARGO_TARGET_DIR:-$root/target}/$(target_of "$1")/release"; }

# target_of ARCHITECTURE: rustc's name of arm64, or else of this machine's.
target_of() { if [[ $1 == arm64 ]]; then echo aarch64-unknown-linux-gnu; else rustc -vV | sed -n 's/^host: //p'; fi; }

# cross_compile: has cargo build C and link for arm64 with Debian's cross compiler (scripts/setup arm64).
cross_compile() {
    export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc AR_aarch64_unknown_linux_gnu=aarch64-linux-gnu-ar
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
}

# tools: the names of the tools that attach programs of their own to the kernel: all but the one that only reads their
# streams, and the one whose programs are its users'.
tools() {
    local folder
    for folder in "$root"/tools/*/; do
        folder=$(basename "$folder")
        if [[ $folder != ebpfmux && $folder != mapstat && -x $(binaries)/$folder ]]; then echo "$folder"; fi
    done
}
