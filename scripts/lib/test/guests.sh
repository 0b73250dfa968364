# The guests of scripts/test: fetched while the tools are built, run side by side and beside the tests here, shown in turn.
# To be sourced after steps.sh.
# shellcheck shell=bash
# The variables are those of the scripts around it.
# shellcheck disable=SC2154

# kernels: those of the guests. The newest and the oldest first: they have most to do. Last the further ones of the long
# mode.
kernels() {
    local all
    mapfile -t all < <(scripts/vm --names)
    printf '%s\n' "${all[-1]}" "${all[@]:0:${#all[@]}-1}"
    if [[ $part == long ]]; then scripts/vm --names long | grep -vxF "$(printf '%s\n' "${all[@]}")"; fi
}

# start_fetching: fetches the kernels, and takes their types from a boot of each: that needs no build, during which a
# processor has little to do.
start_fetching() { start_beside fetched fetch; }

fetch() {
    local kernel all
    mapfile -t all < <(kernels)
    scripts/vm --fetch "${all[@]}" || return
    for kernel in "${all[@]}"; do scripts/vm --btf "$kernel" >/dev/null || return; done
}

# guests_of KERNEL: the guests that its tests take, a line each: a name and vm-test's arguments. Two that share the modules
# of a kernel that has most of them, for one guest uses one processor at most; and one of little memory for those that use
# it up, where the table has them.
guests_of() {
    local everything=() plan modules
    if [[ $part == long ]]; then everything=(--everything); fi
    plan=$(planned "$1" "${only[*]}" "${everything:+1}" | cut -f 1) || return
    modules=$(grep -cvx oomwatch_global <<<"$plan")
    if [[ $modules -gt 16 ]]; then
        echo "1of2 ${everything[*]} --share 1/2 $1"
        echo "2of2 ${everything[*]} --share 2/2 $1"
    elif [[ $modules -gt 0 ]]; then
        echo "all ${everything[*]} $1"
    fi
    if grep -qx oomwatch_global <<<"$plan"; then echo "memory $1 oomwatch_global"; fi
}

# guests_at_once: one for each processor and one more, for a guest uses one at most and waits for a third of its time, mostly
# for grace periods; fewer where there is no memory for them. More of them would not end sooner: what they share is the
# processors and their caches, and what waits for its turn may come too late for a test.
guests_at_once() {
    local room
    room=$(awk '/^MemAvailable:/ { print int($2 / 2560 / 1024) }' /proc/meminfo)
    if [[ $room -gt $(($(nproc) + 1)) ]]; then room=$(($(nproc) + 1)); fi
    if [[ $room -lt 1 ]]; then room=1; fi
    echo "$room"
}

# start_guests KERNEL...: starts the tests in all of them. They yield to the tests here, which measure this machine.
start_guests() {
    local kernel name options at_once
    at_once=$(guests_at_once)
    for kernel in "$@"; do guests_of "$kernel" | sed "s/^/$kernel./"; done >"$beside/guests"
    set -m
    while read -r name options; do
        while [[ $(jobs -rp | wc -l) -ge $at_once ]]; do wait -n || true; done
        # shellcheck disable=SC2086
        run_beside "$name" nice -n 5 scripts/vm-test --built --of "${only[*]}" $options &
    done <"$beside/guests" &
    set +m
}

# guest KERNEL: shows what the tests in its guests print, of the first as it comes; ends as they did.
guest() {
    local name names worst=0
    mapfile -t names < <(sed -n "s/^\($1\.[^ ]*\) .*/\1/p" "$beside/guests")
    for name in "${names[@]}"; do follow "$name" || worst=$?; done
    return "$worst"
}
