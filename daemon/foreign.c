/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The log's view of foreign policies (foreign.h). */
#include "daemon/foreign.h"

#include "daemon/load.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/mem.h"
#include "xfrm/dataplane.h"

#include <stdlib.h>
#include <string.h>

/* Another daemon installs several at once, and may do so all the time: a look reads all policies. */
#define SETTLE_US UINT64_C(100000)
#define BETWEEN_US UINT64_C(2000000)

/* Owned by the daemon. */
struct foreign {
	struct loop *loop;
	struct dataplane *dp;
	struct loop_timer timer;
	uint64_t looked_us;
	char **told; /* that are there still */
	size_t count;
};

static void fired(struct loop_timer *timer)
{
	foreign_look(timer->arg);
}

struct foreign *foreign_new(struct loop *loop, struct dataplane *dp)
{
	struct foreign *foreign = mem_new(struct foreign);

	foreign->loop = loop;
	foreign->dp = dp;
	foreign->timer = (struct loop_timer){.fired = fired, .arg = foreign};
	return foreign;
}

void foreign_free(struct foreign *foreign)
{
	if (!foreign)
		return;
	loop_timer_stop(foreign->loop, &foreign->timer);
	load_free_texts(foreign->told, foreign->count);
	free(foreign);
}

static bool was_told(const struct foreign *foreign, const char *text)
{
	for (size_t i = 0; i < foreign->count; i++) {
		if (strcmp(foreign->told[i], text) == 0)
			return true;
	}
	return false;
}

void foreign_look(struct foreign *foreign)
{
	char **texts;
	size_t count = dp_warnings(foreign->dp, &texts);

	loop_timer_stop(foreign->loop, &foreign->timer);
	foreign->looked_us = loop_now_us(foreign->loop);
	for (size_t i = 0; i < count; i++) {
		if (!was_told(foreign, texts[i]))
			log_warning("%s", texts[i]);
	}
	load_free_texts(foreign->told, foreign->count);
	foreign->told = texts;
	foreign->count = count;
}

void foreign_changed(struct foreign *foreign)
{
	uint64_t at_us = loop_now_us(foreign->loop) + SETTLE_US;

	if (foreign->looked_us && at_us < foreign->looked_us + BETWEEN_US)
		at_us = foreign->looked_us + BETWEEN_US;
	if (!loop_timer_active(&foreign->timer))
		loop_timer_start_at(foreign->loop, &foreign->timer, at_us);
}
