/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The tracepoints of the system calls, for kernels that allow no function to be watched. */

SEC("tp/syscalls/sys_enter_shmget")
int get_t(struct sys_enter *ctx)
{
	struct start start = {
	    .call = GET,
	    .id = ctx->args[0],
	    .size = ctx->args[1],
	    .flags = ctx->args[2],
	};

	return enter_for_event(&start);
}

SEC("tp/syscalls/sys_exit_shmget")
int get_tx(struct sys_exit *ctx)
{
	return leave(GET, ctx->ret);
}

SEC("tp/syscalls/sys_enter_shmat")
int attach_t(struct sys_enter *ctx)
{
	struct start start = {
	    .call = ATTACH,
	    .id = ctx->args[0],
	    .addr = ctx->args[1],
	    .flags = ctx->args[2],
	};

	return enter_for_event(&start);
}

SEC("tp/syscalls/sys_exit_shmat")
int attach_tx(struct sys_exit *ctx)
{
	return leave(ATTACH, ctx->ret);
}

SEC("tp/syscalls/sys_enter_shmdt")
int detach_t(struct sys_enter *ctx)
{
	struct start start = {.call = DETACH, .addr = ctx->args[0]};

	return enter_for_event(&start);
}

SEC("tp/syscalls/sys_exit_shmdt")
int detach_tx(struct sys_exit *ctx)
{
	return leave(DETACH, ctx->ret);
}

SEC("tp/syscalls/sys_enter_shmctl")
int control_t(struct sys_enter *ctx)
{
	struct start start = {.call = CONTROL, .id = ctx->args[0], .cmd = ctx->args[1]};

	return enter_for_event(&start);
}

SEC("tp/syscalls/sys_exit_shmctl")
int control_tx(struct sys_exit *ctx)
{
	return leave(CONTROL, ctx->ret);
}
