/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies of ours that somebody else takes out of the kernel: another IKE daemon flushes all of
 * them when it starts or stops, and what is private would be open until our next reload. They are
 * put back as they were, what closes first; SAs are seen to be gone when they are missed.
 */
#include "xfrm/plane.h"

#include "lib/log.h"
#include "lib/mem.h"
#include "xfrm/encode.h"

#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

/* A look reads all policies: where others delete their own all the time, so often. */
#define BETWEEN_US UINT64_C(1000000)

static void take_policy(void *arg, const struct nlmsghdr *message)
{
	const struct dataplane *dp = arg;
	struct mirrored *mirrored;
	struct entry entry;

	if (message->nlmsg_type != XFRM_MSG_NEWPOLICY || !decode_policy(message, &entry))
		return;
	mirrored = mirror_find(dp, &entry.key);
	if (mirrored && entry_same(&mirrored->entry, &entry))
		mirrored->seen = true;
}

/* The keys of shunts that are missing: they have ended, be it by themselves. The caller frees. */
static struct entry_key *find_ended(const struct dataplane *dp, size_t *count)
{
	struct entry_key *keys = NULL;
	struct mirrored *mirrored, *next;

	*count = 0;
	HASH_ITER (hh, dp->mirror, mirrored, next) {
		if (mirrored->seen || !mirrored->entry.lifetime_s)
			continue;
		keys = mem_resize(keys, *count + 1, sizeof(*keys));
		keys[(*count)++] = mirrored->entry.key;
	}
	return keys;
}

/* In the order in which they were first installed: what closes a line came before what opens it. */
static size_t put_back(struct dataplane *dp)
{
	struct mirrored *mirrored, *next;
	size_t count = 0;

	HASH_ITER (hh, dp->mirror, mirrored, next) {
		if (mirrored->seen || mirrored->stale || mirrored->entry.lifetime_s)
			continue;
		mirror_restore(dp, mirrored);
		count++;
	}
	return count;
}

static void look(struct loop_timer *timer)
{
	struct dataplane *dp = timer->arg;
	struct mirrored *mirrored, *next;
	struct entry_key *ended;
	size_t count;

	HASH_ITER (hh, dp->mirror, mirrored, next)
		mirrored->seen = false;
	if (netlink_query(dp->nl, encode_policy_dump(), take_policy, dp) != 0) {
		loop_timer_start(dp->loop, timer, BETWEEN_US);
		return;
	}
	count = put_back(dp);
	dp->guarded_us = count ? 0 : loop_now_us(dp->loop);
	if (count)
		log_warning("somebody else has removed %zu of our policies: they are installed again", count);
	/* Who is told of an end may change any of them. */
	ended = find_ended(dp, &count);
	for (size_t i = 0; i < count; i++) {
		mirrored = mirror_find(dp, &ended[i]);
		if (mirrored && mirrored->entry.lifetime_s && !mirror_stands(dp, &ended[i]))
			flow_policy_expired(dp, mirrored);
	}
	free(ended);
}

void guard_open(struct dataplane *dp)
{
	dp->guard = (struct loop_timer){.fired = look, .arg = dp};
}

void guard_look_later(struct dataplane *dp)
{
	uint64_t now_us = loop_now_us(dp->loop), next_us = dp->guarded_us + BETWEEN_US;

	if (!loop_timer_active(&dp->guard))
		loop_timer_start(dp->loop, &dp->guard,
			dp->guarded_us && next_us > now_us ? next_us - now_us : 0);
}
