/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows (flow.h): the state door and what each state does on entry.
 *
 * Failure memory (N6): the first failure is remembered for 5 s (`private`:
 * 1 s), each further one twice as long, up to shuntlifetime (`private`: 30 s).
 */
#include "policy/flow.h"

#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define FIRST_MEMORY_S 5u
#define FIRST_PRIVATE_MEMORY_S 1u
#define MAX_PRIVATE_MEMORY_S 30u
/* A shunt that lets pass while a negotiation goes on: its own end comes long before. */
#define OPEN_LIFETIME_S 60u
/* What the data plane refused to open is tried anew after this. */
#define REFUSED_US SECOND_US
/* An idle flow without failures is forgotten after this. */
#define IDLE_LIFE_US (60 * SECOND_US)

static struct flow_key make_key(uint32_t line, const struct addr *local, const struct addr *remote)
{
	return (struct flow_key){.line = line, .local = *local, .remote = *remote};
}

struct flow *flow_find_key(const struct policy *policy, uint32_t line, const struct addr *local,
	const struct addr *remote)
{
	struct flow_key key = make_key(line, local, remote);
	struct flow *flow;

	HASH_FIND(by_key, policy->by_key, &key, FLOW_KEY_LEN, flow);
	return flow;
}

struct flow *flow_find(const struct policy *policy, uint64_t id)
{
	struct flow *flow;

	HASH_FIND(by_id, policy->by_id, &id, sizeof(id), flow);
	return flow;
}

static struct remote *find_remote(const struct policy *policy, const struct addr *addr)
{
	struct remote *remote;

	HASH_FIND(hh, policy->by_remote, addr, sizeof(*addr), remote);
	return remote;
}

struct flow *flow_first_of(const struct policy *policy, const struct addr *addr)
{
	const struct remote *remote = find_remote(policy, addr);

	return remote ? remote->flows : NULL;
}

static void join_remote(struct policy *policy, struct flow *flow)
{
	struct remote *remote = find_remote(policy, &flow->info.remote);

	if (!remote) {
		remote = mem_new(struct remote);
		remote->addr = flow->info.remote;
		HASH_ADD(hh, policy->by_remote, addr, sizeof(remote->addr), remote);
	}
	flow->remote = remote;
	DL_APPEND(remote->flows, flow);
}

static void leave_remote(struct policy *policy, struct flow *flow)
{
	struct remote *remote = flow->remote;

	DL_DELETE(remote->flows, flow);
	if (remote->flows)
		return;
	HASH_DEL(policy->by_remote, remote);
	free(remote);
}

const struct policy_conn *flow_conn(const struct policy *policy, const struct flow *flow)
{
	return &policy->conns[flow->info.conn];
}

void flow_keep(struct policy *policy, struct flow *flow)
{
	uint64_t life_us = flow->info.failures
				   ? flow_conn(policy, flow)->shunt_lifetime_s * SECOND_US
				   : IDLE_LIFE_US;

	heap_set(&policy->due, &flow->due, policy->now_us + life_us);
}

void flow_set_line(const struct policy *policy, struct flow *flow, const struct policy_line *line)
{
	flow->info.line = line->id;
	flow->info.conn = line->conn;
	flow->info.group = policy->conns[line->conn].group;
	flow->info.selector = (struct selector){.local = prefix_of_host(&flow->info.local),
		.remote = prefix_of_host(&flow->info.remote),
		.proto = line->proto,
		.local_port = line->local_port,
		.remote_port = line->remote_port};
	flow->key = make_key(line->id, &flow->info.local, &flow->info.remote);
}

struct flow *flow_want(struct policy *policy, const struct policy_line *line,
	const struct addr *local, const struct addr *remote, enum policy_trigger trigger)
{
	struct flow *flow = flow_find_key(policy, line->id, local, remote);

	if (flow)
		return flow;
	flow = mem_new(struct flow);
	flow->info.id = ++policy->last_id;
	flow->info.local = *local;
	flow->info.remote = *remote;
	flow->info.trigger = trigger;
	flow->info.since_us = policy->now_us;
	flow->info.until_us = POLICY_NEVER;
	flow_set_line(policy, flow, line);
	HASH_ADD(by_id, policy->by_id, info.id, sizeof(flow->info.id), flow);
	HASH_ADD(by_key, policy->by_key, key, FLOW_KEY_LEN, flow);
	join_remote(policy, flow);
	flow_keep(policy, flow);
	return flow;
}

/* A tunnel stands, be it for a part. */
static bool carries(const struct flow *flow)
{
	return flow->info.state == POLICY_TUNNELLED || flow->info.parts;
}

void flow_free(struct policy *policy, struct flow *flow)
{
	policy->negotiating -= flow->info.state == POLICY_NEGOTIATING;
	policy->tunnelled -= carries(flow);
	heap_remove(&policy->due, &flow->due);
	HASH_DELETE(by_id, policy->by_id, flow);
	HASH_DELETE(by_key, policy->by_key, flow);
	leave_remote(policy, flow);
	free(flow->waiters);
	free(flow);
}

