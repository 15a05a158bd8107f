/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which tunnels nobody uses (K8). Each one that is watched is looked at four
 * times within its timeout; when the kernel's counters have not moved in all
 * that time it is idle, and its owner is told once. A tunnel comes under
 * watch when it is up and leaves when it is removed.
 */
#ifndef DAEMON_IDLE_H
#define DAEMON_IDLE_H

#include "lib/heap.h"

#include <stdint.h>

struct dataplane;
struct idle;
struct loop;
struct tunnel;

/* In the tunnel; all zero: not watched. */
struct idle_watch {
	struct heap_node due;
	uint64_t timeout_us;
	uint64_t packets;    /* that it had carried when it was last seen to move … */
	uint64_t changed_us; /* … which was then */
};

/* `found` is told of a tunnel without use; the watch on it has ended. */
struct idle *idle_new(struct loop *loop, struct dataplane *dp,
	void (*found)(void *arg, struct tunnel *tunnel), void *arg);
void idle_free(struct idle *idle);
/* timeout_s 0: never idle. */
void idle_watch(struct idle *idle, struct tunnel *tunnel, uint32_t timeout_s);
void idle_forget(struct idle *idle, struct tunnel *tunnel);

#endif
