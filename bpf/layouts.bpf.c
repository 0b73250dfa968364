/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* What the headers of all tools share with user space. Only the types of this object are used, by
 * the crate common (common/src/bpf/layouts.rs); its program is a part of every tool with --by. */
#include "kernel.h"
#include "filter.h"
#include "endpoints.h"
#include "path.h"

enum counter { LOST, MAX_COUNTERS };

#include "latency.h"

/* Have these generated for user space: what no map and no variable refers to is left out. */
const struct path_names *unused_path_names __attribute__((unused));
const struct named_owner *unused_named_owner __attribute__((unused));
const enum path_end skeleton_path_end = PATH_CUT;
const enum by skeleton_by = BY_SYSTEM;

char LICENSE[] SEC("license") = "Dual MIT/GPL";
