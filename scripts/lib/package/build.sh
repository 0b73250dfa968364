# How packages' programs are built, and what they are made of. To be sourced after common.sh.
# shellcheck shell=bash
# The variables are those of scripts/package.
# shellcheck disable=SC2154

# programs_folder: where the programs to be packaged are.
programs_folder() {
    if [[ -n $built ]]; then
        binaries_for "$(if [[ $architecture == aarch64 ]]; then echo arm64; fi)"
    else
        echo "$root/target/package/$(target)/release"
    fi
}

target() { if [[ $architecture == aarch64 ]]; then target_of arm64; else echo x86_64-unknown-linux-gnu; fi; }

# build: all programs, with no path of this machine in them: the same commit, compilers and libraries give the same bytes.
build() {
    local flags cargo_home=${CARGO_HOME:-${HOME:-/root}/.cargo} from=() path
    for path in "$root=/ebpf-filters" "$cargo_home=/cargo" "$(rustc --print sysroot)=/rust"; do
        from+=("--remap-path-prefix=$path")
    done
    flags=$(printf '%s\n' "${from[@]}" | jq -R . | jq -sc .)
    export CFLAGS="${CFLAGS:-} -ffile-prefix-map=$root=/ebpf-filters -ffile-prefix-map=$cargo_home=/cargo"
    if [[ $architecture == aarch64 ]]; then
        scripts/setup arm64
        cross_compile
    fi
    # What --version -v tells.
    EBPF_FILTERS_COMMIT=$(git rev-parse HEAD)$(if [[ -n $(git status --porcelain) ]]; then echo '-dirty'; fi)
    export EBPF_FILTERS_COMMIT
    # Added to the flags of .cargo/config.toml, which RUSTFLAGS would replace.
    cargo build --workspace --exclude tests --bins --release --locked --target "$(target)" --target-dir "$root/target/package" \
        --config "target.'cfg(target_env = \"gnu\")'.rustflags=$flags" || fail 1 "not built, see above"
}

# list_parts: prints every crate in the programs, with version, licence and checksum. libbpf, libelf, zlib and zstd are
# inside crates of their names.
list_parts() { python3 scripts/lib/package/parts.py "$(target)" "$version" "$SOURCE_DATE_EPOCH"; }
