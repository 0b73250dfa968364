# The files that all packages install. To be sourced after build.sh.
# shellcheck shell=bash
# The variables are those of scripts/package.
# shellcheck disable=SC2154

# make_tree FOLDER: fills it with a root that has all files at their places.
#
# The programs are in a folder of their own and linked to from /usr/bin twice: `biolat`, and `ebpf-biolat`, which is this
# suite's whatever else is installed. Debian's libbpf-tools has programs of the same names in /usr/sbin.
make_tree() {
    local tree=$1 programs name page
    programs=$(programs_folder)
    mkdir -p "$tree"/usr/{bin,libexec/ebpf-filters,lib/systemd/system,share/doc/ebpf-filters,share/ebpf-filters}
    mapfile -t names < <(for folder in tools/*/; do basename "$folder"; done)
    for name in "${names[@]}"; do
        [[ -x $programs/$name ]] || fail 1 "$programs/$name is not there: cargo build --release --locked"
        install -m 755 "$programs/$name" "$tree/usr/libexec/ebpf-filters/$name"
        ln -s "../libexec/ebpf-filters/$name" "$tree/usr/bin/$name"
        if [[ $name != ebpf* ]]; then ln -s "../libexec/ebpf-filters/$name" "$tree/usr/bin/ebpf-$name"; fi
    done
    make_manuals "$programs" "$tree/usr"
    for page in "$tree"/usr/share/man/man1/*.1; do gzip -9n "$page"; done
    for name in "${names[@]}"; do
        if [[ $name != ebpf* ]]; then ln -s "$name.1.gz" "$tree/usr/share/man/man1/ebpf-$name.1.gz"; fi
    done
    sed 's:/usr/local/bin/:/usr/bin/:' 'contrib/systemd/ebpf-filters@.service' \
        >"$tree/usr/lib/systemd/system/ebpf-filters@.service"
    install -m 644 README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT contrib/systemd/disks.toml "$tree/usr/share/doc/ebpf-filters"
    cp -r docs "$tree/usr/share/doc/ebpf-filters/docs"
    cp -r contrib/{mapstat,grafana,prometheus,kubernetes,duckdb} "$tree/usr/share/ebpf-filters"
    find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

# make_manuals PROGRAMS PREFIX: manual pages and completions. Programs of another architecture do not run here: those of
# this machine print the same.
make_manuals() {
    local programs=$1
    if [[ $architecture != "$(uname -m)" ]]; then programs=$(binaries); fi
    scripts/manuals --from "$programs" "$2" >/dev/null
}
