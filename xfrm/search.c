/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the kernel finds policies among many (net/xfrm/xfrm_policy.c; measured by
 * bench/traps). A policy whose two prefixes are at least as long as its
 * namespace's thresholds is in a hash. All others are in trees of prefixes: there
 * every deletion and every replacement walks the whole tree, and those that lie
 * within each other are one list that a packet is compared with.
 *
 * The kernel's thresholds are whole addresses on both sides. So what closes a
 * host for every source ("any to host") is in a tree, and ten thousand hosts
 * within a /16 cost 200 microseconds for each packet to anybody else in it. With
 * no bits asked of our side they are in the hash too, and nothing gets slower.
 *
 * Lines that would be a long walk all the same get other thresholds (weigh.c).
 *
 * Where thousands of policies of networks go or change at once, the thresholds
 * go down to their length for that time. The kernel sorts anew behind its own
 * sequence count: no lookup misses a policy meanwhile.
 */
#include "xfrm/plane.h"

#include "lib/log.h"
#include "lib/mem.h"
#include "xfrm/encode.h"

#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

/* Fewer changes are not worth two sortings of everything. */
#define BULK_MIN 256u
/* One in so many may be shorter than the threshold of a bulk, and be slow. */
#define BULK_SHORT 10u
/* Shorter ones would share too few chains; the kernel's trees end at these lengths too. */
#define BULK_BITS_IPV4 16u
#define BULK_BITS_IPV6 48u

static const struct search_thresholds kernel_default = {{32, 32}, {128, 128}};

static bool same(const struct search_thresholds *a, const struct search_thresholds *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void take_thresholds(void *arg, const struct nlmsghdr *message)
{
	decode_thresholds(message, arg);
}

static int set(struct dataplane *dp, const struct search_thresholds *thresholds)
{
	int error;

	if (same(&dp->thresholds, thresholds))
		return 0;
	error = netlink_request(dp->nl, encode_thresholds(thresholds));
	if (!error)
		dp->thresholds = *thresholds;
	return error;
}

void search_open(struct dataplane *dp)
{
	int error;

	dp->thresholds = kernel_default;
	netlink_query(dp->nl, encode_thresholds_get(), take_thresholds, &dp->thresholds);
	dp->found_thresholds = dp->thresholds;
	dp->own_thresholds = (struct search_thresholds){{0, 32}, {0, 128}};
	/* An earlier run of ours has left what was good for its lines: then the kernel's were before. */
	if (dp->thresholds.ipv4.local == 0 && dp->thresholds.ipv6.local == 0) {
		dp->found_thresholds = kernel_default;
		dp->own_thresholds = dp->thresholds;
	}
	error = set(dp, &dp->own_thresholds);
	if (error)
		log_warning("cannot set the kernel's policy hash (%s): many lines will be slow",
			strerror(-error));
}

void search_choose(struct dataplane *dp, const struct dp_line *lines, size_t count)
{
	struct prefix *remotes = mem_zalloc(count * sizeof(*remotes));
	struct dp_weight weight;
	size_t installed = 0;

	for (size_t i = 0; i < count; i++) {
		if (lines[i].out != DP_NOTHING || lines[i].in != DP_IN_NOTHING)
			remotes[installed++] = lines[i].remote;
	}
	dp_weigh(remotes, installed, &weight);
	dp->own_thresholds.ipv4.remote = weight.hash_bits[0];
	dp->own_thresholds.ipv6.remote = weight.hash_bits[1];
	free(remotes);
}

void search_restore(struct dataplane *dp)
{
	set(dp, &dp->found_thresholds);
}

/* --- many changes at once ----------------------------------------------------------------------- */

void search_count(struct search_bulk *bulk, const struct entry_key *key)
{
	const struct prefix *remote = key->dir == ENTRY_OUT ? &key->dst : &key->src;
	size_t family = remote->addr.family == ADDR_IPV4 ? 0 : 1;

	if (prefix_is_host(remote))
		return;
	bulk->lengths[family][remote->len]++;
	bulk->count[family]++;
}

/* The longest that nearly all of them reach. */
static uint8_t common_length(const struct search_bulk *bulk, size_t family, uint8_t shortest, uint8_t bits)
{
	size_t shorter = 0;
	uint8_t len = 0;

	while (len < bits && (shorter + bulk->lengths[family][len]) * BULK_SHORT <= bulk->count[family])
		shorter += bulk->lengths[family][len++];
	return len < shortest ? shortest : len;
}

static void lower(uint8_t *bits, uint8_t to)
{
	if (to < *bits)
		*bits = to;
}

void search_begin_bulk(struct dataplane *dp, const struct search_bulk *bulk)
{
	struct search_thresholds thresholds = dp->own_thresholds;

	if (bulk->count[0] >= BULK_MIN)
		lower(&thresholds.ipv4.remote, common_length(bulk, 0, BULK_BITS_IPV4, 32));
	if (bulk->count[1] >= BULK_MIN)
		lower(&thresholds.ipv6.remote, common_length(bulk, 1, BULK_BITS_IPV6, 128));
	set(dp, &thresholds);
}

void search_end_bulk(struct dataplane *dp)
{
	set(dp, &dp->own_thresholds);
}
