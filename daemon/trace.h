/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timelines of the latest lookups, for `oectl trace`: a ring of fixed size, so
 * that remembering costs no allocation. Lookups tell their own steps; steps of
 * negotiations are added to every lookup that waits for that peer.
 */
#ifndef DAEMON_TRACE_H
#define DAEMON_TRACE_H

#include "resolver/resolver.h"

#include <jansson.h>

struct trace;

/* `count` lookups are remembered. */
struct trace *trace_new(size_t count);
void trace_free(struct trace *trace);

/* A step of a lookup. RESOLVER_STAGE_QUERY begins its timeline, RESOLVER_STAGE_RELEASED completes it. */
void trace_query(struct trace *trace, uint64_t query, const char *qname, uint64_t now_us,
	const struct resolver_event *event);
/* The lookup waits for this peer from now on. */
void trace_waits_for(struct trace *trace, uint64_t query, const struct addr *remote);
/* A step of a negotiation with a peer; goes to the timelines that wait for it and are not complete. */
void trace_peer(struct trace *trace, const struct addr *remote, uint64_t now_us, const char *what,
	const char *text);

/* The latest timeline of a name, as the control socket gives it; NULL when none is remembered. */
json_t *trace_find(const struct trace *trace, const char *qname);

#endif
