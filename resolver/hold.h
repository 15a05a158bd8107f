/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules A2 to A6 for the addresses of one answer: which verdicts have come,
 * whether the answer may go, and in which shape. Plain data and pure
 * decisions; timers and the gate are the query's.
 */
#ifndef RESOLVER_HOLD_H
#define RESOLVER_HOLD_H

#include "resolver/resolver.h"

#define HOLD_MAX 64
#define HOLD_FEW 4 /* most answers have no more addresses */

struct hold_item {
	struct addr addr;
	struct resolver_decision decision;
	uint64_t handle; /* while it is waited for */
	void *query;	 /* back to the owner, for the gate's callback */
};

/* Embedded in its query; zero-initialised is empty. Items stay where they are until hold_clear(), if the hold does. */
struct hold {
	struct hold_item *items; /* `few`, or memory of their own */
	size_t count;
	struct hold_item few[HOLD_FEW];
};

/* An item for each address, undecided (RESOLVER_WAIT), in place of those before. At most HOLD_MAX. */
void hold_init(struct hold *hold, const struct addr *addrs, size_t count, void *query);
void hold_clear(struct hold *hold);

bool hold_is_usable(const struct hold_item *item);
size_t hold_waiting(const struct hold *hold);
size_t hold_usable(const struct hold *hold);
/* True when nothing but `block` has taken addresses out (A5: NODATA). */
bool hold_only_blocked(const struct hold *hold);
/* The address that explains best what was taken out: one that failed, else one blocked; NULL if none. */
const struct hold_item *hold_culprit(const struct hold *hold);

/* What is to be done about an answer while the deadline of A4 has not come. */
enum hold_step {
	HOLD_KEEP,  /* nothing can be used yet */
	HOLD_GRACE, /* one can be used: the others get dns-hold-grace and no more (A3) */
	HOLD_GO,    /* every address is decided */
};
enum hold_step hold_look(const struct hold *hold);

/* What the client asked for, as far as A5 and A6 care. */
enum hold_kind {
	HOLD_KIND_ADDRESS, /* A or AAAA */
	HOLD_KIND_SIGNED,  /* A or AAAA with DO: sets go out whole or not at all (A6) */
	HOLD_KIND_SIGNED_SETS, /* ANY with DO: a set of each family */
	HOLD_KIND_RECORDS, /* another type, whose records may carry addresses */
};

/* The shape of the answer, when it goes. An address that still waits counts as withheld. */
enum hold_shape {
	HOLD_SHAPE_USABLE, /* the records, without the addresses that are not usable */
	HOLD_SHAPE_WHOLE,  /* the records, all of them */
	HOLD_SHAPE_NODATA, /* no records */
	HOLD_SHAPE_OTHER,  /* depends on the other address family (A5) */
	HOLD_SHAPE_FAIL,   /* SERVFAIL */
};
enum hold_shape hold_shape(const struct hold *hold, enum hold_kind kind);

#endif
