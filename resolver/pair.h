/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queries of one getaddrinfo(): a client asks for A and for AAAA, and each
 * is a query of its own. Once an address of either family can be used, the other
 * query gets dns-hold-grace and no more (A3). They are known by what they share:
 * the socket that they come from (glibc and musl send both from one) and the
 * name. Not by the address of their host alone: who asks for one family only,
 * beside others that have both, has no use for what others can use.
 *
 * Most answers wait for nothing, so what is usable is noted in a table of a fixed
 * size, where a later note may take the place of another; losing one costs its
 * client the wait that a single query has. Plain data; time is handed in.
 */
#ifndef RESOLVER_PAIR_H
#define RESOLVER_PAIR_H

#include "resolver/listener.h"

struct pairs;

/* One of the queries; embedded in it. Must not be waiting when its owner goes. */
struct pair_half {
	uint64_t key; /* pair_key() */
	uint16_t type;
	uint64_t arrived_us;
	void *query;
	bool waiting;
	struct pair_half *prev, *next;
};

/* `name` is in lower case: clients may mix letters, each query in its own way. */
uint64_t pair_key(const struct client *client, const char *name);

struct pairs *pairs_new(void);
void pairs_free(struct pairs *pairs);

/* An address in the answer to this A or AAAA query can be used: `tell` is called for the others that wait. */
void pairs_usable(struct pairs *pairs, const struct pair_half *half, uint64_t now_us,
	void (*tell)(struct pair_half *other));
/*
 * When an address of another family could first be used, as far as this query
 * can have to do with that: it was under way, or came a moment later. LOOP_NEVER: none.
 */
uint64_t pairs_other_usable(const struct pairs *pairs, const struct pair_half *half);
/* Waits to be told, until pairs_leave(), which is no error for who does not wait. */
void pairs_wait(struct pairs *pairs, struct pair_half *half);
void pairs_leave(struct pairs *pairs, struct pair_half *half);

#endif
