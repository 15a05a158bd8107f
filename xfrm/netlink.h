/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XFRM over libnl-3's core: one socket for requests, one for the kernel's
 * events. libnl-xfrm lacks acquire, allocspi and more, so messages are made of
 * the kernel's own structures (encode.c, decode.c).
 *
 * The kernel carries a request out while it is being sent, and its answer is
 * in our buffer when send returns: a request costs some 8 microseconds and is
 * made in line. What the callers are told, they are told later (dataplane.c).
 */
#ifndef XFRM_NETLINK_H
#define XFRM_NETLINK_H

#include <stdbool.h>
#include <stddef.h>

struct loop;
struct netlink;
struct nl_msg;
struct nlmsghdr;

typedef void (*netlink_take)(void *arg, const struct nlmsghdr *message);

/*
 * The kernel's ACQUIRE, EXPIRE, POLEXPIRE and MAPPING go first to `note`, as
 * soon as they are read, which may be in the midst of anything: it remembers
 * and does no more. Then to `event`, from the loop alone. `lost` says that some
 * were not heard. `changed`: others than this netlink have changed policies, and
 * may have deleted some.
 */
struct netlink_events {
	netlink_take note, event;
	void (*lost)(void *arg);
	void (*changed)(void *arg, bool deleted);
};

/* NULL with -errno in *error. */
struct netlink *netlink_open(
	struct loop *loop, const struct netlink_events *events, void *arg, int *error);
void netlink_close(struct netlink *nl);

/* Sends a request and waits for its acknowledgement; frees it. 0 or -errno. */
int netlink_request(struct netlink *nl, struct nl_msg *request);
/* The same for one that is answered with a message, or (dump) with many. */
int netlink_query(struct netlink *nl, struct nl_msg *request, netlink_take take, void *arg);
/* Reads, and notes, the events that are here already, before something is done that they may concern. */
void netlink_read_events(struct netlink *nl);

#endif
