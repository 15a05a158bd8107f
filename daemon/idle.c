/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tunnels without use (idle.h). */
#include "daemon/idle.h"

#include "daemon/tunnels.h"
#include "lib/loop.h"
#include "lib/mem.h"

#include <stdlib.h>

#define SECOND_US UINT64_C(1000000)
#define LOOKS 4

struct idle {
	struct loop *loop;
	struct dataplane *dp;
	void (*found)(void *arg, struct tunnel *tunnel);
	void *arg;
	struct heap due;
	struct loop_timer timer;
};

static void set_timer(struct idle *idle)
{
	if (heap_due(&idle->due) == HEAP_NEVER)
		loop_timer_stop(idle->loop, &idle->timer);
	else
		loop_timer_start_at(idle->loop, &idle->timer, heap_due(&idle->due));
}

/* True when it has carried nothing for its whole timeout. An SA that is gone is somebody else's to end. */
static bool is_idle(struct idle *idle, struct tunnel *tunnel, uint64_t now_us)
{
	struct idle_watch *watch = &tunnel->watch;
	struct dp_counters counters = {0};

	if (dp_read_counters(idle->dp, &tunnel->child.pair, &counters) != 0)
		return false;
	if (counters.in_packets + counters.out_packets != watch->packets) {
		watch->packets = counters.in_packets + counters.out_packets;
		watch->changed_us = now_us;
	}
	return now_us - watch->changed_us >= watch->timeout_us;
}

static void look(struct idle *idle, struct tunnel *tunnel, uint64_t now_us)
{
	if (is_idle(idle, tunnel, now_us)) {
		heap_remove(&idle->due, &tunnel->watch.due);
		idle->found(idle->arg, tunnel);
	} else {
		heap_set(&idle->due, &tunnel->watch.due, now_us + tunnel->watch.timeout_us / LOOKS);
	}
}

static void timer_fired(struct loop_timer *timer)
{
	struct idle *idle = timer->arg;
	uint64_t now_us = loop_now_us(idle->loop);

	while (heap_due(&idle->due) <= now_us) {
		struct idle_watch *watch =
			container_of(heap_first(&idle->due), struct idle_watch, due);

		look(idle, container_of(watch, struct tunnel, watch), now_us);
	}
	set_timer(idle);
}

struct idle *idle_new(struct loop *loop, struct dataplane *dp,
	void (*found)(void *arg, struct tunnel *tunnel), void *arg)
{
	struct idle *idle = mem_new(struct idle);

	idle->loop = loop;
	idle->dp = dp;
	idle->found = found;
	idle->arg = arg;
	idle->timer = (struct loop_timer){.fired = timer_fired, .arg = idle};
	return idle;
}

void idle_free(struct idle *idle)
{
	if (!idle)
		return;
	loop_timer_stop(idle->loop, &idle->timer);
	heap_clear(&idle->due);
	free(idle);
}

void idle_watch(struct idle *idle, struct tunnel *tunnel, uint32_t timeout_s)
{
	struct idle_watch *watch = &tunnel->watch;
	uint64_t now_us = loop_now_us(idle->loop);

	if (!timeout_s)
		return;
	watch->timeout_us = timeout_s * SECOND_US;
	watch->packets = 0;
	watch->changed_us = now_us;
	heap_set(&idle->due, &watch->due, now_us + watch->timeout_us / LOOKS);
	set_timer(idle);
}

void idle_forget(struct idle *idle, struct tunnel *tunnel)
{
	heap_remove(&idle->due, &tunnel->watch.due);
	set_timer(idle);
}
