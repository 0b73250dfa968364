# The guests of scripts/test: fetched while the tools are built, run side by side and beside the tests here, shown in turn.
# To be sourced after steps.sh.
# shellcheck shell=bash
# The variables are those of the scripts around it.
# shellcheck disable=SC2154

# kernels: those of the guests. The oldest and the newest first: they have most to do.
kernels() {
    local all
    mapfile -t all < <(scripts/vm --list | cut -d ' ' -f 1)
    printf '%s\n' "${all[-1]}" "${all[@]:0:${#all[@]}-1}"
}

# start_fetching: fetches the kernels, and takes their types from a boot of each: that needs no build, during which a
# processor has little to do.
start_fetching() {
    set -m
    {
        { scripts/vm --fetch && for kernel in $(kernels); do scripts/vm --btf "$kernel" >/dev/null; done; } \
            >"$guests_told/fetched" 2>&1 && status=0 || status=$?
        echo "$status" >"$guests_told/fetched.status"
    } </dev/null &
    set +m
}

# fetched: shows how that goes; ends as it did.
fetched() { shown "$guests_told/fetched"; }

# runs_of KERNEL: the guests that its tests take: one for all that share a machine, and one of little memory for those that
# use it up, where the table has them.
runs_of() {
    local everything=''
    if [[ $part == long ]]; then everything=1; fi
    planned "$1" "${only[*]}" "$everything" | cut -f 1 |
        awk '{ print $1 == "oomwatch_global" ? $1 : "all" }' | sort -u
}

# guests_at_once: two for each processor and one more, for a guest uses one at most, and waits for almost half of its time,
# mostly for grace periods; fewer where there is no memory for them.
guests_at_once() {
    local room
    room=$(awk '/^MemAvailable:/ { print int($2 / 2560 / 1024) }' /proc/meminfo)
    if [[ $room -gt $((2 * $(nproc) + 1)) ]]; then room=$((2 * $(nproc) + 1)); fi
    if [[ $room -lt 1 ]]; then room=1; fi
    echo "$room"
}

# start_guests KERNEL...: starts the tests in all of them. They yield to the tests here, which measure this machine.
start_guests() {
    local kernel run at_once options=(--built)
    at_once=$(guests_at_once)
    if [[ $part == long ]]; then options+=(--everything); fi
    if [[ ${#only[@]} -gt 0 ]]; then options+=(--of "${only[*]}"); fi
    # A process group of its own, so that clean_up ends all of it.
    set -m
    {
        for run in all oomwatch_global; do
            for kernel in "$@"; do
                if ! runs_of "$kernel" | grep -qx "$run"; then continue; fi
                while [[ $(jobs -rp | wc -l) -ge $at_once ]]; do wait -n || true; done
                {
                    if [[ $run == all ]]; then
                        nice -n 5 scripts/vm-test "${options[@]}" "$kernel"
                    else
                        nice -n 5 scripts/vm-test --built "$kernel" "$run"
                    fi >"$guests_told/$kernel.$run" 2>&1 && status=0 || status=$?
                    echo "$status" >"$guests_told/$kernel.$run.status"
                } &
            done
        done
        wait
    } </dev/null &
    set +m
}

# guest KERNEL: shows what the tests in its guests print, of the first as it comes; ends as they did.
guest() {
    local run worst=0
    for run in $(runs_of "$1"); do shown "$guests_told/$1.$run" || worst=$?; done
    return "$worst"
}

# shown FILE: shows what comes into a file, until FILE.status is there; ends with the status in it.
shown() {
    local shown=0 size=-1
    until [[ -f $1.status && $shown -eq $size ]]; do
        sleep 1
        size=$(stat -c %s "$1" 2>/dev/null || echo 0)
        tail -c "+$((shown + 1))" "$1" 2>/dev/null | head -c "$((size - shown))" || true
        shown=$size
    done
    return "$(<"$1.status")"
}
