/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The resolver's gate, answered by policy (gate.h). */
#include "daemon/gate.h"

#include "daemon/addrs.h"
#include "daemon/trace.h"
#include "lib/loop.h"
#include "lib/mem.h"
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

/* Rule N3: one answer starts at most so many negotiations. */
#define MAX_STARTS_PER_ANSWER 8

/* A resolver that waits for policy; the handle is the same on both sides. */
struct gate_wait {
	uint64_t handle;
	struct gate *gate;
	resolver_decided decided;
	void *arg;
	UT_hash_handle hh;
};

/* Owned by the daemon. */
struct gate {
	struct loop *loop;
	struct policy *policy;
	struct addrs *addrs;
	struct trace *trace;
	struct gate_wait *waits; /* by handle */
	uint64_t answer_query;	 /* N3: the query whose answer is being walked, */
	unsigned answer_starts;	 /* and how many negotiations it has started */
};

static enum resolver_verdict to_resolver(enum policy_verdict verdict)
{
	switch (verdict) {
	case POLICY_PASS:
	case POLICY_OPEN:
		return RESOLVER_PASS;
	case POLICY_ENCRYPTED:
		return RESOLVER_TUNNELLED;
	case POLICY_WAIT:
		return RESOLVER_WAIT;
	case POLICY_WITHHELD:
		return RESOLVER_WITHHELD;
	case POLICY_DENIED:
		return RESOLVER_BLOCKED;
	}
	return RESOLVER_WITHHELD;
}

static void to_decision(const struct policy_answer *answer, struct resolver_decision *out)
{
	*out = (struct resolver_decision){
		.verdict = to_resolver(answer->verdict), .max_ttl_s = answer->max_ttl_s};
	if (answer->line)
		snprintf(out->group, sizeof(out->group), "%s", policy_traits(answer->group)->name);
	snprintf(out->cause, sizeof(out->cause), "%.95s", answer->cause);
}

static void forget_wait(struct gate_wait *wait)
{
	HASH_DEL(wait->gate->waits, wait);
	free(wait);
}

static void policy_has_decided(void *arg, const struct policy_answer *answer)
{
	struct gate_wait *wait = arg;
	resolver_decided decided = wait->decided;
	void *decided_arg = wait->arg;
	struct resolver_decision decision;

	to_decision(answer, &decision);
	forget_wait(wait);
	decided(decided_arg, &decision);
}

/* What failureshunt says, at once, where a negotiation cannot be started. */
static void refuse(
	const struct gate *gate, const struct policy_answer *expected, const char *cause,
	struct policy_answer *out)
{
	const struct policy_line *line = policy_line_get(gate->policy, expected->line);
	bool open = line && policy_conn_get(gate->policy, line->conn)->failure_pass;

	*out = *expected;
	out->verdict = open ? POLICY_OPEN : POLICY_WITHHELD;
	out->max_ttl_s = open ? 1 : UINT32_MAX;
	snprintf(out->cause, sizeof(out->cause), "%s", cause);
}

/* True when this answer may start one more negotiation (N3). */
static bool may_start(struct gate *gate, uint64_t query)
{
	if (gate->answer_query != query) {
		gate->answer_query = query;
		gate->answer_starts = 0;
	}
	return gate->answer_starts++ < MAX_STARTS_PER_ANSWER;
}

/*
 * Asked in the order of cost: the lines, the route, the flow. False when
 * *answer says all; else a negotiation from *local is to be started or joined.
 */
static bool needs_negotiation(struct gate *gate, uint64_t query, const struct addr *addr,
	struct addr *local, struct policy_answer *answer)
{
	policy_explain(gate->policy, NULL, addr, answer, loop_now_us(gate->loop));
	if (answer->verdict != POLICY_WAIT)
		return false;
	if (!addrs_source(gate->addrs, addr, local)) {
		refuse(gate, answer, "no route", answer);
		return false;
	}
	policy_explain(gate->policy, local, addr, answer, loop_now_us(gate->loop));
	if (answer->verdict != POLICY_WAIT)
		return false;
	if (!may_start(gate, query)) {
		refuse(gate, answer, "too many addresses in one answer", answer);
		return false;
	}
	return true;
}

static void want(void *arg, uint64_t query, const char *qname, const struct addr *addr,
	resolver_decided decided, void *decided_arg, struct resolver_decision *out, uint64_t *handle)
{
	struct gate *gate = arg;
	struct policy_answer answer;
	struct gate_wait *wait;
	struct addr local;

	(void)qname;
	if (!needs_negotiation(gate, query, addr, &local, &answer)) {
		to_decision(&answer, out);
		return;
	}
	trace_waits_for(gate->trace, query, addr);
	wait = mem_new(struct gate_wait);
	wait->gate = gate;
	wait->decided = decided;
	wait->arg = decided_arg;
	wait->handle = policy_want(gate->policy, &local, addr, POLICY_TRIGGER_DNS, 0,
		policy_has_decided, wait, &answer, loop_now_us(gate->loop));
	to_decision(&answer, out);
	if (answer.verdict != POLICY_WAIT) {
		free(wait);
		return;
	}
	HASH_ADD(hh, gate->waits, handle, sizeof(wait->handle), wait);
	*handle = wait->handle;
}

static void cancel(void *arg, uint64_t handle)
{
	struct gate *gate = arg;
	struct gate_wait *wait;

	HASH_FIND(hh, gate->waits, &handle, sizeof(handle), wait);
	if (!wait)
		return;
	policy_cancel(gate->policy, handle);
	forget_wait(wait);
}

static void hurry(void *arg, uint64_t handle)
{
	struct gate *gate = arg;

	policy_hurry(gate->policy, handle, loop_now_us(gate->loop));
}

const struct resolver_gate gate_ops = {.want = want, .cancel = cancel, .hurry = hurry};

struct gate *gate_new(
	struct loop *loop, struct policy *policy, struct addrs *addrs, struct trace *trace)
{
	struct gate *gate = mem_new(struct gate);

	*gate = (struct gate){.loop = loop, .policy = policy, .addrs = addrs, .trace = trace};
	return gate;
}

void gate_free(struct gate *gate)
{
	struct gate_wait *wait, *next;

	if (!gate)
		return;
	HASH_ITER (hh, gate->waits, wait, next) {
		policy_cancel(gate->policy, wait->handle);
		forget_wait(wait);
	}
	free(gate);
}
