/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our own addresses, routes and rules (addrs.h). An rtnetlink message only says
 * "look again": getifaddrs() looks for addresses, and the kernel is asked for
 * the route whenever one is needed.
 */
#include "daemon/addrs.h"

#include "lib/loop.h"
#include "lib/mem.h"
#include "xfrm/dataplane.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Changes come in bursts (an interface with four addresses): look at the first,
 * for what is ours no more is not exempt from then on, and once for all the rest.
 */
#define SETTLE_US 20000
/* A router's routes change all the time: each tells us to forget failures (N6), so it has a rate.
 */
#define ROUTES_US 1000000

struct addr_set {
	struct addr *items;
	size_t count;
};

/* Owned by the daemon. */
struct addrs {
	struct loop *loop;
	struct addrs_events events;
	void *arg;
	int netlink;
	struct loop_io io;
	struct loop_timer settle;
	struct loop_timer settle_routes;
	uint64_t routes_told_us;
	struct addr_set own;
	struct addr_set broadcasts;
	int probe[2]; /* UDP sockets for route questions: IPv4, IPv6 */
};

static bool set_has(const struct addr_set *set, const struct addr *addr)
{
	for (size_t i = 0; i < set->count; i++) {
		if (addr_equal(&set->items[i], addr))
			return true;
	}
	return false;
}

static void set_add(struct addr_set *set, const struct addr *addr)
{
	if (set_has(set, addr))
		return;
	set->items = mem_resize(set->items, set->count + 1, sizeof(*set->items));
	set->items[set->count++] = *addr;
}

static int compare(const void *a, const void *b)
{
	return addr_compare(a, b);
}

static void set_sort(struct addr_set *set)
{
	if (set->count)
		qsort(set->items, set->count, sizeof(*set->items), compare);
}

static bool set_equal(const struct addr_set *a, const struct addr_set *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!addr_equal(&a->items[i], &b->items[i]))
			return false;
	}
	return true;
}

/*
 * IPv6 addresses that are not ours yet, or never will be, because another host
 * may have them (RFC 4862 5.4): ours are exempt from every line, and theirs
 * must not be. getifaddrs() does not tell; without /proc all count as ours.
 */
static void find_undecided(struct addr_set *undecided)
{
	FILE *file = fopen("/proc/self/net/if_inet6", "re");
	struct addr address = {.family = ADDR_IPV6};
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		unsigned flags;

		for (size_t i = 0; i < 16; i++) {
			if (sscanf(line + 2 * i, "%2hhx", &address.bytes[i]) != 1)
				break;
		}
		if (sscanf(line + 32, "%*x %*x %*x %x", &flags) == 1 &&
			(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) &&
			!(flags & IFA_F_OPTIMISTIC))
			set_add(undecided, &address);
	}
	if (file)
		fclose(file);
}

/* The kernel takes a network's last address for a broadcast even where none was set (but RFC 3021). */
static void add_last_address(const struct ifaddrs *ifa, const struct addr *address, struct addr_set *broadcasts)
{
	struct endpoint mask;
	struct addr last = *address;

	if (address->family != ADDR_IPV4 || !ifa->ifa_netmask ||
		!endpoint_from_sockaddr(ifa->ifa_netmask, &mask) || (mask.addr.bytes[3] & 3) != 0 ||
		mask.addr.family != ADDR_IPV4 || !(ifa->ifa_flags & IFF_BROADCAST))
		return;
	for (size_t i = 0; i < addr_len(&last); i++)
		last.bytes[i] |= (uint8_t)~mask.addr.bytes[i];
	set_add(broadcasts, &last);
}

static void add_interface(const struct ifaddrs *ifa, const struct addr_set *undecided,
	struct addr_set *own, struct addr_set *broadcasts)
{
	struct endpoint endpoint;
	struct addr address;

