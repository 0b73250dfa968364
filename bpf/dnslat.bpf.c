/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Messages of DNS where those who ask send and receive them: what goes to a port of DNS, and what
 * comes from one. They are passed on as they are; user space reads them, and finds the answer to
 * each query.
 *
 * A query is passed on before it is sent, so it comes before its answer.
 */
#include "kernel.h"
#include "filter.h"
#include "endpoints.h"

enum counter { LOST, MAX_COUNTERS };

#include "event.h"
#include "task_owner.h"

/* How a message came to be seen. */
enum way { UDP_QUERY, UDP_ANSWER, TCP_QUERY, TCP_ANSWER, MAX_WAYS };

const enum way skeleton_way = UDP_QUERY;

struct message {
	u64 ts_ns;
	u64 object;             /* of UDP the packet's address, of TCP the socket's */
	struct named_owner who; /* of a query, with --by */
	struct tuple tuple;
	u32 netns;
	u32 ifindex; /* of a query by UDP, where a device sends it; else 0 */
	u32 pid;
	char comm[TASK_COMM_LEN];
	u32 way;
	u32 len;      /* of UDP the message's, of TCP that of a part of a call's data */
	u32 captured; /* how many bytes of it follow */
	u32 unused;
};

const struct message *unused_message __attribute__((unused));

/* So that a short message takes little room. The second holds a header and the longest question:
 * RFC 1035, 2.3.4. */
#define SHORT 64
#define QUESTION (12 + 255 + 4 + 1)
#define LONG 1280

struct short_message {
	struct message message;
	u8 bytes[SHORT];
};

struct question_message {
	struct message message;
	u8 bytes[QUESTION];
};

struct long_message {
	struct message message;
	u8 bytes[LONG];
};

/* How much of a message is needed: with --events all, for its addresses. */
const volatile u32 most_bytes = QUESTION;

/* The header of a message: RFC 1035, 4.1.1. */
#define HEADER 12
#define IS_ANSWER 0x80
#define OPCODE 0x78

/* Whether the other end is at a port of DNS. */
static __always_inline bool port_is_asked_for(u16 port)
{
	struct tuple tuple = {.local_port = port, .remote_port = port};

	return ports_pass(&tuple);
}

static __always_inline long read_bytes(void *to, u32 size, const void *from, bool of_user)
{
	return of_user ? bpf_probe_read_user(to, size, from)
		       : bpf_probe_read_kernel(to, size, from);
}

/* A record that has been reserved, with room for so many bytes: with them, or without if they
 * cannot be read. */
static __always_inline void complete(struct message *record, struct message *message, void *bytes,
				     u64 room, const void *from, bool of_user)
{
	u64 size = message->captured;

	*record = *message;
	/* Always less; old verifiers (5.10) believe it only if it is said of the register itself.
	 */
	asm volatile("" : "+r"(size));
	if (size > room || read_bytes(bytes, size, from, of_user))
		record->captured = 0;
	event_submit(record);
}

static __always_inline void pass_on(struct message *message, const void *from, bool of_user)
{
	u32 size = message->captured;

	if (size <= SHORT) {
		struct short_message *record = event_reserve(sizeof(*record));

		if (record)
			complete(&record->message, message, record->bytes, SHORT, from, of_user);
	} else if (size <= QUESTION) {
		struct question_message *record = event_reserve(sizeof(*record));

		if (record)
			complete(&record->message, message, record->bytes, QUESTION, from, of_user);
	} else {
		struct long_message *record = event_reserve(sizeof(*record));

		if (record)
			complete(&record->message, message, record->bytes, LONG, from, of_user);
	}
}

static __always_inline u32 at_most(u32 size, u32 most)
{
	return size < most ? size : most;
}

/* The running task asks. */
static __always_inline void asks(struct message *message)
{
	message->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(&message->comm, sizeof(message->comm));
	if (by != BY_SYSTEM)
		named_owner_of_current(&message->who);
}

/* Of a call: most have one part or two, the length and the message. */
#define MAX_PARTS 4

struct part {
	u64 at;
	u64 len;
};

/* A receive whose data is taken from the program's memory when it ends. */
struct start {
	u64 ts_ns;
	u64 sk;
	/* Over TCP, where it goes. */
	struct part part[MAX_PARTS];
	/* Over UDP, the datagram. */
	struct tuple tuple;
	u32 len;
	u32 netns;
	u32 unused;
};

#include "under_way.h"

#include "dnslat/udp.h"
#include "dnslat/tcp.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
