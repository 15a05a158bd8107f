/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A network namespace of our own with one interface, whose wire is read here: what leaves it in
 * the clear is seen. The data plane works on the running kernel's real policies; an observer
 * hears every change of them, and a second socket reads them.
 */
#ifndef T_UNIT_XFRM_WORLD_H
#define T_UNIT_XFRM_WORLD_H

#include "lib/log.h"
#include "lib/loop.h"
#include "lib/mem.h"
#include "t/tap.h"
#include "xfrm/dataplane.h"
#include "xfrm/decode.h"
#include "xfrm/encode.h"
#include "xfrm/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ME "10.9.0.1"
#define ME6 "fd09::1"
#define LIMIT_MS 5000
/* A larval state ends by itself after 5 s (K9): who waits for less sees whether it was removed. */
#define SOON_MS 1500

static struct loop *loop;
static struct dataplane *dp;
static int wire = -1;	  /* our interface's other end */
static int observer = -1; /* hears changes of policies */

/* --- what the data plane has told ----------------------------------------------------------------- */

static struct dp_acquire last_acquire;
static struct dp_flow last_ended;
static unsigned acquires, ends, losses;

static void take_acquire(void *arg, const struct dp_acquire *acquire)
{
	(void)arg;
	last_acquire = *acquire;
	acquires++;
}

static void take_expire(void *arg, const struct dp_expire *expire)
{
	(void)arg;
	(void)expire;
}

static void take_mapping(void *arg, const struct dp_mapping *mapping)
{
	(void)arg;
	(void)mapping;
}

static void take_end(void *arg, const struct dp_flow *flow)
{
	(void)arg;
	last_ended = *flow;
	ends++;
}

static void take_loss(void *arg)
{
	(void)arg;
	losses++;
}

static unsigned foreign_changes;

static void take_change(void *arg)
{
	(void)arg;
	foreign_changes++;
}

static const struct dp_events world_events = {.acquire = take_acquire,
	.expire = take_expire,
	.mapping = take_mapping,
	.shunt_ended = take_end,
	.lost = take_loss,
	.foreign = take_change};

/* --- time ----------------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Runs the loop until *count has come to `want`, for so long at most. */
static bool wait_so_long(const unsigned *count, unsigned want, unsigned limit_ms)
{
	uint64_t end = now_ms() + limit_ms;

	while (*count < want && now_ms() < end) {
		loop_step(loop, false);
		usleep(500);
	}
	return *count >= want;
}

static __attribute__((unused)) bool wait_for(const unsigned *count, unsigned want)
{
	return wait_so_long(count, want, LIMIT_MS);
}

/* --- requests: every `done` counts ------------------------------------------------------------------ */

static unsigned answers;
static int last_error;

static void take_answer(void *arg, int error)
{
	(void)arg;
	last_error = error;
	answers++;
}

/* The error of the request that was just made with take_answer(), or 1 when it is not answered once. */
static __attribute__((unused)) int answer_of_request(void)
{
	unsigned before = answers;

	if (!wait_for(&answers, before + 1))
		return 1;
	loop_step(loop, false);
	return answers == before + 1 ? last_error : 1;
}

/* --- the namespace ----------------------------------------------------------------------------------- */

/* A route socket's request: a body and at most one attribute. */
static bool route_request(uint16_t type, const void *body, size_t body_len, uint16_t attr_type, const void *data,
	size_t len)
{
	struct {
		struct nlmsghdr header;
		uint8_t room[64];
	} request = {.header = {.nlmsg_type = type,
			     .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE}};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t rest[256];
	} answer = {0};
	struct rtattr attr = {.rta_type = attr_type, .rta_len = (unsigned short)RTA_LENGTH(len)};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	bool good;

	memcpy(request.room, body, body_len);
	memcpy(request.room + NLMSG_ALIGN(body_len), &attr, sizeof(attr));
	if (len)
		memcpy(request.room + NLMSG_ALIGN(body_len) + RTA_LENGTH(0), data, len);
	request.header.nlmsg_len =
		(uint32_t)(NLMSG_HDRLEN + NLMSG_ALIGN(body_len) + (len ? RTA_SPACE(len) : 0));
	good = send(fd, &request, request.header.nlmsg_len, 0) > 0 &&
	       recv(fd, &answer, sizeof(answer), 0) > 0 && answer.error.error == 0;
	close(fd);
	return good;
}