	if (!ifa->ifa_addr || !endpoint_from_sockaddr(ifa->ifa_addr, &endpoint))
		return;
	address = endpoint.addr;
	if (addr_is_special(&address) || set_has(undecided, &address))
		return;
	set_add(own, &address);
	add_last_address(ifa, &address, broadcasts);
	if ((ifa->ifa_flags & IFF_BROADCAST) && ifa->ifa_broadaddr &&
		endpoint_from_sockaddr(ifa->ifa_broadaddr, &endpoint) &&
		endpoint.addr.family == ADDR_IPV4 && !addr_is_any(&endpoint.addr) &&
		!addr_equal(&endpoint.addr, &address))
		set_add(broadcasts, &endpoint.addr);
}

/* True when something is different from before. What cannot be told now is looked at again. */
static bool look(struct addrs *addrs)
{
	struct addr_set own = {0}, broadcasts = {0}, undecided = {0};
	struct ifaddrs *list;
	bool same;

	if (getifaddrs(&list) != 0) {
		loop_timer_start(addrs->loop, &addrs->settle, SETTLE_US);
		return false;
	}
	/* After the list: what came in between is told again when it is decided. */
	find_undecided(&undecided);
	for (const struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next)
		add_interface(ifa, &undecided, &own, &broadcasts);
	free(undecided.items);
	freeifaddrs(list);
	set_sort(&own);
	set_sort(&broadcasts);
	same = set_equal(&own, &addrs->own) && set_equal(&broadcasts, &addrs->broadcasts);
	free(addrs->own.items);
	free(addrs->broadcasts.items);
	addrs->own = own;
	addrs->broadcasts = broadcasts;
	return !same;
}

static void tell_addresses(struct addrs *addrs)
{
	if (look(addrs) && addrs->events.addresses)
		addrs->events.addresses(addrs->arg);
}

static void settled(struct loop_timer *timer)
{
	tell_addresses(timer->arg);
}

static void routes_settled(struct loop_timer *timer)
{
	struct addrs *addrs = timer->arg;

	addrs->routes_told_us = loop_now_us(addrs->loop);
	if (addrs->events.routes)
		addrs->events.routes(addrs->arg);
}

static bool is_of_routes(const struct nlmsghdr *message)
{
	return message->nlmsg_type == RTM_NEWROUTE || message->nlmsg_type == RTM_DELROUTE ||
	       message->nlmsg_type == RTM_NEWRULE || message->nlmsg_type == RTM_DELRULE;
}

static bool changes_routes(const struct nlmsghdr *message)
{
	const struct rtmsg *route = NLMSG_DATA(message);

	if (message->nlmsg_type != RTM_NEWROUTE && message->nlmsg_type != RTM_DELROUTE)
		return true; /* a rule (policy routing) */
	/* The table of local addresses and what the kernel caches are no news. */
	return message->nlmsg_len >= NLMSG_LENGTH(sizeof(*route)) &&
	       route->rtm_type == RTN_UNICAST && route->rtm_table != RT_TABLE_LOCAL &&
	       !(route->rtm_flags & RTM_F_CLONED);
}

/* What a datagram of messages is about. */
static void sort_messages(const void *data, size_t len, bool *addresses, bool *routes)
{
	const struct nlmsghdr *message = data;
	unsigned left = (unsigned)len;

	for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
		if (is_of_routes(message))
			*routes = *routes || changes_routes(message);
		else
			*addresses = true;
	}
}

static void routes_changed(struct addrs *addrs)
{
	uint64_t now_us = loop_now_us(addrs->loop), next_us = addrs->routes_told_us + ROUTES_US;
	uint64_t at_us = now_us + SETTLE_US;

	if (addrs->routes_told_us && next_us > at_us)
		at_us = next_us;
	if (!loop_timer_active(&addrs->settle_routes))
		loop_timer_start_at(addrs->loop, &addrs->settle_routes, at_us);
}

