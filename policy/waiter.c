/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who waits (flow.h). A waiter is asked again whenever one of its flows has
 * moved; when nothing is open any more its answer is queued, and delivered in
 * the next tick: never from inside, exactly once, never after a cancel.
 */
#include "policy/flow.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <utlist.h>

struct waiter *waiter_new(struct policy *policy, const struct addr *local, const struct addr *remote,
	policy_decided decided, void *arg)
{
	struct waiter *waiter = mem_new(struct waiter);

	waiter->handle = ++policy->last_id;
	waiter->local = *local;
	waiter->remote = *remote;
	waiter->decided = decided;
	waiter->arg = arg;
	HASH_ADD(hh, policy->waiters, handle, sizeof(waiter->handle), waiter);
	return waiter;
}

struct waiter *waiter_find(const struct policy *policy, uint64_t handle)
{
	struct waiter *waiter;

	HASH_FIND(hh, policy->waiters, &handle, sizeof(handle), waiter);
	return waiter;
}

static void drop_gone(struct policy *policy, struct flow *flow)
{
	size_t kept = 0;

	for (size_t i = 0; i < flow->waiter_count; i++) {
		if (waiter_find(policy, flow->waiters[i]))
			flow->waiters[kept++] = flow->waiters[i];
	}
	flow->waiter_count = kept;
}

void waiter_joins(struct policy *policy, struct waiter *waiter, struct flow *flow)
{
	/* A flow that stands for months beside one that keeps failing is joined and never moves. */
	if ((flow->waiter_count & (flow->waiter_count - 1)) == 0)
		drop_gone(policy, flow);
	flow->waiters =
		mem_resize(flow->waiters, flow->waiter_count + 1, sizeof(*flow->waiters));
	flow->waiters[flow->waiter_count++] = waiter->handle;
}

void waiter_free(struct policy *policy, struct waiter *waiter)
{
	if (waiter->ready)
		DL_DELETE(policy->ready, waiter);
	HASH_DEL(policy->waiters, waiter);
	free(waiter);
}

static bool is_moving(const struct policy *policy, const struct waiter *waiter)
{
	struct table_walk walk = table_walk(policy->table, &waiter->remote);
	const struct policy_line *line;

	while ((line = table_next(&walk))) {
		const struct flow *flow =
			flow_find_key(policy, line->id, &waiter->local, &waiter->remote);

		if (flow && (flow->info.state == POLICY_NEGOTIATING ||
				    (flow->info.state == POLICY_CLEAR_UNTIL && flow->shunt_pending)))
			return true;
		if (line->proto == 0)
			break;
	}
	return false;
}

void waiter_look(struct policy *policy, struct waiter *waiter)
{
	if (waiter->ready)
		return;
	/* What will not move any more counts as it is. */
	waiter->hurried = waiter->hurried || !is_moving(policy, waiter);
	policy_evaluate(policy, &waiter->local, &waiter->remote, waiter->hurried, &waiter->answer,
		policy->now_us);
	if (waiter->answer.verdict == POLICY_WAIT)
		return;
	waiter->ready = true;
	DL_APPEND(policy->ready, waiter);
}

void waiters_look(struct policy *policy, struct flow *flow)
{
	size_t kept = 0;

	for (size_t i = 0; i < flow->waiter_count; i++) {
		struct waiter *waiter = waiter_find(policy, flow->waiters[i]);

		if (!waiter)
			continue;
		waiter_look(policy, waiter);
		if (!waiter->ready)
			flow->waiters[kept++] = flow->waiters[i];
	}
	flow->waiter_count = kept;
}

void waiters_look_all(struct policy *policy)
{
	struct waiter *waiter, *next;

	HASH_ITER (hh, policy->waiters, waiter, next)
		waiter_look(policy, waiter);
}

void waiters_deliver(struct policy *policy)
{
	while (policy->ready) {
		struct waiter *waiter = policy->ready;
		policy_decided decided = waiter->decided;
		void *arg = waiter->arg;
		struct policy_answer answer = waiter->answer;

		waiter_free(policy, waiter);
		decided(arg, &answer);
	}
}
