/* SPDX-License-Identifier: (GPL-2.0 OR MIT) */
/*
 * Datagrams: queries as they are sent, answers as they are received, each where one function or
 * tracepoint passes all of them once. A packet of a query may pass several devices, one above the
 * other: then its address is the same, and its device is not, by which user space knows it.
 */

/* RFC 768; include/uapi/linux/ip.h; include/uapi/linux/ipv6.h: their layouts are the wire's. */
struct udp_header {
	__be16 source;
	__be16 dest;
	__be16 len;
	__be16 check;
};

struct ip_header {
	u8 version_and_length;
	u8 tos;
	__be16 len;
	__be16 id;
	__be16 fragment;
	u8 ttl;
	u8 protocol;
	u16 check;
	__be32 source;
	__be32 dest;
};

struct ipv6_header {
	u8 version;
	u8 flow[3];
	__be16 len;
	u8 next;
	u8 hops;
	u32 source[4];
	u32 dest[4];
};

/* include/uapi/linux/if_ether.h */
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
/* include/net/ip.h: a fragment's place, of which the first one has none. */
#define FRAGMENT_OFFSET 0x1fff
/* include/uapi/linux/in6.h: headers that may be before that of UDP. */
#define NEXTHDR_HOP 0
#define NEXTHDR_ROUTING 43
#define NEXTHDR_FRAGMENT 44
#define NEXTHDR_DEST 60
/* More of them than anybody sends. */
#define MAX_NEXTHDRS 6

/* What is known of a packet. */
struct packet {
	u8 *ip;
	u8 *udp;
	struct sock *sk; /* the asker's */
	u32 ifindex;
	/* Without a socket: where the packet is. Its pointer may be followed. */
	bool at_device;
	struct net_device *dev;
};

/* The addresses of a packet, by the version that its first byte has. */
static __always_inline bool read_addresses(struct tuple *tuple, u8 *ip, bool is_query)
{
	u32 *source = is_query ? tuple->local : tuple->remote;
	u32 *dest = is_query ? tuple->remote : tuple->local;
	struct ipv6_header ipv6 = {};
	struct ip_header ipv4 = {};
	u8 version = 0;

	bpf_probe_read_kernel(&version, sizeof(version), ip);
	if (version >> 4 == 6) {
		if (bpf_probe_read_kernel(&ipv6, sizeof(ipv6), ip))
			return false;
		__builtin_memcpy(source, ipv6.source, sizeof(ipv6.source));
		__builtin_memcpy(dest, ipv6.dest, sizeof(ipv6.dest));
		return true;
	}
	if (version >> 4 != 4 || bpf_probe_read_kernel(&ipv4, sizeof(ipv4), ip))
		return false;
	map_ipv4(source, ipv4.source);
	map_ipv4(dest, ipv4.dest);
	return true;
}

/* The network namespace where a packet is. */
static __always_inline u32 netns_of_packet(struct packet *packet, bool typed)
{
	struct net_device *dev = packet->dev;

	if (!packet->at_device)
		return netns_of(&packet->sk->__sk_common, typed);
	return bpf_core_field_exists(dev->nd_net.net) ? dev->nd_net.net->ns.inum : 0;
}

/* Some drivers leave all but the headers of a packet in other pages. Its data is then taken from
 * the program's memory, when the call that reads it ends. */
static __always_inline int reads_later(struct message *message, struct sock *sk)
{
	struct start start = {.sk = (u64)sk, .len = message->len, .netns = message->netns};

	start.tuple = message->tuple;
	if (!keep_start(&start))
		count(LOST, 1);
	return 0;
}

/* A datagram of the network. `typed`: the pointer to its packet may be followed; `reader_is_seen`:
 * and the end of the call that reads it. */
