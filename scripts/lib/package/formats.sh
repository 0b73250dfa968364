# A tarball, a .deb and an .rpm of a tree of files, by the tools that distributions make theirs with. To be sourced after
# tree.sh.
# shellcheck shell=bash
# The variables are those of scripts/package.
# shellcheck disable=SC2154

summary='Single-purpose eBPF tools that answer one question about a running kernel'
description='Each tool answers one question (how long do disks take, which processes end, who syncs, what is cached) and
writes newline-delimited JSON, CSV or a table per interval; ebpfmux merges, windows, filters, records and serves their
streams. The programs are static and need a kernel with BTF: nearly all since 2020.'

# make_tarball TREE: to be unpacked anywhere; the programs are in bin/.
make_tarball() {
    local name=ebpf-filters-$version-$architecture-linux top
    top=$work/$name
    mkdir -p "$top"/bin
    cp -a "$1"/usr/libexec/ebpf-filters/. "$top/bin"
    cp -a "$1"/usr/share "$top/share"
    cp -a LICENSE-APACHE LICENSE-MIT README.md "$top"
    find "$top/share/man" -name 'ebpf-*.1.gz' -type l -delete
    tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --format=gnu -c "$name" |
        gzip -9n >"$packages/$name.tar.gz"
}

# make_deb TREE: for Debian, Ubuntu and what comes of them. A candidate's version is written as distributions order it: 1.2.3~rc.1.
make_deb() {
    local deb=$work/deb architecture_there
    if [[ $architecture == aarch64 ]]; then architecture_there=arm64; else architecture_there=amd64; fi
    cp -a "$1" "$deb"
    # Where Debian looks for them.
    mv "$deb/usr/share/zsh/site-functions" "$deb/usr/share/zsh/vendor-completions"
    sed "s/@VERSION@/$version/" scripts/lib/package/copyright >"$deb/usr/share/doc/ebpf-filters/copyright"
    gzip -9n "$deb/usr/share/doc/ebpf-filters/CHANGELOG.md"
    rm "$deb"/usr/share/doc/ebpf-filters/LICENSE-*
    mkdir "$deb/DEBIAN"
    {
        printf '%s\n' "Package: ebpf-filters" "Version: ${version/-/\~}" "Architecture: $architecture_there" \
            "Maintainer: ${DEBFULLNAME:-The ebpf-filters authors} <${DEBEMAIL:-root@localhost}>" "Section: admin" "Priority: optional" \
            "Installed-Size: $(du -sk --apparent-size "$deb/usr" | cut -f 1)" "Description: $summary"
        fold -s -w 78 <<<"${description//$'\n'/ }" | sed 's/^/ /; s/ *$//'
    } >"$deb/DEBIAN/control"
    (cd "$deb" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$deb/DEBIAN/md5sums"
    find "$deb" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group -Zxz --build "$deb" "$packages/ebpf-filters_${version}_$architecture_there.deb" >/dev/null
}

# make_rpm TREE: for Fedora, RHEL, SUSE and what comes of them.
make_rpm() {
    local spec=$work/ebpf-filters.spec
    {
        printf '%s\n' "Name: ebpf-filters" "Version: ${version/-/\~}" "Release: 1" "Summary: $summary" "License: MIT OR Apache-2.0" \
            "AutoReqProv: no" '%description' "$description" '%install' "cp -a '$1'/. %{buildroot}" '%files'
        # Folders that are shared with other packages belong to the system.
        (cd "$1" && find . -type d \( -path '*/ebpf-filters' -o -path '*/ebpf-filters/*' \) -printf '%%dir /%P\n')
        (cd "$1" && find . -type f -path '*/doc/*' -printf '%%doc /%P\n')
        (cd "$1" && find . \( -type f -o -type l \) -not -path '*/doc/*' -printf '/%P\n')
    } >"$spec"
    # Programs are stripped already, and debug information there is none.
    rpmbuild -bb --quiet --target "$architecture-linux" --define "_topdir $work/rpm" --define "_rpmdir $packages" \
        --define "_rpmfilename ebpf-filters-$version-1.%%{ARCH}.rpm" --define "_buildhost localhost" \
        --define 'debug_package %{nil}' --define '__os_install_post %{nil}' --define 'use_source_date_epoch_as_buildtime 1' \
        --define 'clamp_mtime_to_source_date_epoch 1' --define '_binary_payload w9.zstdio' --define '_build_id_links none' \
        "$spec" >"$work/rpm.log" 2>&1 || fail 1 "rpmbuild: $(tail -n 3 "$work/rpm.log")"
}
