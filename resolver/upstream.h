/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resolving through libunbound, inside our own loop by its pluggable event
 * interface: no thread, no second loop. The only includer of libunbound.
 */
#ifndef RESOLVER_UPSTREAM_H
#define RESOLVER_UPSTREAM_H

#include "lib/addr.h"

struct loop;
struct upstream;
struct upstream_query;

struct upstream_config {
	const struct endpoint *forward;
	size_t forward_count;
	const char *trust_anchor_file; /* NULL: do not validate */
};

struct upstream_answer {
	int rcode;
	bool secure; /* validated */
	const char *bogus; /* why validation failed; NULL if it did not */
	const uint8_t *packet; /* a whole message; NULL when there is only an rcode */
	size_t len;
};

/* `answer` lives until the callback returns. */
typedef void (*upstream_done)(void *arg, const struct upstream_answer *answer);

struct upstream *upstream_new(struct loop *loop);
/* Ends all queries; their callbacks are not called. */
void upstream_free(struct upstream *upstream);
/* Queries that are under way end in the old context. 0 or -errno. */
int upstream_configure(struct upstream *upstream, const struct upstream_config *config);

/*
 * Asks. An answer from the cache is given through `done` at once and the
 * result is NULL; else `done` comes later, once, unless it is cancelled.
 */
struct upstream_query *upstream_start(struct upstream *upstream, const char *name, uint16_t type,
	uint16_t class, bool checking_disabled, upstream_done done, void *arg);
void upstream_cancel(struct upstream_query *query);

#endif