static __always_inline int datagram(struct sk_buff *skb, struct packet *packet, u32 way, bool typed,
				    bool reader_is_seen)
{
	bool is_query = way == UDP_QUERY;
	struct message message = {.way = way, .object = (u64)skb};
	struct udp_header udp = {};
	u8 *payload, flags = 0;
	s64 there;

	if (bpf_probe_read_kernel(&udp, sizeof(udp), packet->udp))
		return 0;
	message.tuple.local_port = bpf_ntohs(is_query ? udp.source : udp.dest);
	message.tuple.remote_port = bpf_ntohs(is_query ? udp.dest : udp.source);
	if (!port_is_asked_for(message.tuple.remote_port))
		return 0;
	if (is_query && !filter_current())
		return 0;
	message.len = bpf_ntohs(udp.len);
	if (message.len < sizeof(udp) + HEADER)
		return 0;
	message.len -= sizeof(udp);
	if (!read_addresses(&message.tuple, packet->ip, is_query) ||
	    !addresses_pass(&message.tuple))
		return 0;
	message.netns = netns_of_packet(packet, typed);
	message.captured = at_most(message.len, most_bytes);
	payload = packet->udp + sizeof(udp);
	/* What is in other pages is out of reach. */
	there = (s64)(field_of(typed, skb, data) - payload) + field_of(typed, skb, len) -
		field_of(typed, skb, data_len);
	if (there < message.captured && reader_is_seen)
		return reads_later(&message, packet->sk);
	if (there < HEADER) {
		count(LOST, 1);
		return 0;
	}
	if (message.captured > there)
		message.captured = there;
	bpf_probe_read_kernel(&flags, sizeof(flags), payload + 2);
	if (flags & OPCODE || !(flags & IS_ANSWER) != is_query)
		return 0;
	message.ts_ns = bpf_ktime_get_ns();
	if (is_query) {
		message.ifindex = packet->ifindex;
		asks(&message);
	}
	pass_on(&message, payload, false);
	return 0;
}

/* The same of a packet whose headers the kernel has found. */
static __always_inline int datagram_of(struct sk_buff *skb, struct sock *sk, u32 ifindex, u32 way,
				       bool typed, bool reader_is_seen)
{
	struct packet packet = {.sk = sk, .ifindex = ifindex};
	u8 *head;

	if (field_of(typed, sk, sk_protocol) != IPPROTO_UDP)
		return 0;
	head = field_of(typed, skb, head);
	packet.ip = head + field_of(typed, skb, network_header);
	packet.udp = head + field_of(typed, skb, transport_header);
	return datagram(skb, &packet, way, typed, reader_is_seen);
}

static __always_inline int sends(struct sk_buff *skb, bool typed)
{
	return datagram_of(skb, field_of(typed, skb, sk), 0, UDP_QUERY, typed, false);
}

SEC("fentry/ip_send_skb")
int BPF_PROG(query_f, struct net *net, struct sk_buff *skb)
{
	return sends(skb, true);
}

SEC("fentry/ip6_send_skb")
int BPF_PROG(query6_f, struct sk_buff *skb)
{
	return sends(skb, true);
}

SEC("kprobe/ip_send_skb")
int BPF_KPROBE(query_k, struct net *net, struct sk_buff *skb)
{
	return sends(skb, false);
}

SEC("kprobe/ip6_send_skb")
int BPF_KPROBE(query6_k, struct sk_buff *skb)
{
	return sends(skb, false);
}

/* A process reads it. A negative length: it only peeks. */
static __always_inline int receives(struct sock *sk, struct sk_buff *skb, int len, bool typed)
{
	return len < 0 ? 0 : datagram_of(skb, sk, 0, UDP_ANSWER, typed, typed);
}

SEC("fentry/skb_consume_udp")
int BPF_PROG(answer_f, struct sock *sk, struct sk_buff *skb, int len)
{
	return receives(sk, skb, len, true);
}

/*
 * A call that reads a datagram ends, whose data is to be taken from the program's memory: that
 * begins with the first part, which the call has passed, or is in.
 */
