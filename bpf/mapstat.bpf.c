/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The tool has no programs of its own but this one, for the decoder `cgroup`. */
#include "kernel.h"
#include "new_cgroups.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
