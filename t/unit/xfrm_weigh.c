/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a walk lines cost in the kernel (xfrm/weigh.c): known shapes, and random ones against counting. */
#include "lib/mem.h"
#include "t/tap.h"
#include "xfrm/dataplane.h"

#include <stdlib.h>

#define MOST 20000

static struct prefix lines[MOST];
static size_t count;

static void add(uint32_t addr, uint8_t len)
{
	struct prefix prefix = {.addr = {.family = ADDR_IPV4}, .len = len};

	for (int i = 0; i < 4; i++)
		prefix.addr.bytes[i] = (uint8_t)(addr >> (24 - 8 * i));
	lines[count++] = prefix;
}

/* Of 2000::/3: `number` in the bits 16 to 47. */
static void add_ipv6(uint32_t number, uint8_t len)
{
	struct prefix prefix = {.addr = {.family = ADDR_IPV6, .bytes = {0x20}}, .len = len};

	for (int i = 0; i < 4; i++)
		prefix.addr.bytes[2 + i] = (uint8_t)(number >> (24 - 8 * i));
	lines[count++] = prefix;
}

static struct dp_weight weigh(void)
{
	struct dp_weight weight;

	dp_weigh(lines, count, &weight);
	return weight;
}

static void test_shapes(void)
{
	struct dp_weight weight = weigh();

	is_int((intmax_t)weight.walk, 0, "no lines, no walk");
	ok(weight.hash_bits[0] == 32 && weight.hash_bits[1] == 128, "whole addresses are hashed");

	add(0x0a000000, 16);
	for (uint32_t i = 0; i < 10000; i++)
		add(0x0a000000 + i, 32);
	weight = weigh();
	is_int((intmax_t)weight.walk, 2, "hosts in a network are found one by one");
	is_int(weight.hash_bits[0], 32, "by whole addresses");

	count = 0;
	for (uint32_t i = 0; i < 10000; i++)
		add(0x0a000000 + (i << 8), 24);
	is_int((intmax_t)weigh().walk, 1, "so are networks side by side");

	add(0x0a010000, 17);
	is_int((intmax_t)weigh().walk, 129, "a network around 128 of them is a walk through all");

	count = 0;
	add(0x0a000000, 16);
	for (uint32_t i = 0; i < 4096; i++)
		add(0x0a000000 + (i << 4), 28);
	weight = weigh();
	is_int(weight.hash_bits[0], 28, "where that is long their length is hashed");
	is_int((intmax_t)weight.walk, 2 + 16, "with room for the hosts' tunnels");

	count = 0;
	for (uint32_t i = 0; i < 6000; i++)
		add(0x0a000000, 8);
	add(0x0b000000, 24);
	weight = weigh();
	is_int((intmax_t)weight.walk, 6001, "ports of a short prefix are a walk for everybody");
	ok(weight.at < 6000, "to a line of which it points");

	count = 0;
	for (uint32_t i = 0; i < 10000; i++)
		add_ipv6(i << 16, 32);
	weight = weigh();
	is_int(weight.hash_bits[1], 32, "short prefixes of IPv6 are hashed where they are many");
	ok(weight.walk < 100, "and found at once");
}

/* --- random lines ------------------------------------------------------------------------------------ */

static bool shares(const struct prefix *a, const struct prefix *b, uint8_t bits)
{
	struct prefix cut = *a;

	for (unsigned bit = bits; bit < 128; bit++)
		cut.addr.bytes[bit / 8] = (uint8_t)(cut.addr.bytes[bit / 8] & ~(0x80 >> bit % 8));
	cut.len = bits;
	return prefix_contains(&cut, &b->addr);
}

/* The widest line of the tree's lengths that holds a line; NULL if it is in no node. */
static const struct prefix *node_of(const struct prefix *line, uint8_t bits)
{
	const struct prefix *node = NULL;

	for (size_t i = 0; i < count; i++) {
		if (lines[i].len >= 16 && lines[i].len < bits && lines[i].len <= line->len &&
			prefix_contains(&lines[i], &line->addr) && (!node || lines[i].len < node->len))
			node = &lines[i];
	}
	return node;
}

/* What a packet to a line's first address walks over, by the words at the head of weigh.c. */
static size_t walk_at(const struct prefix *line, uint8_t bits)
{
	const struct prefix *node = node_of(line, bits);
	size_t walk = 0;

	for (size_t i = 0; i < count; i++) {
		if (lines[i].len >= bits)
			walk += line->len >= bits && shares(line, &lines[i], bits);
		else if (lines[i].len < 16)
			walk++;
		else
			walk += node && prefix_contains(node, &lines[i].addr);
	}
	return walk;
}

static size_t longest_walk(uint8_t bits)
{
	size_t longest = 0;

	for (size_t i = 0; i < count; i++) {
		size_t walk = walk_at(&lines[i], bits);

		longest = walk > longest ? walk : longest;
	}
	return longest;
}

static void test_random(unsigned seed)
{
	int wrong = 0;

	diag("seed %u", seed);
	srandom(seed);
	for (int round = 0; round < 300; round++) {
		struct dp_weight weight;

		count = 0;
		while (count < 60) {
			uint8_t len = (uint8_t)(10 + random() % 23);

			add((uint32_t)((random() & 0x0103070f) << (32 - len)) | 0x0a000000u << (random() % 2), len);
			lines[count - 1] = (struct prefix){.addr = lines[count - 1].addr, .len = len};
			if (!shares(&lines[count - 1], &lines[count - 1], len))
				count--;
		}
		weight = weigh();
		wrong += weight.hash_bits[0] != 32 || weight.walk != longest_walk(32);
	}
	is_int(wrong, 0, "random lines walk as far as counting says");
}

int main(int argc, char **argv)
{
	test_shapes();
	test_random(argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20261125);
	return tap_done();
}
