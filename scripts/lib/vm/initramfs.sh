# What a guest boots from: cpio archives, which the kernel takes one after the other. The base (busybox, init, file
# system tools, modules) is kept per kernel; the job with the tools is made for each run. To be sourced after fetch.sh.
# shellcheck shell=bash
# The variables are those of the scripts around it.
# shellcheck disable=SC2154

# Modules that every guest can load by name, mount or device. What a kernel does not have is left out.
offered_modules=(virtio_pci virtio_console virtio_blk virtio_net ext4 xfs btrfs md_mod raid0 raid1 dm_mod dm_delay
    zram loop nvme nbd null_blk brd tun veth fuse overlay virtiofs nfsd nfsv4 crc32c_generic crc32c_intel
    crypto_lz4 crypto_lzo lzo_rle)
# Programs of the host's that a guest can have for the asking of no option, if they are installed.
offered_programs=(mkfs.ext4 mkfs.xfs mkfs.btrfs)

# guest_path PATH: without the links of the merged /usr, which a later archive's folders would replace.
guest_path() {
    case $1 in
    /bin/* | /sbin/* | /lib/* | /lib64/*) echo "/usr$1" ;;
    *) echo "$1" ;;
    esac
}

# put TREE FILE GUESTPATH: adds a file; with the libraries it is linked with, if it is a program that needs some.
put() {
    local tree=$1 file=$2 path library
    path=$tree$(guest_path "$3")
    mkdir -p "$(dirname "$path")"
    cp -L --preserve=mode,timestamps "$file" "$path"
    [[ -x $file ]] || return 0
    # A line of ldd's: NAME => PATH (ADDRESS), or PATH (ADDRESS) for the loader. It fails for what is static.
    { ldd "$file" 2>/dev/null || true; } | sed -nE 's/^\t(.* => )?(\/[^ ]+) \(0x.*/\2/p' | while read -r library; do
        path=$tree$(guest_path "$library")
        [[ ! -e $path ]] || continue
        mkdir -p "$(dirname "$path")"
        cp -L --preserve=mode,timestamps "$library" "$path"
    done
}

# archive TREE FILE: makes a cpio archive of a folder, all of it root's.
archive() {
    (cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C sort -z | cpio --null -o -H newc -R +0:+0 --quiet) >"$2.new"
    mv "$2.new" "$2"
}

# base_archive VERSION MODULE...: sets `base` to the archive with these modules beside those offered; made if it is not
# there. MODULEs are those that the job names, so it is wrong if the kernel has no such module.
base_archive() {
    local version=$1 busybox key
    foreign=''
    if [[ $(architecture "$version") == arm64 ]]; then need_foreign "$version"; fi
    shift
    busybox=$(command -v busybox) || fail "$trouble" "busybox: not installed (busybox-static): scripts/setup"
    if ldd "$busybox" >/dev/null 2>&1; then
        fail "$trouble" "busybox here is not static, and so does not run in a guest: install busybox-static"
    fi
    key=$({
        printf '%s\n' "$@" | sort -u
        cat "$root"/scripts/lib/vm/{init,initramfs.sh,programs.sh,foreign.sh,modules.awk}
        "$busybox" | head -1
        # A file system tool may have come or gone since.
        type -P "${offered_programs[@]}" || true
    } | sha256sum | cut -c 1-16)
    base=$cache/kernels/$version/base-$key.cpio
    [[ -f $base ]] || locked "base-$version" make_base "$version" "$busybox" "$base" "$@"
}

make_base() {
    local version=$1 busybox=$2 base=$3 modules=$cache/kernels/$1/modules/lib/modules/$1 tree applet program
    shift 3
    [[ ! -f $base ]] || return 0
    tree=$(mktemp -d "$cache/base.XXXXXX")
    chmod 755 "$tree"
    mkdir -p "$tree"/{dev,proc,sys,run,tmp,root,mnt,etc,var,usr/bin,usr/sbin,usr/lib,usr/lib64,usr/local/bin}
    ln -s usr/bin usr/sbin usr/lib usr/lib64 "$tree"
    ln -s ../run "$tree/var/run"
    ln -s ../tmp "$tree/var/tmp"
    ln -s /proc/mounts "$tree/etc/mtab"
    cp "$busybox" "$tree/usr/bin/busybox"
    # Those of this machine's, also where a foreign one takes its place.
    for applet in $("$busybox" --list-full); do
        ln -s /usr/bin/busybox "$tree$(guest_path "/$applet")" 2>/dev/null || true
    done
    if [[ -n $foreign ]]; then put_foreign_programs "$tree"; fi
    for program in "${offered_programs[@]}"; do
        if [[ -z $foreign ]] && program=$(type -P "$program"); then
            rm -f "$tree$(guest_path "$program")"
            put "$tree" "$program" "$program"
        fi
    done
    install -m 755 "$root/scripts/lib/vm/init" "$tree/init"
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$tree/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$tree/etc/group"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$tree/etc/hosts"
    # What `mount` tries where no -t says it, and so has loaded.
    printf 'ext4\nxfs\nbtrfs\n' >"$tree/etc/filesystems"
    put_modules "$version" "$modules" "$tree" "$@"
    # Older archives of this kernel that no run has needed for a day.
    find "$(dirname "$base")" -name 'base-*.cpio' -amin +1440 -delete
    archive "$tree" "$base"
    rm -rf "$tree"
}

# put_modules VERSION FROM TREE MODULE...: adds the modules with all that they need, unpacked, and their tables.
put_modules() {
    local version=$1 from=$2 tree=$3 to=$3/usr/lib/modules/$1 found path
    shift 3
    found=$(awk -v WANTED="$*" -v OPTIONAL="${offered_modules[*]}" -f "$root/scripts/lib/vm/modules.awk" \
        "$from"/modules.{builtin,dep,alias,softdep})
    if grep -q '^unknown' <<<"$found"; then
        rm -rf "$tree"
        fail "$trouble" "$version has no module $(sed -n 's/^unknown //p' <<<"$found" | paste -sd ' ')"
    fi
    sed -n 's/^path //p' <<<"$found" | while read -r path; do
        mkdir -p "$to/$(dirname "$path")"
        case $path in
        *.xz) xz -dc "$from/$path" >"$to/${path%.xz}" ;;
        *.zst) zstd -dcq "$from/$path" >"$to/${path%.zst}" ;;
        *) cp "$from/$path" "$to/$path" ;;
        esac
    done
    cp "$from"/modules.{order,builtin} "$to"
    if [[ -f $from/modules.builtin.modinfo ]]; then cp "$from/modules.builtin.modinfo" "$to"; fi
    depmod -b "$tree/usr" -m /lib/modules "$version" 2>/dev/null || depmod -b "$tree" "$version"
}

# quoted WORD...: as one line that any shell takes for the same words.
quoted() {
    local word words=()
    for word in "$@"; do words+=("'${word//\'/\'\\\'\'}'"); done
    echo "${words[*]}"
}