static __always_inline int reader_ends(struct sock *sk, struct msghdr *msg)
{
	struct message message = {.way = UDP_ANSWER};
	struct start *found = find_start();
	struct iov_iter *iter = &msg->msg_iter;
	struct iovec part = {};
	struct start start;
	u64 passed;

	if (!found || !found->ts_ns || found->sk != (u64)sk)
		return 0;
	start = *found;
	end_start(found);
	passed = BPF_CORE_READ(iter, iov_offset);
	if (iter_is_ubuf(iter)) {
		part.iov_base = BPF_CORE_READ(iter, ubuf);
		part.iov_len = passed;
	} else if (iter_type(iter) == bpf_core_enum_value(enum iter_type, ITER_IOVEC)) {
		const struct iovec *iov = iter_iovec(iter);

		bpf_probe_read_kernel(&part, sizeof(part), passed ? iov : iov - 1);
		if (passed)
			part.iov_len = passed;
	}
	message.ts_ns = bpf_ktime_get_ns();
	message.tuple = start.tuple;
	message.netns = start.netns;
	message.len = start.len;
	/* A buffer that was too short, or one of several parts. */
	message.captured = at_most(at_most(start.len, part.iov_len), most_bytes);
	pass_on(&message, part.iov_base, true);
	return 0;
}

SEC("fexit/udp_recvmsg")
int BPF_PROG(answer_fx, struct sock *sk, struct msghdr *msg)
{
	return reader_ends(sk, msg);
}

SEC("fexit/udpv6_recvmsg")
int BPF_PROG(answer6_fx, struct sock *sk, struct msghdr *msg)
{
	return reader_ends(sk, msg);
}

SEC("kprobe/skb_consume_udp")
int BPF_KPROBE(answer_k, struct sock *sk, struct sk_buff *skb, int len)
{
	return receives(sk, skb, len, false);
}

/* The version of IP of a packet, by its protocol; 0 if it is another one. */
static __always_inline u32 version_of(struct sk_buff *skb)
{
	u16 protocol = bpf_ntohs(skb->protocol);

	return protocol == ETH_P_IP ? 4 : protocol == ETH_P_IPV6 ? 6 : 0;
}

/* Where the header of UDP is in a packet of IPv4; NULL if there is none. */
static __always_inline u8 *udp_in_ipv4(u8 *ip)
{
	struct ip_header header = {};

	if (bpf_probe_read_kernel(&header, sizeof(header), ip))
		return NULL;
	if (header.protocol != IPPROTO_UDP || header.fragment & bpf_htons(FRAGMENT_OFFSET))
		return NULL;
	return ip + (header.version_and_length & 0xf) * 4;
}

/* The same of IPv6. */
static __always_inline u8 *udp_in_ipv6(u8 *ip)
{
	u8 *at = ip + sizeof(struct ipv6_header), next = 0;

	bpf_probe_read_kernel(&next, sizeof(next),
			      ip + __builtin_offsetof(struct ipv6_header, next));
	for (int i = 0; i < MAX_NEXTHDRS && next != IPPROTO_UDP; i++) {
		/* The next one's kind, this one's length in eight bytes but for the first eight;
		 * or a fragment's place. */
		u8 header[4] = {};

		if (next != NEXTHDR_HOP && next != NEXTHDR_ROUTING && next != NEXTHDR_DEST &&
		    next != NEXTHDR_FRAGMENT)
			return NULL;
		if (bpf_probe_read_kernel(header, sizeof(header), at))
			return NULL;
		if (next != NEXTHDR_FRAGMENT)
			at += header[1] * 8;
		else if (header[2] || header[3] & 0xf8)
			return NULL;
		at += 8;
		next = header[0];
	}
	return next == IPPROTO_UDP ? at : NULL;
}

/* A device is to send it. Only a packet of a socket of this machine, in the socket's namespace, has
 * the socket. */
SEC("tp_btf/net_dev_queue")
int BPF_PROG(query_b, struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	if (!sk || !version_of(skb))
		return 0;
	return datagram_of(skb, sk, skb->dev->ifindex, UDP_QUERY, true, false);
}

/* A device has received it: for a process here, or to be passed on. */
SEC("tp_btf/netif_receive_skb")
int BPF_PROG(answer_b, struct sk_buff *skb)
{
	struct packet packet = {.ip = skb->data, .at_device = true, .dev = skb->dev};
	u32 version = version_of(skb);

	if (!version)
		return 0;
	packet.udp = version == 4 ? udp_in_ipv4(packet.ip) : udp_in_ipv6(packet.ip);
	if (!packet.udp)
		return 0;
	return datagram(skb, &packet, UDP_ANSWER, true, false);
}