/* --- the door --------------------------------------------------------------------------- */

#define BIT(state) (1u << (state))

static unsigned successors(enum policy_state state)
{
	switch (state) {
	case POLICY_IDLE:
		return BIT(POLICY_NEGOTIATING) | BIT(POLICY_TUNNELLED);
	case POLICY_NEGOTIATING:
		return BIT(POLICY_TUNNELLED) | BIT(POLICY_CLEAR_UNTIL) |
		       BIT(POLICY_BLOCKED_UNTIL) | BIT(POLICY_IDLE);
	case POLICY_TUNNELLED:
		return BIT(POLICY_IDLE);
	case POLICY_CLEAR_UNTIL:
		return BIT(POLICY_IDLE) | BIT(POLICY_TUNNELLED) | BIT(POLICY_BLOCKED_UNTIL);
	case POLICY_BLOCKED_UNTIL:
		return BIT(POLICY_IDLE) | BIT(POLICY_TUNNELLED);
	}
	return 0;
}

static void enter(struct policy *policy, struct flow *flow)
{
	switch (flow->info.state) {
	case POLICY_IDLE:
		flow->opened = false;
		/* What is on its way is part of what this would take down. */
		if (!flow->coming)
			policy->ops.idle(policy->arg, &flow->info);
		flow_keep(policy, flow);
		break;
	case POLICY_NEGOTIATING:
		flow->failing = false;
		flow->opened = false;
		flow->refused = false;
		policy->negotiating++;
		heap_remove(&policy->due, &flow->due);
		break;
	case POLICY_TUNNELLED:
		flow->info.failures = 0;
		flow->info.reason[0] = '\0';
		flow->info.narrowed = false;
		flow->opened = false;
		heap_remove(&policy->due, &flow->due);
		break;
	case POLICY_CLEAR_UNTIL:
	case POLICY_BLOCKED_UNTIL:
		heap_set(&policy->due, &flow->due, flow->info.until_us);
		break;
	}
}

void flow_set_state(
	struct policy *policy, struct flow *flow, enum policy_state state, const char *reason)
{
	enum policy_state old = flow->info.state;

	if (!(successors(old) & BIT(state)))
		return;
	policy->negotiating -= old == POLICY_NEGOTIATING;
	policy->tunnelled -= carries(flow);
	flow->info.state = state;
	policy->tunnelled += carries(flow);
	flow->info.since_us = policy->now_us;
	if (state != POLICY_CLEAR_UNTIL && state != POLICY_BLOCKED_UNTIL)
		flow->info.until_us = POLICY_NEVER;
	policy->ops.observe(policy->arg, &flow->info, old, reason);
	enter(policy, flow);
	waiters_look(policy, flow);
}

/* --- events --------------------------------------------------------------------------------- */

void flow_start(struct policy *policy, struct flow *flow, enum policy_trigger trigger)
{
	flow->info.trigger = trigger;
	flow_set_state(policy, flow, POLICY_NEGOTIATING, policy_trigger_name(trigger));
	policy->ops.hold(policy->arg, &flow->info);
	flow->begun = true;
	policy->ops.initiate(policy->arg, &flow->info);
}

void flow_wait_on(struct policy *policy, struct flow *flow)
{
	flow_set_state(policy, flow, POLICY_NEGOTIATING, "our own negotiation goes on");
	policy->ops.hold(policy->arg, &flow->info);
}

static uint32_t memory_s(const struct policy *policy, const struct flow *flow)
{
	bool is_private = flow->info.group == POLICY_PRIVATE;
	uint32_t most = flow_conn(policy, flow)->shunt_lifetime_s;
	uint64_t memory = is_private ? FIRST_PRIVATE_MEMORY_S : FIRST_MEMORY_S;

	if (is_private && most > MAX_PRIVATE_MEMORY_S)
		most = MAX_PRIVATE_MEMORY_S;
	for (uint32_t i = 0; i < flow->info.failures && memory < most; i++)
		memory *= 2;
	return memory < most ? (uint32_t)memory : most;
}

static void shunt(struct policy *policy, struct flow *flow, bool pass, uint32_t lifetime_s)
{
	flow->shunt_pending = true;
	policy->ops.shunt(policy->arg, &flow->info, pass, lifetime_s);
}

/* The kernel's own end of a shunt comes a second after ours, for the case that we die. */
static uint32_t lifetime_left_s(const struct policy *policy, const struct flow *flow)
{
	uint64_t until_us = flow->info.until_us;

	if (until_us == POLICY_NEVER)
		return 0;
	return until_us > policy->now_us
		       ? (uint32_t)((until_us - policy->now_us + SECOND_US - 1) / SECOND_US) + 1
		       : 1;
}

