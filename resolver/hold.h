/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules A2 to A4 for the addresses of one answer: which verdicts have come,
 * and whether the answer may go. Plain data; timers are the query's.
 */
#ifndef RESOLVER_HOLD_H
#define RESOLVER_HOLD_H

#include "resolver/resolver.h"

#define HOLD_MAX 64

struct hold_item {
	struct addr addr;
	struct resolver_decision decision;
	uint64_t handle; /* while it is waited for */
	void *query;	 /* back to the owner, for the gate's callback */
};

struct hold {
	struct hold_item items[HOLD_MAX];
	size_t count;
};

bool hold_is_usable(const struct hold_item *item);
size_t hold_waiting(const struct hold *hold);
size_t hold_usable(const struct hold *hold);
/* True when nothing but `block` has taken addresses out (A5: NODATA). */
bool hold_only_blocked(const struct hold *hold);
/* The first address that was taken out, for the extended error; NULL if none. */
const struct hold_item *hold_first_unusable(const struct hold *hold);

#endif