static bool add_address(const char *text, uint8_t len, int index)
{
	struct ifaddrmsg body = {.ifa_prefixlen = len,
		.ifa_flags = IFA_F_NODAD,
		.ifa_index = (unsigned)index};
	struct addr addr;

	addr_parse(text, &addr);
	body.ifa_family = addr.family == ADDR_IPV4 ? AF_INET : AF_INET6;
	return route_request(RTM_NEWADDR, &body, sizeof(body), IFA_LOCAL, addr.bytes, addr_len(&addr));
}

static bool set_up(int index)
{
	struct ifinfomsg body = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

	return route_request(RTM_NEWLINK, &body, sizeof(body), 0, NULL, 0);
}

static bool add_interface(void)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int index;

	strcpy(request.ifr_name, "wire0");
	wire = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (wire < 0 || ioctl(wire, TUNSETIFF, &request) != 0)
		return false;
	index = (int)if_nametoindex("wire0");
	/* IPv6 may be off in the kernel. */
	return set_up(index) && add_address(ME, 8, index) && (add_address(ME6, 32, index) || true);
}

static int observe_policies(void)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = 1u << (XFRMNLGRP_POLICY - 1)};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_XFRM);
	int size = 32 << 20;

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

/* Why the world cannot be made, NULL when it stands. */
static const char *world_make(void)
{
	if (geteuid() != 0)
		return "needs root";
	if (unshare(CLONE_NEWNET) != 0)
		return "no network namespace of our own";
	if (!add_interface())
		return "no tun interface";
	observer = observe_policies();
	return observer < 0 ? "this kernel has no XFRM" : NULL;
}

/* --- what changes ------------------------------------------------------------------------------------- */

/* Changes of policies since the last call. */
struct changes {
	unsigned added, updated, deleted, flushed;
};

static __attribute__((unused)) struct changes changes_take(void)
{
	static char buffer[65536];
	struct changes out = {0};
	ssize_t got;

	while ((got = recv(observer, buffer, sizeof(buffer), 0)) > 0) {
		const struct nlmsghdr *message = (struct nlmsghdr *)buffer;

		out.added += message->nlmsg_type == XFRM_MSG_NEWPOLICY;
		out.updated += message->nlmsg_type == XFRM_MSG_UPDPOLICY;
		out.deleted += message->nlmsg_type == XFRM_MSG_DELPOLICY;
		out.flushed += message->nlmsg_type == XFRM_MSG_FLUSHPOLICY;
	}
	return out;
}

/* --- what stands ---------------------------------------------------------------------------------------- */

struct standing {
	struct entry *entries;
	size_t count;
};

static void take_standing(void *arg, const struct nlmsghdr *message)
{
	struct standing *standing = arg;
	struct entry entry;

	if (message->nlmsg_type != XFRM_MSG_NEWPOLICY || !decode_policy(message, &entry))
		return;
	standing->entries = mem_resize(standing->entries, standing->count + 1, sizeof(entry));
	standing->entries[standing->count++] = entry;
}

static struct netlink *reader;

static void ignore_message(void *arg, const struct nlmsghdr *message)
{
	(void)arg;
	(void)message;
}

static void ignore_word(void *arg)
{
	(void)arg;
}

static void ignore_change(void *arg, bool deleted)
{
	(void)arg;
	(void)deleted;
}

static struct netlink *reader_open(void)
{
	static const struct netlink_events events = {
		.note = ignore_message, .event = ignore_message, .lost = ignore_word, .changed = ignore_change};
	int error;

	return netlink_open(loop, &events, NULL, &error);
}

/* False when there can be no such world here, which has been said. */
static bool world_begin(void)
{
	const char *obstacle = world_make();

	if (obstacle) {
		printf("1..0 # SKIP %s\n", obstacle);
		return false;
	}
	loop = loop_new();
	reader = reader_open();
	return true;
}

/* The exit status. */
static int world_done(void)
{
	netlink_close(reader);
	loop_free(loop);
	return tap_done();
}

static struct standing standing_now(void)
{
	struct standing out = {0};

	netlink_query(reader, encode_policy_dump(), take_standing, &out);
	return out;
}

static __attribute__((unused)) size_t count_policies(bool (*matches)(const struct entry *entry))
{
	struct standing standing = standing_now();
	size_t count = 0;

	for (size_t i = 0; i < standing.count; i++)
		count += !matches || matches(&standing.entries[i]);
	free(standing.entries);
	return count;
}

static __attribute__((unused)) bool is_ours(const struct entry *entry)
{
	return entry_tag_is_ours(entry->key.tag);
}

static __attribute__((unused)) bool is_closed(const struct entry *entry)
{
	return is_ours(entry) && entry_tag_stays(entry->key.tag);
}

/* --- packets --------------------------------------------------------------------------------------------- */

