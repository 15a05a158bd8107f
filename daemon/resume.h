/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After a crash the peers' SAs lead to nobody: what they send is lost until
 * their own liveness checks find out (N7). The hosts that an earlier run had
 * tunnels with are still known by the SAs that it has left in the kernel; each
 * gets a negotiation of ours at start, in which the peer sees that its old SA is
 * void. A few at a time, within the limits of N3.
 */
#ifndef DAEMON_RESUME_H
#define DAEMON_RESUME_H

#include "xfrm/dataplane.h"

struct loop;
struct resume;
struct starts;
struct trigger;

/* All outlive it. */
struct resume *resume_new(struct loop *loop, struct trigger *trigger, struct starts *starts);
void resume_free(struct resume *resume);
/* Takes the array over, of dp_take_peers(). */
void resume_begin(struct resume *resume, struct dp_peer *peers, size_t count);

#endif
