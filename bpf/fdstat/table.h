/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/* The descriptors that are open, by a walk over all tasks. Counted anew at each interval: a gauge
 * kept up to date by events drifts. */

/* The verifier follows each round of a loop. So loops of many rounds are two, one in a function of
 * its own, which it follows once. */
#define ROW_WORDS 64
#define CHUNK_ROWS 8
#define CHUNK_WORDS (CHUNK_ROWS * ROW_WORDS)
#define CHUNK_BYTES (CHUNK_WORDS * 8)
#define BLOCK_CHUNKS 32
#define BLOCK_BYTES (BLOCK_CHUNKS * CHUNK_BYTES)
/* 33 million descriptors: more than a table can have (NR_OPEN, a million, unless it was raised). */
#define MAX_BLOCKS 32

struct chunk {
	u64 word[CHUNK_WORDS];
};

/* A part of a table's bits. One process walks. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct chunk);
} chunk SEC(".maps");

/* What the walk writes for a table. A table that several processes share is written for each; user
 * space counts it once. */
struct table {
	struct named_owner who; /* with --by */
	u64 id;
	u64 open;
};

const struct table *unused_table __attribute__((unused));

/* The bits that are set in the first words of a row of the chunk. */
__noinline u32 bits_of_row(u32 row, u32 words)
{
	u32 first = 0, bits = 0;
	struct chunk *from = bpf_map_lookup_elem(&chunk, &first);

	if (!from || row >= CHUNK_ROWS)
		return 0;
	for (u32 i = 0; i < ROW_WORDS && i < words; i++)
		bits += __builtin_popcountll(from->word[row * ROW_WORDS + i]);
	return bits;
}

/* The bits that are set at this address, in these bytes, or as many as fit into the chunk. */
__noinline u32 bits_set(u64 from, u32 bytes)
{
	u32 first = 0, bits = 0;
	struct chunk *into = bpf_map_lookup_elem(&chunk, &first);

	if (!into)
		return 0;
	if (bytes > CHUNK_BYTES)
		bytes = CHUNK_BYTES;
	/* Never true; older verifiers lose track of it on the way. */
	barrier_var(bytes);
	if (bytes > CHUNK_BYTES)
		return 0;
	if (bpf_probe_read_kernel(into, bytes, (void *)from))
		return 0;
	for (u32 row = 0; row < CHUNK_ROWS && row * ROW_WORDS < bytes / 8; row++)
		bits += bits_of_row(row, bytes / 8 - row * ROW_WORDS);
	return bits;
}

/* The same, or as many as fit into a block. */
__noinline u32 bits_of_block(u64 from, u32 bytes)
{
	u32 bits = 0;

	for (u32 i = 0; i < BLOCK_CHUNKS && i * CHUNK_BYTES < bytes; i++)
		bits += bits_set(from + i * CHUNK_BYTES, bytes - i * CHUNK_BYTES);
	return bits;
}

static __always_inline u64 open_in(struct files_struct *files)
{
	struct fdtable *table = BPF_CORE_READ(files, fdt);
	u64 from = (u64)BPF_CORE_READ(table, open_fds);
	u32 bytes = BPF_CORE_READ(table, max_fds) / 8;
	u32 blocks = (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
	u64 open = 0;

	for (u32 i = 0; i < MAX_BLOCKS && i < blocks; i++)
		open += bits_of_block(from + (u64)i * BLOCK_BYTES, bytes - i * BLOCK_BYTES);
	if (blocks > MAX_BLOCKS)
		count(LOST, 1);
	return open;
}

SEC("iter/task")
int count_fds(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct files_struct *files;
	struct table table = {};

	if (!task)
		return 0;
	files = task->files;
	/* The threads of a process share a table, unless one has unshared its own. */
	if (!files || (task->pid != task->tgid && files == task->group_leader->files))
		return 0;
	if (!filter_task(task, true))
		return 0;
	table.open = open_in(files);
	if (!table.open)
		return 0;
	table.id = (u64)files;
	if (by != BY_SYSTEM)
		named_owner_of(&table.who, task, true);
	/* If the buffer of a read is full, the task is visited again. */
	bpf_seq_write(ctx->meta->seq, &table, sizeof(table));
	return 0;
}
