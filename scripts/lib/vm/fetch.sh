# What scripts/vm fetches: Debian kernels, and a QEMU where the installed one is too old. To be sourced after common.sh.
# All of it goes through apt, in a state of its own below the cache: the sources that apt is configured with say where
# the archive is and stay as they are; apt checks the index by its signature, and each package by the index's SHA256.
# shellcheck shell=bash
# The variables are those of the scripts around it.
# shellcheck disable=SC2154,SC2034

cache=$root/.cache/vm
# The kernels of the gate, in the order of their age, those of a cloud; and further ones, for the long mode: the stable
# release's with all drivers, and the newest real-time one. Per kernel: the suites that have it, its version in a package's
# name, and the end of that name.
series=(5.10 6.1 6.12 6.18 7.x)
further=(full rt)
declare -A suites_of=(
    [5.10]='bullseye-security bullseye'
    [6.1]='bookworm-security bookworm'
    [6.12]='trixie-security trixie'
    [6.18]='trixie-backports'
    [7.x]='sid'
    [full]='trixie-security trixie'
    [rt]='sid'
)
declare -A versions_of=(
    [5.10]='5\.10\.0-[0-9]+'
    [6.1]='6\.1\.0-[0-9]+'
    [6.12]='6\.12\.[0-9]+\+deb13[.0-9]*'
    [6.18]='6\.18\.[0-9]+\+deb13[.0-9]*'
    [7.x]='7\.[0-9]+\.[0-9]+\+deb14[.0-9]*'
    [full]='6\.12\.[0-9]+\+deb13[.0-9]*'
    [rt]='7\.[0-9]+\.[0-9]+\+deb14[.0-9]*'
)
declare -A flavours_of=([full]=amd64 [rt]=rt-amd64)
# Of another architecture than this machine's, only by its name: its tools and tests are built by scripts/build-arm64, and its
# ladders cannot be checked here.
suites_of[arm64]=${suites_of[6.12]}
versions_of[arm64]=${versions_of[6.12]}
flavours_of[arm64]=cloud-arm64
# QEMU 7.2 panics guests while fentry programs attach.
oldest_qemu=8

# note TEXT: one line about what is being done; on stderr, because stdout is the job's.
note() { printf '%s: %s\n' "$self" "$*" >&2; }

# architecture KERNEL|VERSION: by Debian's name.
architecture() { if [[ $1 == *arm64 ]]; then echo arm64; else echo amd64; fi; }

# locked NAME COMMAND...: runs it while no other process holds the lock of that name.
locked() {
    local name=$1 lock
    shift
    mkdir -p "$cache/locks"
    exec {lock}>"$cache/locks/$name"
    flock "$lock"
    "$@"
    exec {lock}>&-
}

# private_apt DIR PROGRAM ARG...: apt with the sources, indexes and packages below DIR, and the system's other settings. Where
# DIR names an architecture, for a system of that one with nothing installed.
private_apt() {
    local dir=$1 program=$2 status=/var/lib/dpkg/status of=()
    shift 2
    if [[ -f $dir/architecture ]]; then
        status=/dev/null
        of=(-o "APT::Architecture=$(<"$dir/architecture")" -o "APT::Architectures::=$(<"$dir/architecture")")
    fi
    LC_ALL=C "$program" -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
        -o Dir::State="$dir" -o Dir::State::Lists="$dir/lists" -o Dir::State::Status="$status" \
        -o Dir::Cache="$dir" -o Dir::Cache::Archives="$dir/archives" \
        -o Acquire::Languages=none -o APT::Sandbox::User=root -o APT::Update::Error-Mode=any \
        -o APT::Update::Post-Invoke-Success='' -o APT::Update::Post-Invoke='' "${of[@]}" "$@"
}

# sites: where the Debian archive is, by apt's own configuration; the main archive and that of the security updates.
sites() {
    apt-get indextargets --format "\$(ORIGIN) \$(SITE)" 'Created-By: Packages' | sed -n 's/^Debian //p' | sort -u
}