/* Whose destination is the wire's latest packet; false when there is none. */
static bool next_packet(struct addr *dst)
{
	uint8_t packet[2048];
	ssize_t got = read(wire, packet, sizeof(packet));

	if (got < 20)
		return false;
	return packet[0] >> 4 == 4 ? addr_from_bytes(packet + 16, 4, dst)
				   : got >= 40 && addr_from_bytes(packet + 24, 16, dst);
}

/* How many packets to an address have left since the last look; waits for `want` a while. */
static __attribute__((unused)) unsigned on_wire(const char *text, unsigned want)
{
	uint64_t end = now_ms() + LIMIT_MS;
	struct addr wanted, dst;
	unsigned count = 0;

	addr_parse(text, &wanted);
	for (;;) {
		while (next_packet(&dst))
			count += addr_equal(&dst, &wanted);
		if (count >= want || now_ms() >= end)
			return count;
		loop_step(loop, false);
		usleep(500);
	}
}

static int open_udp(const char *from, const char *to, uint16_t port)
{
	struct endpoint source = {0}, target = {.port = port};
	struct sockaddr_storage name;
	unsigned len;
	int fd;

	addr_parse(to, &target.addr);
	if (from)
		addr_parse(from, &source.addr);
	fd = socket(target.addr.family == ADDR_IPV4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	endpoint_to_sockaddr(&source, &name, &len);
	if (from && bind(fd, (struct sockaddr *)&name, len) != 0)
		diag("bind %s: %s", from, strerror(errno));
	endpoint_to_sockaddr(&target, &name, &len);
	if (connect(fd, (struct sockaddr *)&name, len) != 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* One datagram of a new socket: 0 or the errno that the sender sees. */
static __attribute__((unused)) int send_udp(const char *to, uint16_t port)
{
	int fd = open_udp(NULL, to, port), error;

	if (fd < 0)
		return -fd;
	error = send(fd, "x", 1, 0) == 1 ? 0 : errno;
	close(fd);
	return error;
}

/* --- lines ------------------------------------------------------------------------------------------------- */

enum kind { PRIVATE, PRIVATE_OR_CLEAR, CLEAR, BLOCK };

/* As the daemon makes it; ports are remote ones of TCP or UDP. */
static struct dp_line make_line(uint32_t id, enum kind kind, const char *prefix, uint8_t proto, uint16_t port)
{
	struct dp_line line = {.id = id, .proto = proto, .remote_port = port, .closed = kind == PRIVATE || kind == BLOCK};

	prefix_parse(prefix, &line.remote, NULL);
	line.slot = (uint32_t)(addr_bits(&line.remote.addr) - line.remote.len) * 5 + (port ? 1 : 4);
	line.in = line.closed ? DP_IN_BLOCK : kind == CLEAR ? DP_IN_ALLOW : DP_IN_NOTHING;
	line.out = kind == BLOCK ? DP_BLOCK : kind == CLEAR ? DP_ALLOW : DP_TRAP;
	return line;
}

static __attribute__((unused)) struct dp_flow make_flow(uint32_t line, const char *remote)
{
	struct dp_flow flow;

	memset(&flow, 0, sizeof(flow));
	flow.line = line;
	addr_parse(ME, &flow.local);
	addr_parse(remote, &flow.remote);
	return flow;
}

static __attribute__((unused)) int set_lines(const struct dp_line *lines, size_t count)
{
	struct addr own[2];

	addr_parse(ME, &own[0]);
	addr_parse(ME6, &own[1]);
	dp_set_lines(dp, lines, count, own, 2, NULL, 0, take_answer, NULL);
	return answer_of_request();
}

static __attribute__((unused)) int change_lines(
	const uint32_t *gone, size_t gone_count, const struct dp_line *lines, size_t count)
{
	dp_change_lines(dp, gone, gone_count, lines, count, take_answer, NULL);
	return answer_of_request();
}

static __attribute__((unused)) bool plane_open(void)
{
	int error = 0;

	dp = dp_open(loop, &world_events, NULL, &error);
	return dp != NULL;
}

static __attribute__((unused)) void count_state(void *arg, const struct nlmsghdr *message)
{
	struct decoded_state state;

	if (message->nlmsg_type == XFRM_MSG_NEWSA && decode_state(message, &state) && state.spi)
		++*(unsigned *)arg;
}

/* SAs; larval ones are none. */
static __attribute__((unused)) unsigned count_states(void)
{
	unsigned count = 0;

	netlink_query(reader, encode_sa_dump(), count_state, &count);
	return count;
}

#endif
