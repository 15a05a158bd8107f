/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many lines the kernel compares a packet with, one after the other
 * (search.c says why). For a threshold of R bits they are, at worst:
 *
 *   those of R bits and more that share their first R bits: a chain of the hash,
 *   those of less within one of less: a node of the tree, and
 *   those of less than 16 or 48 bits: one list for every packet.
 *
 * Each costs some 45 ns (bench/traps). Whole addresses are the best threshold
 * unless that is a long walk, for the hosts that we have tunnels with share the
 * chains.
 */
#include "xfrm/plane.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* A walk that is no trouble: 12 microseconds. */
#define GOOD_WALK 256u
/* So many tunnels are expected in one chain, if it has room for them. */
#define CHAIN_TUNNELS 64u

/* A line's prefix, and which it was. */
struct weighed {
	struct prefix prefix;
	size_t index;
};

struct family {
	uint8_t bits;
	uint8_t tree_bits; /* shorter ones are in no tree (INEXACT_PREFIXLEN_IPV4, _IPV6) */
	uint8_t candidates[7];
};

static const struct family families[2] = {
	{32, 16, {28, 24, 22, 20, 16, 12, 8}},
	{128, 48, {64, 56, 48, 44, 40, 32, 24}},
};

/* The longest so far, and a line that is in it. */
struct walk {
	size_t lines, at;
};

static bool same_bits(const struct addr *a, const struct addr *b, uint8_t bits)
{
	size_t whole = bits / 8u;

	return memcmp(a->bytes, b->bytes, whole) == 0 &&
	       (bits % 8 == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - bits % 8)) == 0);
}

static void reach(struct walk *walk, size_t lines, size_t at)
{
	if (lines > walk->lines)
		*walk = (struct walk){.lines = lines, .at = at};
}

/* The chain and the node under way, in sorted lines. */
struct place {
	const struct prefix *node, *chain;
	size_t in_node, in_chain;
	size_t longest; /* chain of the node */
};

static void add_to_chain(struct place *place, const struct prefix *prefix, uint8_t bits)
{
	if (!place->chain || !same_bits(&place->chain->addr, &prefix->addr, bits))
		place->in_chain = 0;
	place->chain = prefix;
	place->in_chain++;
	if (place->in_chain > place->longest)
		place->longest = place->in_chain;
}

static void add_to_node(struct place *place, const struct prefix *prefix)
{
	if (!place->node)
		*place = (struct place){.node = prefix};
	place->in_node++;
}

static struct walk walk_for(const struct weighed *lines, size_t count, const struct family *family, uint8_t bits)
{
	struct place place = {0};
	size_t everywhere = 0, last_short = 0;
	struct walk worst = {0};

	for (size_t i = 0; i < count; i++) {
		const struct prefix *prefix = &lines[i].prefix;

		if (place.node && !prefix_contains(place.node, &prefix->addr))
			place = (struct place){0};
		if (prefix->len >= bits)
			add_to_chain(&place, prefix, bits);
		else if (prefix->len >= family->tree_bits)
			add_to_node(&place, prefix);
		else if (++everywhere)
			last_short = lines[i].index;
		reach(&worst, place.node ? place.in_node + place.longest : place.in_chain, lines[i].index);
	}
	if (everywhere > worst.lines)
		worst.at = last_short;
	worst.lines += everywhere;
	return worst;
}

/* What tunnels may add to a chain. */
static size_t tunnels_in(const struct family *family, uint8_t bits)
{
	uint8_t left = (uint8_t)(family->bits - bits);

	return left < 8 && 1u << left < CHAIN_TUNNELS ? 1u << left : CHAIN_TUNNELS;
}

static struct walk choose(const struct weighed *lines, size_t count, const struct family *family, uint8_t *bits)
{
	struct walk best = walk_for(lines, count, family, family->bits);

	*bits = family->bits;
	for (size_t i = 0; i < ARRAY_LEN(family->candidates) && best.lines > GOOD_WALK; i++) {
		struct walk other = walk_for(lines, count, family, family->candidates[i]);

		other.lines += tunnels_in(family, family->candidates[i]);
		if (other.lines >= best.lines)
			continue;
		best = other;
		*bits = family->candidates[i];
	}
	return best;
}

static int compare(const void *left, const void *right)
{
	const struct weighed *a = left, *b = right;
	int order = addr_compare(&a->prefix.addr, &b->prefix.addr);

	return order ? order : a->prefix.len - b->prefix.len;
}

void dp_weigh(const struct prefix *remotes, size_t count, struct dp_weight *out)
{
	struct weighed *lines = mem_zalloc(count * sizeof(*lines));
	size_t ipv4 = 0;
	struct walk walks[2];

	for (size_t i = 0; i < count; i++) {
		lines[i] = (struct weighed){.prefix = remotes[i], .index = i};
		ipv4 += remotes[i].addr.family == ADDR_IPV4;
	}
	if (count)
		qsort(lines, count, sizeof(*lines), compare);
	walks[0] = choose(lines, ipv4, &families[0], &out->hash_bits[0]);
	walks[1] = choose(lines + ipv4, count - ipv4, &families[1], &out->hash_bits[1]);
	out->walk = walks[walks[1].lines > walks[0].lines].lines;
	out->at = walks[walks[1].lines > walks[0].lines].at;
	free(lines);
}
