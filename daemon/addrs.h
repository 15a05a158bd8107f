/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our own addresses, followed through rtnetlink, and the source address that
 * the routing table gives for a destination.
 */
#ifndef DAEMON_ADDRS_H
#define DAEMON_ADDRS_H

#include "lib/addr.h"

struct addrs;
struct loop;

/* `changed` is called from the loop when the set of addresses or broadcasts is another one. */
struct addrs *addrs_open(struct loop *loop, void (*changed)(void *arg), void *arg, int *error);
void addrs_close(struct addrs *addrs);

/* Without loopback and link-local ones; valid until the loop turns. */
const struct addr *addrs_own(const struct addrs *addrs, size_t *count);
const struct addr *addrs_broadcasts(const struct addrs *addrs, size_t *count);

/* The source that a packet to `remote` would have; false without a route. Sends nothing, traps nothing. */
bool addrs_source(struct addrs *addrs, const struct addr *remote, struct addr *out);

#endif
