# What the end-to-end tests run beside the tools, in any guest: busybox's own are too simple. A guest of another architecture
# has those of them that its packages have (foreign.sh). To be sourced.
# shellcheck shell=bash
# The variable is of the scripts around it.
# shellcheck disable=SC2034

guest_programs=(bash setpriv losetup findmnt lsblk blkdiscard dmsetup bpftool fio timeout mount umount unshare nsenter ip ss tc dnsmasq)
