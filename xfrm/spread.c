/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which lines are installed as one trap for each host (K10). A packet that
 * waits in a trap's queue leaves when the oldest one there may, and is lost
 * when that one is: where many hosts share a trap, one that is dead delays the
 * others (research/kernel.md 0.3). A host's own trap is the object that becomes
 * its hold, its shunt and its tunnel's policy, so its packets never move.
 *
 * Smallest lines first, as many as the budget has traps for; the rest share a
 * trap, with the remedy of waiting.c.
 */
#include "xfrm/plane.h"

#include <string.h>

/*
 * Traps for hosts, of all lines and addresses of ours. They are in the kernel's
 * hash and cost a packet nothing; what they cost is the time to install them,
 * which is part of a start and of a change of addresses, and the kernel's memory.
 */
#define SPREAD_MAX 4096u
#define SPREAD_BITS 12u

static unsigned host_bits(const struct dp_line *line)
{
	return addr_bits(&line->remote.addr) - line->remote.len;
}

size_t spread_hosts(const struct dp_line *line)
{
	return host_bits(line) <= SPREAD_BITS ? (size_t)1 << host_bits(line) : 0;
}

/*
 * Where packets wait, and for more hosts than one. Not where the kernel hashes
 * less than whole addresses (search.c): all these traps would be one chain.
 */
static bool can_spread(const struct dataplane *dp, const struct dp_line *line)
{
	const struct search_thresholds *chosen = &dp->own_thresholds;
	bool is_ipv6 = line->remote.addr.family == ADDR_IPV6;
	uint8_t hashed = is_ipv6 ? chosen->ipv6.remote : chosen->ipv4.remote;

	return line->out == DP_TRAP && host_bits(line) > 0 && host_bits(line) <= SPREAD_BITS &&
	       hashed == addr_bits(&line->remote.addr);
}

static size_t count_locals(const struct dataplane *dp, uint8_t family)
{
	size_t count = 0;

	for (size_t i = 0; i < dp->local_count; i++)
		count += dp->locals[i].family == family;
	return count;
}

/* Spreads the lines of a size until one does not fit. */
static void spread_size(struct dataplane *dp, const struct dp_line *lines, size_t count,
	unsigned bits, size_t *left)
{
	const size_t locals[] = {count_locals(dp, ADDR_IPV4), count_locals(dp, ADDR_IPV6)};

	for (size_t i = 0; i < count; i++) {
		size_t traps;

		if (!can_spread(dp, &lines[i]) || host_bits(&lines[i]) != bits)
			continue;
		traps = spread_hosts(&lines[i]) * locals[lines[i].remote.addr.family == ADDR_IPV6];
		if (traps > *left)
			return;
		*left -= traps;
		line_find(dp, lines[i].id)->spread = true;
	}
}

void spread_choose(struct dataplane *dp, const struct dp_line *lines, size_t count)
{
	size_t of_size[SPREAD_BITS + 1] = {0}, left = SPREAD_MAX;

	for (size_t i = 0; i < count; i++) {
		line_find(dp, lines[i].id)->spread = false;
		of_size[can_spread(dp, &lines[i]) ? host_bits(&lines[i]) : 0]++;
	}
	for (unsigned bits = 1; bits <= SPREAD_BITS; bits++) {
		if (of_size[bits])
			spread_size(dp, lines, count, bits, &left);
	}
}
