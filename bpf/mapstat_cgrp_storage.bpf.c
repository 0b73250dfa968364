/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The same with a map that keeps its values in the cgroups themselves. */
#define STORAGE
#include "mapstat_cgroups.bpf.c"
