/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many negotiations are begun (rule N3). Whoever owns a zone chooses the
 * addresses of its answers, and whoever can send us packets makes our kernel
 * reply, and so ask for a tunnel, to any address of a group: neither may have us
 * knock at other people's doors without end, nor fill our memory. Joining a
 * negotiation that is under way costs nothing and is not asked for here.
 */
#ifndef DAEMON_STARTS_H
#define DAEMON_STARTS_H

#include "lib/addr.h"

struct policy_counters;
struct starts;

struct starts *starts_new(void);
void starts_free(struct starts *starts);

/*
 * NULL when one more may be begun for this answer to a question for `qname`,
 * else why not. Who `only_looks` (an explanation) takes nothing of what is left.
 */
const char *starts_refuse_lookup(struct starts *starts, uint64_t query, const char *qname,
	const struct addr *remote, bool only_looks, uint64_t now_us);
/* The same for an acquire; `counters` is how full policy is. Those that it refuses are counted. */
const char *starts_refuse_acquire(struct starts *starts, const struct policy_counters *counters,
	const struct addr *remote, uint64_t now_us);
uint64_t starts_refused_acquires(const struct starts *starts);

#endif
