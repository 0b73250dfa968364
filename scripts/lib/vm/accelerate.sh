# How a guest's machine and processors are had: KVM where it works, emulation else. To be sourced after fetch.sh.
# shellcheck shell=bash
# The variables are those of the scripts around it.
# shellcheck disable=SC2154,SC2034

# What only costs an emulated guest time: clearing memory that is handed out, guards against what no test does. None of it
# is seen by a BPF program.
cheaper='init_on_alloc=0 nowatchdog kfence.sample_interval=0 randomize_kstack_offset=off hardened_usercopy=off audit=0'

# accelerate VERSION INITRAMFS: sets `accelerator`, QEMU's options for a guest's machine and processors; `clock`, its
# kernel's options for them; `serial`, the kernel's name of its console; `terminal` and `terminal_device`, what a shell
# uses and QEMU's options for that.
accelerate() {
    serial=ttyS0 terminal=/dev/ttyS1 terminal_device=(-serial 'chardev:terminal')
    if [[ $(architecture "$1") == arm64 ]]; then
        # The interrupt controller and the atomic instructions of present servers, without the signed pointers of some,
        # which cost an emulated guest time.
        accelerator=(-M 'virt,gic-version=3' -accel 'tcg,thread=single' -cpu neoverse-n1)
        clock='' serial=ttyAMA0 terminal=/dev/hvc0 terminal_device=(-device 'virtconsole,chardev=terminal')
        return
    fi
    if kvm_works "$1" "$2"; then
        accelerator=(-accel kvm -cpu host)
        clock=''
        return
    fi
    # One thread for all of a guest's processors: where one waits for another (interrupts between processors, locks), a
    # thread of its own would use up a real processor for nothing, of which the guests of the tests together have too few.
    accelerator=(-accel 'tcg,thread=single' -cpu 'qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+rdrand')
    # How fast the processor's counter runs is passed rather than measured: on a machine under load
    # a booting guest may measure seconds that are a sixth of real ones.
    # And whether the timer's interrupts come at all is not tested: on such a machine too few may come in time, and the
    # kernel panics (IO-APIC + timer doesn't work).
    clock='tsc=reliable clocksource=tsc no_timer_check'
    if [[ -x $(binaries)/workload ]]; then
        clock+=" $("$(binaries)/workload" counter | sed -n 's/^{"khz":\([0-9]*\)}$/tsc_early_khz=\1/p')"
    fi
}

# kvm_works VERSION INITRAMFS: whether a guest boots by KVM here, which a machine may offer although
# it does not work. It is tested once per boot of this machine, with a guest whose first process
# exits at once.
kvm_works() {
    local boot
    [[ -w /dev/kvm ]] || return 1
    boot=$(</proc/sys/kernel/random/boot_id)
    [[ $(cat "$cache/kvm" 2>/dev/null) == "$boot "* ]] || locked kvm try_kvm "$boot" "$@"
    [[ $(<"$cache/kvm") == "$boot yes" ]]
}

try_kvm() {
    local boot=$1 works=no console
    [[ $(cat "$cache/kvm" 2>/dev/null) != "$boot "* ]] || return 0
    console=$(mktemp "$cache/kvm.XXXXXX")
    # In a subshell, which discards the shell's message about an aborted QEMU.
    if (timeout --kill-after=1 8 "${qemu[@]}" -accel kvm -cpu host -m 512 -display none -no-reboot -nodefaults \
        -kernel "$cache/kernels/$2/vmlinuz" -initrd "$3" -serial "file:$console" \
        -append 'console=ttyS0 panic=-1 rdinit=/usr/bin/true' || exit) </dev/null >/dev/null 2>&1 &&
        grep -q 'Attempted to kill init' "$console"; then
        works=yes
    fi
    rm -f "$console"
    note "KVM: $(if [[ $works == yes ]]; then echo works; else echo 'no guest boots by it here: emulation instead'; fi)"
    echo "$boot $works" >"$cache/kvm"
}
