/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The handlers of interrupt lines. */

/* include/linux/irqreturn.h */
#define IRQ_NONE 0
/* Longer names are cut. */
#define NAME_LEN 64

/* A handler of a line on a processor. If it is freed and created again at the same address for
 * another device, its line or its name differs. */
struct line_key {
	u64 action;
	u64 name;
	u32 irq;
	u32 cpu;
};

struct line {
	char name[NAME_LEN];
	u64 named; /* the name is whole */
	/* Calls that found that their device had not interrupted, and the time that they took. */
	u64 unhandled;
	u64 unhandled_ns;
	struct hist time;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	/* Set before loading. */
	__uint(max_entries, 1);
	__type(key, struct line_key);
	__type(value, struct line);
} lines_0 SEC(".maps"), lines_1 SEC(".maps"); /* as the halves of totals */

/* The initial value of a line: too large for the stack. */
const struct line new_line = {};

static __always_inline struct line *line_in(void *lines, struct line_key *key,
					    struct irqaction *action)
{
	struct line *line = bpf_map_lookup_elem(lines, key);

	if (line)
		return line;
	bpf_map_update_elem(lines, key, &new_line, BPF_NOEXIST);
	line = bpf_map_lookup_elem(lines, key);
	if (line) {
		bpf_probe_read_kernel_str(line->name, sizeof(line->name), action->name);
		line->named = 1;
	}
	return line;
}

/* The entry of a handler on this processor, in the map being filled; NULL if there is no room. */
static __always_inline struct line *line_of(struct irqaction *action, u32 irq, u32 cpu)
{
	struct line_key key = {
	    .action = (u64)action,
	    .name = (u64)action->name,
	    .irq = irq,
	    .cpu = cpu,
	};

	if (*(volatile u32 *)&filled_half)
		return line_in(&lines_1, &key, action);
	return line_in(&lines_0, &key, action);
}

SEC("tp_btf/irq_handler_entry")
int BPF_PROG(hard_entry, int irq, struct irqaction *action)
{
	u32 cpu;
	struct processor *processor = this_processor(&cpu);

	if (processor)
		begin(processor, HARD, (u64)action);
	return 0;
}

SEC("tp_btf/irq_handler_exit")
int BPF_PROG(hard_exit, int irq, struct irqaction *action, int ret)
{
	u32 cpu;
	struct processor *processor = this_processor(&cpu);
	struct line *line;
	u64 ns;

	if (!processor || !end(processor, HARD, (u64)action, &ns))
		return 0;
	line = line_of(action, irq, cpu);
	if (!line) {
		count(LOST, 1);
		return 0;
	}
	if (ret == IRQ_NONE) {
		/* All handlers of a line are called: most often this one was called for another's
		 * device. */
		line->unhandled++;
		line->unhandled_ns += ns;
	} else {
		hist_add_alone(&line->time, ns);
	}
	return 0;
}