static void netlink_ready(struct loop_io *io, int events)
{
	struct addrs *addrs = io->arg;
	_Alignas(struct nlmsghdr) char buffer[8192];
	bool addresses = false, routes = false;
	ssize_t len;

	(void)events;
	while ((len = recv(addrs->netlink, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0 ||
		errno == ENOBUFS) {
		if (len > 0)
			sort_messages(buffer, (size_t)len, &addresses, &routes);
		else /* some were lost: any of them */
			addresses = routes = true;
		errno = 0;
	}
	if (routes)
		routes_changed(addrs);
	if (addresses && !loop_timer_active(&addrs->settle)) {
		loop_timer_start(addrs->loop, &addrs->settle, SETTLE_US);
		tell_addresses(addrs);
	}
}

static int open_netlink(void)
{
	struct sockaddr_nl self = {.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_LINK |
			     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
			     1u << (RTNLGRP_IPV6_RULE - 1)};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&self, sizeof(self)) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* A connect() asks the policies too: exempt, or each question would raise an acquire. */
static int open_probe(int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && dp_bypass_socket(fd, family == AF_INET ? ADDR_IPV4 : ADDR_IPV6) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

struct addrs *addrs_open(
	struct loop *loop, const struct addrs_events *events, void *arg, int *error)
{
	struct addrs *addrs = mem_new(struct addrs);

	addrs->loop = loop;
	addrs->events = *events;
	addrs->arg = arg;
	addrs->netlink = open_netlink();
	addrs->probe[0] = open_probe(AF_INET);
	addrs->probe[1] = open_probe(AF_INET6);
	if (addrs->netlink < 0 || (addrs->probe[0] < 0 && addrs->probe[1] < 0)) {
		*error = -errno;
		addrs_close(addrs);
		return NULL;
	}
	addrs->io = (struct loop_io){.ready = netlink_ready, .arg = addrs};
	addrs->settle = (struct loop_timer){.fired = settled, .arg = addrs};
	addrs->settle_routes = (struct loop_timer){.fired = routes_settled, .arg = addrs};
	loop_io_start(loop, &addrs->io, addrs->netlink, LOOP_READ);
	look(addrs);
	return addrs;
}

void addrs_close(struct addrs *addrs)
{
	if (!addrs)
		return;
	loop_io_stop(addrs->loop, &addrs->io);
	loop_timer_stop(addrs->loop, &addrs->settle);
	loop_timer_stop(addrs->loop, &addrs->settle_routes);
	if (addrs->netlink >= 0)
		close(addrs->netlink);
	for (size_t i = 0; i < ARRAY_LEN(addrs->probe); i++) {
		if (addrs->probe[i] >= 0)
			close(addrs->probe[i]);
	}
	free(addrs->own.items);
	free(addrs->broadcasts.items);
	free(addrs);
}

const struct addr *addrs_own(const struct addrs *addrs, size_t *count)
{
	*count = addrs->own.count;
	return addrs->own.items;
}

const struct addr *addrs_broadcasts(const struct addrs *addrs, size_t *count)
{
	*count = addrs->broadcasts.count;
	return addrs->broadcasts.items;
}

bool addrs_source(struct addrs *addrs, const struct addr *remote, struct addr *out)
{
	int fd = addrs->probe[remote->family == ADDR_IPV4 ? 0 : 1];
	struct endpoint endpoint = {.addr = *remote, .port = 500};
	struct sockaddr forget = {.sa_family = AF_UNSPEC};
	struct sockaddr_storage storage;
	socklen_t len = sizeof(storage);
	unsigned to_len;

	if (fd < 0)
		return false;
	endpoint_to_sockaddr(&endpoint, &storage, &to_len);
	/* The first connect() pins the source; AF_UNSPEC lets it go (connect(2)). */
	connect(fd, &forget, sizeof(forget));
	if (connect(fd, (struct sockaddr *)&storage, to_len) != 0 ||
		getsockname(fd, (struct sockaddr *)&storage, &len) != 0 ||
		!endpoint_from_sockaddr((struct sockaddr *)&storage, &endpoint))
		return false;
	*out = endpoint.addr;
	return !addr_is_any(out);
}
