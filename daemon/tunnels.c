/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of CHILD SAs (tunnels.h). */
#include "daemon/tunnels.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <utlist.h>

/* Those of one flow, youngest first: usually one, two while one is replaced. */
struct flow_tunnels {
	uint64_t flow;
	struct tunnel *list;
	UT_hash_handle hh;
};

static void write_out_key(
	uint8_t key[sizeof(uint32_t) + 1 + 16], const struct addr *dst, uint32_t spi)
{
	memcpy(key, &spi, sizeof(spi));
	key[sizeof(spi)] = dst->family;
	memcpy(key + sizeof(spi) + 1, dst->bytes, sizeof(dst->bytes));
}

static struct flow_tunnels *siblings_of(const struct tunnels *tunnels, uint64_t flow)
{
	struct flow_tunnels *siblings;

	HASH_FIND(hh, tunnels->flows, &flow, sizeof(flow), siblings);
	return siblings;
}

struct tunnel *tunnels_add(
	struct tunnels *tunnels, const struct ike_child *child, const struct dp_flow *flow)
{
	struct tunnel *tunnel = mem_new(struct tunnel);

	tunnel->child = *child;
	sa_pair_wipe_keys(&tunnel->child.pair);
	tunnel->flow = *flow;
	write_out_key(tunnel->out_key, &child->pair.out.dst, child->pair.out.spi);
	tunnel->siblings = siblings_of(tunnels, child->user);
	if (!tunnel->siblings) {
		tunnel->siblings = mem_new(struct flow_tunnels);
		tunnel->siblings->flow = child->user;
		HASH_ADD(hh, tunnels->flows, flow, sizeof(uint64_t), tunnel->siblings);
	}
	DL_PREPEND(tunnel->siblings->list, tunnel);
	HASH_ADD(by_id, tunnels->by_id, child.id, sizeof(uint64_t), tunnel);
	HASH_ADD(by_in_spi, tunnels->by_in_spi, child.pair.in.spi, sizeof(uint32_t), tunnel);
	HASH_ADD(by_out, tunnels->by_out, out_key, sizeof(tunnel->out_key), tunnel);
	return tunnel;
}

void tunnels_remove(struct tunnels *tunnels, struct tunnel *tunnel)
{
	struct flow_tunnels *siblings = tunnel->siblings;

	HASH_DELETE(by_id, tunnels->by_id, tunnel);
	HASH_DELETE(by_in_spi, tunnels->by_in_spi, tunnel);
	HASH_DELETE(by_out, tunnels->by_out, tunnel);
	DL_DELETE(siblings->list, tunnel);
	if (!siblings->list) {
		HASH_DEL(tunnels->flows, siblings);
		free(siblings);
	}
	free(tunnel);
}

void tunnels_clear(struct tunnels *tunnels)
{
	while (tunnels->by_id)
		tunnels_remove(tunnels, tunnels->by_id);
}

struct tunnel *tunnels_find(const struct tunnels *tunnels, uint64_t child)
{
	struct tunnel *tunnel;

	HASH_FIND(by_id, tunnels->by_id, &child, sizeof(child), tunnel);
	return tunnel;
}

struct tunnel *tunnels_of_flow(const struct tunnels *tunnels, uint64_t flow)
{
	const struct flow_tunnels *siblings = siblings_of(tunnels, flow);

	return siblings ? siblings->list : NULL;
}

struct tunnel *tunnels_same(const struct tunnels *tunnels, const struct ike_child *child)
{
	struct tunnel *tunnel = tunnels_of_flow(tunnels, child->user);

	for (; tunnel; tunnel = tunnel->next) {
		if (tunnel->child.id != child->id &&
			sa_pair_same_selectors(&tunnel->child.pair, &child->pair))
			return tunnel;
	}
	return NULL;
}

bool tunnels_has_successor(const struct tunnel *tunnel)
{
	const struct tunnel *other = tunnel->siblings->list;

	while (other != tunnel &&
		!(other->up && sa_pair_same_selectors(&other->child.pair, &tunnel->child.pair)))
		other = other->next;
	return other != tunnel;
}

bool tunnel_is_part(const struct ike_child *child, const struct selector *flow)
{
	return child->pair.more_count || !selector_equal(&child->pair.selector, flow);
}

uint32_t tunnels_part(struct tunnels *tunnels, const struct ike_child *child, const struct selector *flow)
{
	const struct tunnel *same;

	if (!tunnel_is_part(child, flow))
		return 0;
	same = tunnels_same(tunnels, child);
	return same ? same->flow.part : ++tunnels->last_part;
}

struct tunnel *tunnels_inbound(const struct tunnels *tunnels, uint32_t spi)
{
	struct tunnel *tunnel;

	HASH_FIND(by_in_spi, tunnels->by_in_spi, &spi, sizeof(spi), tunnel);
	return tunnel;
}

struct tunnel *tunnels_outbound(const struct tunnels *tunnels, const struct addr *dst, uint32_t spi)
{
	struct tunnel *tunnel;
	uint8_t key[sizeof(tunnel->out_key)];

	write_out_key(key, dst, spi);
	HASH_FIND(by_out, tunnels->by_out, key, sizeof(key), tunnel);
	return tunnel;
}

uint64_t *tunnels_sas(const struct tunnels *tunnels,
	bool (*matches)(const struct ike_child *child, const void *key), const void *key, size_t *count)
{
	uint64_t *sas = mem_zalloc((HASH_CNT(by_id, tunnels->by_id) + 1) * sizeof(*sas));
	struct tunnel *tunnel, *next;

	*count = 0;
	HASH_ITER (by_id, tunnels->by_id, tunnel, next) {
		if (matches(&tunnel->child, key))
			sas[(*count)++] = tunnel->child.sa;
	}
	return sas;
}

uint64_t *tunnels_sas_of_flow(const struct tunnels *tunnels, uint64_t flow, size_t *count)
{
	const struct tunnel *tunnel = tunnels_of_flow(tunnels, flow);
	uint64_t *sas = NULL;

	for (*count = 0; tunnel; tunnel = tunnel->next) {
		sas = mem_resize(sas, *count + 1, sizeof(*sas));
		sas[(*count)++] = tunnel->child.sa;
	}
	return sas;
}
