/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inbound SAs of pairs that were replaced. What the peer had sent on them may
 * still be on its way when it deletes them (RFC 7296 2.8): they go a moment
 * later. An object lives from the replacement until its timer.
 */
#include "xfrm/plane.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <utlist.h>

#define LINGER_US 1000000u

struct departing {
	struct dataplane *dp;
	struct addr dst;
	uint32_t spi;
	struct loop_timer timer;
	struct departing *prev, *next;
};

static void depart(struct loop_timer *timer)
{
	struct departing *departing = timer->arg;
	struct dataplane *dp = departing->dp;

	state_delete(dp, &departing->dst, departing->spi);
	DL_DELETE(dp->departing, departing);
	free(departing);
}

void departing_add(struct dataplane *dp, const struct addr *dst, uint32_t spi)
{
	struct departing *departing = mem_new(struct departing);

	departing->dp = dp;
	departing->dst = *dst;
	departing->spi = spi;
	departing->timer = (struct loop_timer){.fired = depart, .arg = departing};
	DL_APPEND(dp->departing, departing);
	loop_timer_start(dp->loop, &departing->timer, LINGER_US);
}

void departing_clear(struct dataplane *dp)
{
	struct departing *departing, *next;

	DL_FOREACH_SAFE (dp->departing, departing, next) {
		loop_timer_stop(dp->loop, &departing->timer);
		depart(&departing->timer);
	}
}
