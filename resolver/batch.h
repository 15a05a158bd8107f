/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams in number: what waits on a socket is received by one system call,
 * and what can be answered at once goes out by one. A datagram by itself costs
 * no more than without.
 */
#ifndef RESOLVER_BATCH_H
#define RESOLVER_BATCH_H

#include "lib/addr.h"

struct batch;

struct batch_datagram {
	const uint8_t *data; /* until the next batch_receive() */
	size_t len;
	struct endpoint remote;
	struct addr local;
};

/*
 * For a socket bound to an address that the batch does not own. Bound to all addresses
 * (0.0.0.0, ::), it needs pktinfo_enable().
 */
struct batch *batch_new(int fd, const struct addr *bound);
void batch_free(struct batch *batch);

/* How many datagrams came; those are 0 .. n-1. One that is longer than a query can be is empty. */
size_t batch_receive(struct batch *batch);
void batch_get(const struct batch *batch, size_t index, struct batch_datagram *out);

/* Sends a datagram, with others if batch_receive() began something that batch_flush() is to end. */
void batch_send(struct batch *batch, const struct addr *local, const struct endpoint *to,
	const uint8_t *data, size_t len);
/* Sends what was gathered. What cannot be sent is lost, as datagrams are. */
void batch_flush(struct batch *batch);

#endif
