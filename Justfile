# Everything here works without just, too: see scripts/.
set shell := ["bash", "-euo", "pipefail", "-c"]

# List the recipes
default:
    @just --list

# Install what is needed (apt): all, or parts of build, demo, lint, test, bench
[group('start')]
setup *PART:
    scripts/setup {{ PART }}

# See the tools at work on this machine (root)
[group('start')]
demo:
    scripts/demo

# Build the release binaries
[group('develop')]
build:
    cargo build --release --locked

# Build all for 64-bit ARM (root, if a compiler for it is not installed)
[group('develop')]
build-arm64:
    scripts/build-arm64

# Write manual pages and the shells' completions below target/manuals, after a build
[group('develop')]
manuals *DIR: build
    scripts/manuals {{ DIR }}

# Make a tarball, a .deb and an .rpm below target/packages; `just package --arm64`
[group('develop')]
package *ARGS:
    scripts/package {{ ARGS }}

# Make a version: changelog, tag, packages, signature; `just release 1.2.3 --key KEY`
[group('develop')]
release *ARGS:
    scripts/release {{ ARGS }}

# Run the tests that need no root; `just setup test` installs what those of ebpfmux ask
[group('develop')]
unit:
    cargo test --workspace --exclude tests --release --locked

# Format all Rust and C
[group('develop')]
fmt: && (_clang-format "-i")
    cargo fmt --all

# All that concerns one tool, here and in guests (root): the everyday loop
[group('develop')]
tool +NAME:
    scripts/test tool {{ NAME }}

# All that concerns the tools whose files differ from a commit (root)
[group('develop')]
changed *BASE:
    scripts/test changed {{ BASE }}

# Check formatting, clippy and scripts; no tests
[group('develop')]
lint:
    scripts/test lint

# Check licences, and advisories where cargo-deny is
[group('develop')]
licences *ARGS:
    scripts/licences {{ ARGS }}

# clang-format of the version that setup chose
_clang-format *ARGS:
    source scripts/lib/common.sh && "clang-format-$(installed_llvm)" {{ ARGS }} bpf/*.bpf.c bpf/*/*.h

# Run all checks and tests (root)
[group('gate')]
test:
    scripts/test

# Run the tests in a virtual machine: `just vm-test 6.1`, `just vm-test arm64`, `just vm-test 6.1 vfsstat by_kprobes`
[group('gate')]
vm-test KERNEL *TEST:
    scripts/vm-test {{ KERNEL }} {{ TEST }}

# Check every tool's hooks against the types of all kernels, without booting them
[group('gate')]
ladders:
    scripts/ladders

# The gate: what CI runs (root)
[group('gate')]
ci: test

# Measure start-up, memory, cost and merging beside other tools (root); `just bench --quick`, `just bench attach`, `just bench --vm 6.12`
[group('measure')]
bench *ARGS:
    scripts/bench {{ ARGS }}
