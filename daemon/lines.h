/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the configuration's lines to what the data plane installs: the table of RULES.md G. */
#ifndef DAEMON_LINES_H
#define DAEMON_LINES_H

#include "policy/policy.h"
#include "xfrm/dataplane.h"

struct addrs;

enum lines_which {
	LINES_ALL,
	LINES_CLOSED, /* only private and block, and exceptions to them (K5, K6) */
};

void lines_install(struct dataplane *dp, const struct policy_config *config,
	const struct addrs *addrs, enum lines_which which, dp_done done, void *arg);

/*
 * The lines of some hosts alone: for each host what it had in `policy` before
 * policy_change_host(), and what it has after it; then all at once.
 */
struct lines_change {
	uint32_t *gone;
	size_t gone_count;
	struct dp_line *lines;
	size_t line_count;
};
void lines_note_old(struct lines_change *change, const struct policy *policy, const struct addr *host);
void lines_note_new(struct lines_change *change, const struct policy *policy, const struct addr *host);
void lines_apply(struct dataplane *dp, struct lines_change *change, dp_done done, void *arg);

#endif
