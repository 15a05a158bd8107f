/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debug names (A10): class CHAOS, type TXT, for local clients only.
 *
 *   version.oe  peers.oe  groups.oe  ADDRESS.peer.oe     the daemon's answer, at once
 *   NAME.explain.oe  ADDRESS.explain.oe                  what a lookup would bring, without doing it
 *
 * An explanation asks upstream for A, then AAAA, and the gate about each
 * address; the verdicts go through the same decisions as those of a lookup.
 */
#ifndef RESOLVER_DEBUG_H
#define RESOLVER_DEBUG_H

#include "resolver/query.h"

/* Answers a question in class CHAOS, now or later, once. */
void debug_take(struct resolver *resolver, const struct client *client, const struct message_query *question);
/* Ends what is under way for the clients of a listener, or of all (NULL), without answers. */
void debug_release(struct resolver *resolver, const struct listener *listener);

#endif