# for_architecture DIR NAME: has the private apt be one for that architecture, if it is not this machine's.
for_architecture() {
    mkdir -p "$1"
    if [[ $2 != "$(dpkg --print-architecture)" ]]; then echo "$2" >"$1/architecture"; fi
}

# add_source DIR SUITE: adds the suite to the private apt's sources, from the first site that has it, and reads its
# index. Ends with 1 if no site has it.
add_source() {
    local dir=$1 suite=$2 site others='' keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    mkdir -p "$dir/lists/partial" "$dir/archives/partial"
    if [[ -f $dir/sources.list ]]; then others=$(<"$dir/sources.list"); fi
    for site in $(sites); do
        printf '%s\n' ${others:+"$others"} "deb [signed-by=$keyring] $site $suite main" >"$dir/sources.list"
        if private_apt "$dir" apt-get update -qq >"$dir/log" 2>&1 </dev/null; then return 0; fi
        cat "$dir/log" >>"$dir/failed"
    done
    if [[ -n $others ]]; then printf '%s\n' "$others" >"$dir/sources.list"; else rm -f "$dir/sources.list"; fi
    return 1
}

# fetch_kernel SERIES: makes kernels/VERSION (vmlinuz and modules/) of the newest package, and has kernels/SERIES name it.
fetch_kernel() {
    local kernel=$1 suite version='' work flavour=${flavours_of[$1]:-cloud-amd64}
    command -v apt-get >/dev/null || fail "$trouble" "no apt-get here: the kernels come as Debian packages"
    command -v depmod >/dev/null || fail "$trouble" "depmod: not installed (kmod): scripts/setup"
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    for suite in ${suites_of[$kernel]}; do
        for_architecture "$work/$suite" "$(architecture "$kernel")"
        add_source "$work/$suite" "$suite" || continue
        version=$(private_apt "$work/$suite" apt-cache pkgnames linux- |
            sed -nE "s/^linux-(image|binary)-(${versions_of[$kernel]})-$flavour\$/\\2/p" | sort -Vu | tail -1)
        [[ -z $version ]] || break
    done
    if [[ -z $version ]]; then
        cat "$work"/*/failed >&2 2>/dev/null || true
        rm -rf "$work"
        fail "$trouble" "$kernel: no kernel of this series in ${suites_of[$kernel]// / or } at apt's sites"
    fi
    version+=-$flavour
    if [[ ! -f $cache/kernels/$version/vmlinuz ]]; then
        note "$kernel: fetching $version from $suite"
        unpack_kernel "$work/$suite" "$version" "$work/tree" || fail "$trouble" "$kernel: fetching $version failed, see above"
        mkdir -p "$cache/kernels"
        rm -rf "${cache:?}/kernels/$version"
        mv "$work/kernel" "$cache/kernels/$version"
    fi
    rm -rf "$work"
    printf '%s\n' "$version" >"$cache/kernels/$kernel.new"
    mv "$cache/kernels/$kernel.new" "$cache/kernels/$kernel"
}

# unpack_kernel APT VERSION TREE: what of the packages is needed, in `kernel` beside TREE. From 7.2 on a kernel
# comes in several packages.
unpack_kernel() {
    local apt=$1 version=$2 tree=$3 package packages image kernel
    kernel=$(dirname "$tree")/kernel
    mapfile -t packages < <(private_apt "$apt" apt-cache pkgnames linux- |
        grep -xF "$(printf "linux-%s-$version\n" image binary modules base)")
    (cd "$apt/archives" && private_apt "$apt" apt-get download -qq "${packages[@]}" </dev/null >&2) || return 1
    for package in "$apt"/archives/*.deb; do dpkg-deb -x "$package" "$tree" || return 1; done
    # One place for modules, whether the package knows of the merged /usr or not.
    mkdir -p "$kernel/modules/lib/modules"
    mv "$tree"/{usr/,}lib/modules/"$version" "$kernel/modules/lib/modules/" 2>/dev/null || true
    for image in "$tree/boot/vmlinuz-$version" "$kernel/modules/lib/modules/$version/vmlinuz"; do
        if [[ -f $image ]]; then mv "$image" "$kernel/vmlinuz"; fi
    done
    [[ -f $kernel/vmlinuz && -f $kernel/modules/lib/modules/$version/modules.builtin ]] || return 1
    depmod -b "$kernel/modules" "$version"
}

# kernel_version SERIES: the version in the cache; nothing if there is none.
kernel_version() {
    local version
    if version=$(cat "$cache/kernels/$1" 2>/dev/null) && [[ -f $cache/kernels/$version/vmlinuz ]]; then
        echo "$version"
    fi
}

# need_kernel SERIES: has it fetched unless it is there.
need_kernel() {
    [[ -z $(kernel_version "$1") ]] || return 0
    locked "kernel-$1" fetch_absent "$1"
}
fetch_absent() { [[ -n $(kernel_version "$1") ]] || fetch_kernel "$1"; }

# qemu_major COMMAND...: its major version; 0 if it does not run.
qemu_major() {
    local version
    version=$("$@" --version 2>/dev/null | sed -nE '1s/.* version ([0-9]+)\..*/\1/p' || true)
    echo "${version:-0}"
}

