/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our own addresses, routes and rules, followed through rtnetlink, and the source
 * address that the routing table gives for a destination.
 */
#ifndef DAEMON_ADDRS_H
#define DAEMON_ADDRS_H

#include "lib/addr.h"

struct addrs;
struct loop;

/* Called from the loop; either may be NULL. */
struct addrs_events {
	void (*addresses)(void *arg); /* the set of addresses or broadcasts is another one */
	void (*routes)(void *arg);    /* some route or rule has changed; at most one call a second */
};

struct addrs *addrs_open(
	struct loop *loop, const struct addrs_events *events, void *arg, int *error);
void addrs_close(struct addrs *addrs);

/* Without loopback and link-local ones; valid until the loop turns. */
const struct addr *addrs_own(const struct addrs *addrs, size_t *count);
const struct addr *addrs_broadcasts(const struct addrs *addrs, size_t *count);

/* The source that a packet to `remote` would have; false without a route. Sends nothing, traps
 * nothing. */
bool addrs_source(struct addrs *addrs, const struct addr *remote, struct addr *out);

#endif
