/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The vectors of x86. Those of interrupt lines have no event of their own. */

static __always_inline int vector_entry(enum vector vector)
{
	u32 cpu;
	struct processor *processor = this_processor(&cpu);

	if (processor)
		begin(processor, VECTOR, VECTOR_TIME + vector);
	return 0;
}

static __always_inline int vector_exit(enum vector vector)
{
	u32 cpu, key = VECTOR_TIME + vector;
	struct processor *processor = this_processor(&cpu);
	u64 ns;

	if (processor && end(processor, VECTOR, key, &ns))
		add_time(key, cpu, ns);
	return 0;
}

SEC("tp_btf/local_timer_entry")
int local_timer_entry(void *ctx)
{
	return vector_entry(LOCAL_TIMER);
}

SEC("tp_btf/local_timer_exit")
int local_timer_exit(void *ctx)
{
	return vector_exit(LOCAL_TIMER);
}

SEC("tp_btf/reschedule_entry")
int reschedule_entry(void *ctx)
{
	return vector_entry(RESCHEDULE);
}

SEC("tp_btf/reschedule_exit")
int reschedule_exit(void *ctx)
{
	return vector_exit(RESCHEDULE);
}

SEC("tp_btf/call_function_entry")
int call_function_entry(void *ctx)
{
	return vector_entry(CALL_FUNCTION);
}

SEC("tp_btf/call_function_exit")
int call_function_exit(void *ctx)
{
	return vector_exit(CALL_FUNCTION);
}

SEC("tp_btf/call_function_single_entry")
int call_function_single_entry(void *ctx)
{
	return vector_entry(CALL_FUNCTION_SINGLE);
}

SEC("tp_btf/call_function_single_exit")
int call_function_single_exit(void *ctx)
{
	return vector_exit(CALL_FUNCTION_SINGLE);
}

SEC("tp_btf/irq_work_entry")
int irq_work_entry(void *ctx)
{
	return vector_entry(IRQ_WORK);
}

SEC("tp_btf/irq_work_exit")
int irq_work_exit(void *ctx)
{
	return vector_exit(IRQ_WORK);
}

SEC("tp_btf/x86_platform_ipi_entry")
int x86_platform_ipi_entry(void *ctx)
{
	return vector_entry(X86_PLATFORM_IPI);
}

SEC("tp_btf/x86_platform_ipi_exit")
int x86_platform_ipi_exit(void *ctx)
{
	return vector_exit(X86_PLATFORM_IPI);
}

SEC("tp_btf/spurious_apic_entry")
int spurious_apic_entry(void *ctx)
{
	return vector_entry(SPURIOUS_APIC);
}

SEC("tp_btf/spurious_apic_exit")
int spurious_apic_exit(void *ctx)
{
	return vector_exit(SPURIOUS_APIC);
}

SEC("tp_btf/error_apic_entry")
int error_apic_entry(void *ctx)
{
	return vector_entry(ERROR_APIC);
}

SEC("tp_btf/error_apic_exit")
int error_apic_exit(void *ctx)
{
	return vector_exit(ERROR_APIC);
}

SEC("tp_btf/thermal_apic_entry")
int thermal_apic_entry(void *ctx)
{
	return vector_entry(THERMAL_APIC);
}

SEC("tp_btf/thermal_apic_exit")
int thermal_apic_exit(void *ctx)
{
	return vector_exit(THERMAL_APIC);
}

SEC("tp_btf/threshold_apic_entry")
int threshold_apic_entry(void *ctx)
{
	return vector_entry(THRESHOLD_APIC);
}

SEC("tp_btf/threshold_apic_exit")
int threshold_apic_exit(void *ctx)
{
	return vector_exit(THRESHOLD_APIC);
}

SEC("tp_btf/deferred_error_apic_entry")
int deferred_error_apic_entry(void *ctx)
{
	return vector_entry(DEFERRED_ERROR_APIC);
}

SEC("tp_btf/deferred_error_apic_exit")
int deferred_error_apic_exit(void *ctx)
{
	return vector_exit(DEFERRED_ERROR_APIC);
}
