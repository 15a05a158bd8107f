/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timelines of the latest lookups, for `oectl trace`: a ring of fixed size, so
 * that remembering costs no allocation. Lookups tell their own steps; steps of
 * negotiations are added to every lookup that waits for that peer.
 */
#ifndef DAEMON_TRACE_H
#define DAEMON_TRACE_H

#include "lib/addr.h"

#include <jansson.h>

struct trace;

/* `count` lookups are remembered. */
struct trace *trace_new(size_t count);
void trace_free(struct trace *trace);

/* A step of a lookup. The first one of a query id begins its timeline. */
void trace_query(struct trace *trace, uint64_t query, const char *qname, uint64_t now_us,
	const char *what, const char *text);
/* The lookup waits for this peer from now on. */
void trace_waits_for(struct trace *trace, uint64_t query, const struct addr *remote);
/* A step of a negotiation with a peer; goes to the open timelines that wait for it. */
void trace_peer(struct trace *trace, const struct addr *remote, uint64_t now_us, const char *what,
	const char *text);
/* The timeline is complete: nothing of the peers is added any more. */
void trace_close(struct trace *trace, uint64_t query);

/* The latest timeline of a name, as the control socket gives it; NULL when none is remembered. */
json_t *trace_find(const struct trace *trace, const char *qname);

#endif
