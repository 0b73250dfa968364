# The programs of a guest of another architecture, which can have none of this machine's: from Debian's packages. To be
# sourced after fetch.sh, initramfs.sh and programs.sh.
# shellcheck shell=bash
# The variables are those of the scripts around it.
# shellcheck disable=SC2154

# The packages: busybox, file system tools, and those of programs.sh.
foreign_packages=(busybox-static e2fsprogs xfsprogs btrfs-progs bash coreutils util-linux mount bpftool iproute2)
# Their programs that go before busybox's own.
foreign_programs=(mkfs.ext4 mkfs.xfs mkfs.btrfs "${guest_programs[@]}")

# need_foreign VERSION: sets `foreign` to the folder with the packages of the kernel's architecture; unpacked if they are not
# there.
need_foreign() {
    foreign=$cache/programs-$(architecture "$1")
    [[ -d $foreign ]] || locked "$(basename "$foreign")" unpack_foreign "$(architecture "$1")"
}

unpack_foreign() {
    local architecture=$1 work suite package
    [[ ! -d $foreign ]] || return 0
    command -v readelf >/dev/null || fail "$trouble" "readelf: not installed (binutils): scripts/setup"
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    for_architecture "$work" "$architecture"
    for suite in ${suites_of[$architecture]}; do
        add_source "$work" "$suite" || fail "$trouble" "none of apt's sites offers the packages of $suite"
    done
    note "fetching ${foreign_packages[*]} for $architecture"
    private_apt "$work" apt-get install -qq -y --download-only --no-install-recommends "${foreign_packages[@]}" \
        </dev/null >&2 || fail "$trouble" "fetching programs for $architecture failed, see above"
    for package in "$work"/archives/*.deb; do dpkg-deb -x "$package" "$work/tree"; done
    mv "$work/tree" "$foreign"
    rm -rf "$work"
}

# put_foreign_programs TREE: adds them, where a guest looks first.
put_foreign_programs() {
    local tree=$1 program path
    cp "$foreign/usr/bin/busybox" "$tree/usr/bin/busybox"
    for program in "${foreign_programs[@]}"; do
        for path in "$foreign"/usr/{sbin,bin}/"$program"; do
            if [[ -x $path ]]; then put_foreign "$tree" "$path" "/usr/local/bin/$program"; fi
        done
    done
    # The loader, by the name that programs know it by.
    for path in "$foreign"/usr/lib/ld-linux*; do ln -s "$(readlink "$path")" "$tree/usr/lib"; done
}

# put_foreign TREE FILE GUESTPATH: adds a file, with the libraries that it is linked with: as put, without the host's ldd.
put_foreign() {
    local tree=$1 file=$2 path=$1$3 library found
    [[ ! -e $path ]] || return 0
    mkdir -p "$(dirname "$path")"
    cp -L --preserve=mode,timestamps "$file" "$path"
    readelf -d "$file" 2>/dev/null | sed -nE 's/.*\(NEEDED\).*\[(.*)\]$/\1/p' | while read -r library; do
        for found in "$foreign"/usr/lib/*-linux-gnu/"$library"; do
            put_foreign "$tree" "$found" "${found#"$foreign"}"
        done
    done
}
