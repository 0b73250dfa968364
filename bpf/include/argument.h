/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
#ifndef EF_ARGUMENT_H
#define EF_ARGUMENT_H

#include "kernel.h"

/* An argument of a function that is a pointer, in a program of fentry or fexit, for those that old
 * kernels (5.10) let no program read from its context: pointers to what is no struct, or to one
 * that the file with the function only declares (btf_ctx_access() of kernel/bpf/btf.c). */
static __always_inline u64 pointer_argument(u64 *ctx, int number)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), &ctx[number]);
	return value;
}

#endif
