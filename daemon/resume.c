/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tunnels that an earlier run had (resume.h). */
#include "daemon/resume.h"

#include "daemon/starts.h"
#include "daemon/trigger.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/mem.h"

#include <stdlib.h>

/* So many at once, so often: a thousand in two seconds. */
#define BATCH 50
#define BATCH_US UINT64_C(100000)

struct resume {
	struct loop *loop;
	struct trigger *trigger;
	struct starts *starts;
	struct dp_peer *peers; /* owned */
	size_t count, next;
	struct loop_timer timer;
};

/* False where a limit says: later. */
static bool begin(struct resume *resume, const struct dp_peer *peer)
{
	struct policy *policy = trigger_policy(resume->trigger);
	struct policy_counters counters = policy_counters(policy);
	uint64_t now_us = loop_now_us(resume->loop);
	struct policy_answer answer;

	policy_explain(policy, &peer->local, &peer->remote, &answer, now_us);
	if (answer.verdict != POLICY_WAIT || !answer.starts)
		return true; /* nothing to begin: it has come to us already, or no line initiates */
	if (starts_refuse_acquire(resume->starts, &counters, &peer->remote, now_us))
		return false;
	policy_want(policy, &peer->local, &peer->remote, POLICY_TRIGGER_DNS, 0, NULL, NULL, &answer,
		now_us);
	return true;
}

static void fired(struct loop_timer *timer)
{
	struct resume *resume = timer->arg;

	for (size_t i = 0; i < BATCH && resume->next < resume->count; i++) {
		if (!begin(resume, &resume->peers[resume->next]))
			break;
		resume->next++;
	}
	if (resume->next < resume->count)
		loop_timer_start(resume->loop, timer, BATCH_US);
}

struct resume *resume_new(struct loop *loop, struct trigger *trigger, struct starts *starts)
{
	struct resume *resume = mem_new(struct resume);

	resume->loop = loop;
	resume->trigger = trigger;
	resume->starts = starts;
	resume->timer = (struct loop_timer){.fired = fired, .arg = resume};
	return resume;
}

void resume_begin(struct resume *resume, struct dp_peer *peers, size_t count)
{
	free(resume->peers);
	resume->peers = peers;
	resume->count = count;
	resume->next = 0;
	if (count)
		log_info("an earlier run had tunnels with %zu hosts: they are negotiated anew", count);
	fired(&resume->timer);
}

void resume_free(struct resume *resume)
{
	if (!resume)
		return;
	loop_timer_stop(resume->loop, &resume->timer);
	free(resume->peers);
	free(resume);
}