void flow_fail(struct policy *policy, struct flow *flow, const char *reason)
{
	bool pass = flow_conn(policy, flow)->failure_pass;
	uint32_t lifetime_s = memory_s(policy, flow);

	if (flow->info.state != POLICY_NEGOTIATING)
		return;
	flow->info.failures++;
	flow->info.until_us = policy->now_us + lifetime_s * SECOND_US;
	snprintf(flow->info.reason, sizeof(flow->info.reason), "%s", reason);
	shunt(policy, flow, pass, lifetime_left_s(policy, flow));
	flow_set_state(policy, flow, pass ? POLICY_CLEAR_UNTIL : POLICY_BLOCKED_UNTIL, reason);
}

void flow_set_parts(struct policy *policy, struct flow *flow, uint32_t parts)
{
	policy->tunnelled -= carries(flow);
	flow->info.parts = parts;
	policy->tunnelled += carries(flow);
}

void flow_narrow(struct policy *policy, struct flow *flow, const char *what)
{
	bool pass = flow_conn(policy, flow)->failure_pass;

	if (flow->info.state != POLICY_NEGOTIATING)
		return;
	flow->info.narrowed = true;
	flow->info.failures = 0;
	flow->info.until_us = POLICY_NEVER;
	snprintf(flow->info.reason, sizeof(flow->info.reason), "the peer grants no more than %s", what);
	shunt(policy, flow, pass, 0);
	flow_set_state(policy, flow, pass ? POLICY_CLEAR_UNTIL : POLICY_BLOCKED_UNTIL,
		flow->info.reason);
}

void flow_widen(struct policy *policy, struct flow *flow)
{
	if (!flow->info.narrowed)
		return;
	flow->info.narrowed = false;
	flow->info.reason[0] = '\0';
	flow_set_state(policy, flow, POLICY_IDLE, "what the peer had granted is gone");
}

void flow_demand(struct policy *policy, struct flow *flow)
{
	switch (flow->info.state) {
	case POLICY_IDLE:
		policy->ops.idle(policy->arg, &flow->info);
		break;
	case POLICY_NEGOTIATING:
		if (flow->opened)
			shunt(policy, flow, true, OPEN_LIFETIME_S);
		else
			policy->ops.hold(policy->arg, &flow->info);
		break;
	case POLICY_CLEAR_UNTIL:
	case POLICY_BLOCKED_UNTIL:
		shunt(policy, flow, flow->info.state == POLICY_CLEAR_UNTIL, lifetime_left_s(policy, flow));
		break;
	case POLICY_TUNNELLED:
		break;
	}
}

void flow_refused(struct policy *policy, struct flow *flow)
{
	/* What the kernel refused to open is closed: say so rather than hope, and not for long. */
	if (flow->info.state == POLICY_CLEAR_UNTIL) {
		if (flow->info.until_us > policy->now_us + REFUSED_US)
			flow->info.until_us = policy->now_us + REFUSED_US;
		flow_set_state(policy, flow, POLICY_BLOCKED_UNTIL, "the kernel refused the shunt");
	}
	if (flow->opened) {
		flow->opened = false;
		flow->refused = true;
	}
}

void flow_shunt_ended(struct policy *policy, struct flow *flow)
{
	bool timed = flow->info.until_us != POLICY_NEVER;

	switch (flow->info.state) {
	case POLICY_NEGOTIATING:
		if (flow->opened)
			flow_demand(policy, flow);
		break;
	case POLICY_CLEAR_UNTIL:
	case POLICY_BLOCKED_UNTIL:
		if (timed)
			flow_set_state(policy, flow, POLICY_IDLE, "the kernel has ended the shunt");
		else
			flow_demand(policy, flow);
		break;
	case POLICY_IDLE:
	case POLICY_TUNNELLED:
		break;
	}
}

bool flow_open_now(struct policy *policy, struct flow *flow)
{
	if (flow->info.state != POLICY_NEGOTIATING || !flow_conn(policy, flow)->failure_pass)
		return false;
	if (!flow->opened) {
		flow->opened = true;
		flow->refused = false;
		shunt(policy, flow, true, OPEN_LIFETIME_S);
	}
	return true;
}

void flow_due(struct policy *policy, struct flow *flow)
{
	switch (flow->info.state) {
	case POLICY_CLEAR_UNTIL:
	case POLICY_BLOCKED_UNTIL:
		flow->info.narrowed = false;
		flow_set_state(policy, flow, POLICY_IDLE, "failure memory ended");
		break;
	case POLICY_IDLE:
		if (flow->info.parts || flow->coming)
			flow_keep(policy, flow);
		else
			flow_free(policy, flow);
		break;
	case POLICY_NEGOTIATING:
	case POLICY_TUNNELLED:
		heap_remove(&policy->due, &flow->due);
		break;
	}
}
