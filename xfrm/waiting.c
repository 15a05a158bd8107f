/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What waits in the queue of a trap that many hosts share: the line is too wide
 * to be spread (spread.c). The kernel looks at the oldest packet only. While its
 * host is being negotiated with, all of the queue waits; when it may leave, all
 * of it goes: packets of hosts without an SA are dropped then, and come back by
 * retransmission, into holds of their own (research/kernel.md 0.3, A3).
 *
 * So when a host may leave and another is older in its trap's queue, the oldest
 * packet gets a sink: a policy for its addresses and ports alone, over the
 * hold, and an SA whose sequence numbers are used up. It leaves into that SA,
 * which drops it, and the rest follows. Nothing reaches the wire, and the
 * host's own hold and queue stay as they are. The sink goes when it has been
 * used, which the kernel's timer does at its next tick.
 *
 * Which packets wait is known from the acquires of such traps, in their order.
 * That can be wrong where acquires were not heard, or the kernel has thrown the
 * queue away; then a sink stays unused, and the next oldest gets one.
 */
#include "xfrm/plane.h"

#include "lib/mem.h"
#include "xfrm/encode.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX 100u	  /* the kernel's XFRM_MAX_QUEUE_LEN: what is beyond was dropped */
#define SINK_US 20000u	  /* more than a tick of a kernel with HZ=100 */
#define SINK_LOOKS 5u

struct waiting_key {
	uint32_t line;
	struct addr local;
};
#define WAITING_KEY_LEN (offsetof(struct waiting_key, local) + sizeof(struct addr))

/* One trap's queue; lives while something waits there. */
struct waiting {
	struct waiting_key key;
	struct dataplane *dp;
	struct selector packets[QUEUE_MAX]; /* the first of each host, oldest first */
	size_t count;
	/* The sink of the oldest, while the timer runs. */
	struct loop_timer sink;
	size_t sink_count; /* so many waited when it began */
	unsigned sink_looks;
	struct entry_key sink_policy;
	uint32_t sink_spi;
	UT_hash_handle hh;
};

static struct waiting *find(const struct dataplane *dp, uint32_t line, const struct addr *local)
{
	struct waiting_key key;
	struct waiting *found;

	memset(&key, 0, sizeof(key));
	key.line = line;
	key.local = *local;
	HASH_FIND(hh, dp->waitings, &key, WAITING_KEY_LEN, found);
	return found;
}

/* --- the sink ---------------------------------------------------------------------------------- */

static void end_sink(struct waiting *waiting)
{
	struct dataplane *dp = waiting->dp;

	if (!waiting->sink_spi)
		return;
	loop_timer_stop(dp->loop, &waiting->sink);
	mirror_del(dp, &waiting->sink_policy, NULL);
	state_delete(dp, &waiting->sink_policy.dst.addr, waiting->sink_spi);
	waiting->sink_spi = 0;
}

static void forget(struct waiting *waiting)
{
	struct dataplane *dp = waiting->dp;

	end_sink(waiting);
	HASH_DEL(dp->waitings, waiting);
	free(waiting);
}

static void make_sink_policy(const struct selector *packet, uint32_t slot, uint32_t reqid, struct entry *out)
{
	struct traffic traffic = {.proto = packet->proto,
		.local_port = packet->local_port,
		.local_mask = packet->local_mask,
		.remote_port = packet->remote_port,
		.remote_mask = packet->remote_mask};

	*out = (struct entry){.priority = entry_priority(slot, ENTRY_SINK),
		.action = ENTRY_PROTECT,
		.mode = IPSEC_TRANSPORT,
		.reqid = reqid,
		.tmpl_src = packet->local.addr,
		.tmpl_dst = packet->remote.addr};
	memset(&out->key, 0, sizeof(out->key));
	out->key.tag = entry_tag(0, false);
	out->key.dir = ENTRY_OUT;
	entry_key_set_traffic(&out->key, &traffic);
	out->key.src = packet->local;
	out->key.dst = packet->remote;
}

/* The SA first: a policy without it would acquire. */
static void begin_sink(struct waiting *waiting, const struct line *line)
{
	struct dataplane *dp = waiting->dp;
	const struct selector *oldest = &waiting->packets[0];
	uint32_t reqid = flow_fresh_reqid(dp);
	struct entry policy;

	if (netlink_request(dp->nl, encode_sa_sink(&oldest->local.addr, &oldest->remote.addr, reqid,
					    reqid, entry_tag(0, false))) != 0)
		return;
	make_sink_policy(oldest, line->line.slot, reqid, &policy);
	waiting->sink_policy = policy.key;
	waiting->sink_spi = reqid;
	waiting->sink_count = waiting->count;
	waiting->sink_looks = SINK_LOOKS;
	if (mirror_put(dp, &policy, NULL) == 0)
		loop_timer_start(dp->loop, &waiting->sink, SINK_US);
	else
		end_sink(waiting);
}

