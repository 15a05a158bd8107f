/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CHILD SAs that the data plane has, by id, by flow and by SPI: what
 * the kernel, policy and a report ask for is found without a walk.
 */
#ifndef DAEMON_TUNNELS_H
#define DAEMON_TUNNELS_H

#include "daemon/idle.h"
#include "ike/ike.h"
#include "lib/hash.h"
#include "xfrm/dataplane.h"

struct tunnel {
	struct ike_child child; /* its pair has no keys */
	struct dp_flow flow;	/* that it was installed for: policy may have forgotten it by the end */
	bool up; /* policy counts it, of a part or of the whole */
	struct idle_watch watch; /* idle.c only */
	/* tunnels.c only */
	uint8_t out_key[sizeof(uint32_t) + 1 + 16]; /* SPI and destination: bytes without padding */
	struct flow_tunnels *siblings;
	struct tunnel *prev, *next;
	UT_hash_handle by_id, by_in_spi, by_out;
};

/* All zero: empty. */
struct tunnels {
	struct tunnel *by_id, *by_in_spi, *by_out;
	struct flow_tunnels *flows;
	uint32_t last_part;
};

/* Copies the child without its keys. */
struct tunnel *tunnels_add(
	struct tunnels *tunnels, const struct ike_child *child, const struct dp_flow *flow);
void tunnels_remove(struct tunnels *tunnels, struct tunnel *tunnel);
void tunnels_clear(struct tunnels *tunnels);

/* NULL when there is none. Of a flow: the youngest. */
struct tunnel *tunnels_find(const struct tunnels *tunnels, uint64_t child);
struct tunnel *tunnels_of_flow(const struct tunnels *tunnels, uint64_t flow);
/* Whether one carries less than its flow; the number of that part, the same for parts that carry the same (0: no part). */
bool tunnel_is_part(const struct ike_child *child, const struct selector *flow);
uint32_t tunnels_part(struct tunnels *tunnels, const struct ike_child *child, const struct selector *flow);
/* Another one for the same of the same flow. */
struct tunnel *tunnels_same(const struct tunnels *tunnels, const struct ike_child *child);
/* A younger one for the same stands. */
bool tunnels_has_successor(const struct tunnel *tunnel);
/* By our inbound SPI; by the outbound one, which is unique at its destination. */
struct tunnel *tunnels_inbound(const struct tunnels *tunnels, uint32_t spi);
struct tunnel *tunnels_outbound(const struct tunnels *tunnels, const struct addr *dst, uint32_t spi);

/* The IKE SAs of all that `matches` picks, as a new array: owned by the caller, who may end them. */
uint64_t *tunnels_sas(const struct tunnels *tunnels,
	bool (*matches)(const struct ike_child *child, const void *key), const void *key, size_t *count);
/* The same of one flow, without a walk over the others. */
uint64_t *tunnels_sas_of_flow(const struct tunnels *tunnels, uint64_t flow, size_t *count);

#endif
