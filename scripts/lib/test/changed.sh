# Which tools a change concerns. To be sourced after common.sh.
# shellcheck shell=bash
# The variables are those of the scripts around it.
# shellcheck disable=SC2154

# all_tools: the names of all, ebpfmux among them.
all_tools() { (cd "$root/tools" && printf '%s\n' */Cargo.toml | sed 's|/.*||'); }

# known_tools NAME...: ends unless these are tools.
known_tools() {
    local name
    for name in "$@"; do
        [[ -f $root/tools/$name/Cargo.toml ]] || fail 2 "$name: no such tool; there are $(all_tools | paste -sd ' ')"
    done
}

# tool_of FILE: the tool that a file belongs to; `all` if it is shared; nothing if no test depends
# on it.
tool_of() {
    local name=${1#bpf/}
    case $1 in
    bpf/*.bpf.c) name=${name%%.*} ;;
    # Of bpf/include there is no tool.
    bpf/*/*.h) name=${name%%/*} ;;
    tools/*) name=${1#tools/} name=${name%%/*} ;;
    tests/tests/e2e/*) name=${1#tests/tests/e2e/} name=${name%%[./_]*} ;;
    bpf/* | common/* | tests/* | Cargo.* | .cargo/*) name=all ;;
    *) return 0 ;;
    esac
    if [[ $name == all || -f $root/tools/$name/Cargo.toml ]]; then echo "$name"; else echo all; fi
}

# changed_tools BASE: sets `only` to the tools whose files differ from that commit, or are not in it. Without one: from
# HEAD, and where nothing does, from the commit before.
changed_tools() {
    local base=${1:-HEAD} file files
    git rev-parse --verify --quiet "$base^{commit}" >/dev/null || fail 2 "$base: no such commit"
    files=$(git diff --name-only "$base" && git ls-files --others --exclude-standard)
    if [[ -z $files && $# -eq 1 && -z $1 ]]; then files=$(git diff --name-only HEAD~1); fi
    mapfile -t only < <(while read -r file; do tool_of "$file"; done <<<"$files" | sort -u)
    if [[ " ${only[*]} " == *' all '* ]]; then mapfile -t only < <(all_tools); fi
    say "concerned: ${only[*]:-no tool}"
}

# ends_of: cargo's options for the end-to-end tests and the workloads that they need.
ends_of() {
    find "$root/tests/src/bin" -mindepth 1 -maxdepth 1 -printf '--bin\n%f\n' | sed 's/[.]rs$//'
    printf -- '--test\ne2e\n'
}

# units_of NAME...: the same for these programs with the tests of their own folders, and for the tests of what they share.
units_of() {
    local name
    printf -- '--lib\n'
    for name in "$@"; do
        printf -- '--bin\n%s\n' "$name"
        find "$root/tools/$name" -path '*/tests/*/main.rs' -printf '%h\n' | sed 's|.*/|--test\n|'
    done
}