static bool sink_is_used(const struct waiting *waiting)
{
	uint64_t packets, bytes, used_s;

	return state_counters(waiting->dp, &waiting->sink_policy.dst.addr, waiting->sink_spi,
		       &packets, &bytes, &used_s) == 0 &&
	       used_s != 0;
}

/* --- letting go -------------------------------------------------------------------------------- */

static enum flow_stance stance_of(const struct waiting *waiting, size_t i)
{
	struct dp_flow key;

	memset(&key, 0, sizeof(key));
	key.line = waiting->key.line;
	key.local = waiting->key.local;
	key.remote = waiting->packets[i].remote.addr;
	return flow_stance(waiting->dp, &key);
}

static bool may_leave(enum flow_stance stance)
{
	return stance == FLOW_ESTABLISHED || stance == FLOW_PASSED;
}

static bool any_may_leave(const struct waiting *waiting)
{
	for (size_t i = 0; i < waiting->count; i++) {
		if (may_leave(stance_of(waiting, i)))
			return true;
	}
	return false;
}

/* Sends the trap again unchanged: the kernel looks at its queue at the next tick. */
static void touch(struct dataplane *dp, const struct line *line, const struct addr *local)
{
	struct prefix host = prefix_of_host(local);
	struct entry_key key = desired_key(&line->line, ENTRY_OUT, &host);

	mirror_touch(dp, &key);
}

static void release(struct waiting *waiting)
{
	struct dataplane *dp = waiting->dp;
	const struct line *line = line_find(dp, waiting->key.line);
	enum flow_stance oldest = stance_of(waiting, 0);
	bool goes = may_leave(oldest) || oldest == FLOW_BLOCKED;

	if (!line || (!goes && !any_may_leave(waiting)))
		return;
	if (!goes && !waiting->sink_spi)
		begin_sink(waiting, line);
	touch(dp, line, &waiting->key.local);
	/* All of it leaves, or is thrown away, with the oldest. */
	if (goes && !waiting->sink_spi)
		forget(waiting);
}

static void look(struct loop_timer *timer)
{
	struct waiting *waiting = timer->arg;
	bool used = sink_is_used(waiting);
	size_t gone = used ? waiting->sink_count : 1;

	if (!used && --waiting->sink_looks > 0) {
		loop_timer_start(waiting->dp->loop, &waiting->sink, SINK_US);
		return;
	}
	end_sink(waiting);
	waiting->count -= gone;
	memmove(waiting->packets, waiting->packets + gone, waiting->count * sizeof(waiting->packets[0]));
	if (waiting->count)
		release(waiting);
	else
		forget(waiting);
}

static bool holds(const struct waiting *waiting, const struct addr *remote)
{
	for (size_t i = 0; i < waiting->count; i++) {
		if (addr_equal(&waiting->packets[i].remote.addr, remote))
			return true;
	}
	return false;
}

static struct waiting *want(struct dataplane *dp, uint32_t line, const struct addr *local)
{
	struct waiting *waiting = find(dp, line, local);

	if (waiting)
		return waiting;
	waiting = mem_new(struct waiting);
	waiting->key.line = line;
	waiting->key.local = *local;
	waiting->dp = dp;
	waiting->sink = (struct loop_timer){.fired = look, .arg = waiting};
	HASH_ADD(hh, dp->waitings, key, WAITING_KEY_LEN, waiting);
	return waiting;
}

void waiting_note(struct dataplane *dp, const struct decoded_acquire *acquire)
{
	const struct selector *packet = &acquire->selector;
	const struct line *line = line_find(dp, entry_tag_line(acquire->tag));
	struct waiting *waiting;

	/* A host's own queue delays nobody else; where packets pass meanwhile there is none. */
	if (prefix_is_host(&acquire->remote) || !line || line->line.out != DP_TRAP)
		return;
	waiting = want(dp, line->line.id, &packet->local.addr);
	if (waiting->count < QUEUE_MAX && !holds(waiting, &packet->remote.addr))
		waiting->packets[waiting->count++] = *packet;
}

void waiting_release(struct dataplane *dp, const struct dp_flow *flow)
{
	struct line *line;
	struct waiting *waiting;

	/* Its own acquire may not have been read yet. */
	netlink_read_events(dp->nl);
	line = line_find(dp, flow->line);
	waiting = find(dp, flow->line, &flow->local);
	/* What waits for a part may leave though the whole may not. */
	if (waiting && !flow->part && holds(waiting, &flow->remote))
		release(waiting);
	else if (line && !line->spread && !prefix_is_host(&line->line.remote))
		touch(dp, line, &flow->local);
}

/* --- ends -------------------------------------------------------------------------------------- */

void waiting_drop_orphans(struct dataplane *dp)
{
	struct waiting *waiting, *next;

	HASH_ITER (hh, dp->waitings, waiting, next) {
		if (!line_find(dp, waiting->key.line) || !is_local(dp, &waiting->key.local))
			forget(waiting);
	}
}

void waiting_clear(struct dataplane *dp)
{
	struct waiting *waiting, *next;

	HASH_ITER (hh, dp->waitings, waiting, next)
		forget(waiting);
}