# find_qemu ARCHITECTURE: sets `qemu` to the command that runs a QEMU new enough for guests of it: the system's, or one
# unpacked below the cache.
find_qemu() {
    local program=qemu-system-x86_64 package=qemu-system-x86 tree=$cache/qemu
    if [[ $1 == arm64 ]]; then program=qemu-system-aarch64 package=qemu-system-arm tree=$cache/qemu-arm64; fi
    qemu=("$program")
    [[ $(qemu_major "${qemu[@]}") -lt $oldest_qemu ]] || return 0
    # Not exported: only QEMU is to see these libraries.
    local at=$tree/usr
    qemu=(env "LD_LIBRARY_PATH=$at/lib/x86_64-linux-gnu:$tree/lib/x86_64-linux-gnu" "$at/bin/$program"
        -L "$at/share/qemu" -L "$at/share/seabios" -L "$at/lib/ipxe/qemu")
    [[ $(qemu_major "${qemu[@]}") -lt $oldest_qemu ]] || return 0
    locked qemu fetch_qemu "$package" "$tree"
    [[ $(qemu_major "${qemu[@]}") -ge $oldest_qemu ]] ||
        fail "$trouble" "QEMU $oldest_qemu or newer is needed; the one that was unpacked does not run"
}

# fetch_qemu PACKAGE TREE: unpacks QEMU and the libraries that are not installed from this release or its backports.
fetch_qemu() {
    local wanted=$1 tree=$2 work codename suite package suites=()
    [[ $(qemu_major "${qemu[@]}") -lt $oldest_qemu ]] || return 0
    command -v apt-get >/dev/null || fail "$trouble" "no QEMU $oldest_qemu or newer here, and no apt-get to fetch one"
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    for suite in "$codename" "$codename-updates" "$codename-security" "$codename-backports"; do
        if add_source "$work" "$suite"; then suites+=("$suite"); fi
    done
    [[ ${#suites[@]} -gt 0 ]] || fail "$trouble" "none of apt's sites offers the packages of $codename"
    note "fetching QEMU from ${suites[-1]}"
    # As apt would install it, but only downloaded: what is installed already is taken from the system.
    private_apt "$work" apt-get install -qq -y --download-only --no-install-recommends -t "${suites[-1]}" \
        "$wanted" </dev/null >&2 || fail "$trouble" "fetching QEMU failed, see above"
    for package in "$work"/archives/*.deb; do dpkg-deb -x "$package" "$work/tree"; done
    rm -rf "$tree"
    mv "$work/tree" "$tree"
    rm -rf "$work"
}
