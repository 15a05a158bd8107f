/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands and results (policy.h); evaluation of an address over its lines and flows. */
#include "policy/flow.h"

#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *policy_state_name(enum policy_state state)
{
	switch (state) {
	case POLICY_IDLE:
		return "idle";
	case POLICY_NEGOTIATING:
		return "negotiating";
	case POLICY_TUNNELLED:
		return "tunnelled";
	case POLICY_CLEAR_UNTIL:
		return "clear";
	case POLICY_BLOCKED_UNTIL:
		return "blocked";
	}
	return "?";
}

const char *policy_trigger_name(enum policy_trigger trigger)
{
	switch (trigger) {
	case POLICY_TRIGGER_DNS:
		return "dns";
	case POLICY_TRIGGER_ACQUIRE:
		return "acquire";
	case POLICY_TRIGGER_INBOUND:
		return "inbound";
	}
	return "?";
}

bool policy_exempt(const struct policy *policy, const struct addr *addr)
{
	if (addr_is_special(addr))
		return true;
	for (size_t i = 0; i < policy->local_count; i++) {
		if (addr_equal(&policy->locals[i], addr))
			return true;
	}
	return false;
}

void policy_settle(struct policy *policy)
{
	uint64_t due = policy->ready ? policy->now_us : heap_due(&policy->due);

	if (due != policy->timer_us) {
		policy->timer_us = due;
		policy->ops.timer(policy->arg, due);
	}
}

/* --- evaluation ----------------------------------------------------------------------------- */

/* Whether who wants it begins something. */
static bool begins(const struct flow *flow)
{
	return !flow || flow->info.state == POLICY_IDLE;
}

/* What one flow of an initiating line says; a flow that is not there is an idle one. */
static enum policy_verdict judge_initiating(
	const struct policy_conn *conn, const struct flow *flow, bool hurried)
{
	/* Whose time is over does not wait for what nobody has started. */
	if (begins(flow))
		return hurried ? POLICY_WITHHELD : POLICY_WAIT;
	switch (flow->info.state) {
	case POLICY_IDLE:
		break;
	case POLICY_NEGOTIATING:
		if (flow->opened)
			return flow->shunt_pending ? POLICY_WAIT : POLICY_OPEN;
		if (hurried && (flow->refused || !conn->failure_pass))
			return POLICY_WITHHELD;
		if (flow->failing && !conn->failure_pass)
			return POLICY_WITHHELD;
		return POLICY_WAIT;
	case POLICY_TUNNELLED:
		return POLICY_ENCRYPTED;
	case POLICY_CLEAR_UNTIL:
		return flow->shunt_pending ? POLICY_WAIT : POLICY_OPEN;
	case POLICY_BLOCKED_UNTIL:
		/* Of use for what the peer grants; what else is sent there is dropped. */
		return flow->info.narrowed ? POLICY_ENCRYPTED : POLICY_WITHHELD;
	}
	return POLICY_WITHHELD;
}

static enum policy_verdict judge(
	const struct policy_conn *conn, const struct flow *flow, bool hurried)
{
	switch (conn->group) {
	case POLICY_BLOCK:
		return POLICY_DENIED;
	case POLICY_PRIVATE:
	case POLICY_PRIVATE_OR_CLEAR:
		return judge_initiating(conn, flow, hurried);
	case POLICY_CLEAR_OR_PRIVATE:
		return flow && flow->info.state == POLICY_TUNNELLED ? POLICY_ENCRYPTED : POLICY_PASS;
	case POLICY_CLEAR:
		break;
	}
	return POLICY_PASS;
}

static uint32_t seconds_left(const struct flow *flow, uint64_t now_us)
{
	if (flow->info.until_us == POLICY_NEVER || flow->info.until_us <= now_us)
		return 1;
	return (uint32_t)((flow->info.until_us - now_us + SECOND_US - 1) / SECOND_US);
}

/* A7. Who comes back after a tunnel went for want of use asks again, and starts it. */
static uint32_t longest_ttl(const struct policy_conn *conn, const struct flow *flow,
	enum policy_verdict verdict, uint64_t now_us)
{
	bool stands = verdict == POLICY_ENCRYPTED || (flow && flow->info.narrowed);

	if (verdict == POLICY_OPEN && !stands)
		return seconds_left(flow, now_us);
	return stands && conn->idle_timeout_s ? conn->idle_timeout_s : UINT32_MAX;
}

static void fill(const struct policy *policy, const struct policy_line *line, const struct flow *flow,
	enum policy_verdict verdict, struct policy_answer *out, uint64_t now_us)
{
	out->verdict = verdict;
	out->line = line->id;
	out->group = policy->conns[line->conn].group;
	out->max_ttl_s = longest_ttl(&policy->conns[line->conn], flow, verdict, now_us);
	out->cause[0] = '\0';
	if (flow && (verdict == POLICY_OPEN || verdict == POLICY_WITHHELD || flow->info.narrowed))
		snprintf(out->cause, sizeof(out->cause), "%s",
			flow->info.reason[0] ? flow->info.reason : "no answer in time");
}

/*
 * Lines are walked strongest first; the first one without protocol hides all
 * that are weaker. It decides. Before it come lines with ports, which a lookup
 * cannot tell apart (N1): it waits for them too, and where no line without
 * ports follows, the strictest of them decides.
 */
void policy_evaluate(const struct policy *policy, const struct addr *local, const struct addr *remote,
	bool hurried, struct policy_answer *out, uint64_t now_us)
{
	struct table_walk walk = table_walk(policy->table, remote);
	const struct policy_line *line;
	bool waits = false, starts = false;

	*out = (struct policy_answer){.verdict = POLICY_PASS, .max_ttl_s = UINT32_MAX};
	if (policy_exempt(policy, remote))
		return;
	while ((line = table_next(&walk))) {
		const struct policy_conn *conn = &policy->conns[line->conn];
		const struct flow *flow = flow_find_key(policy, line->id, local, remote);
		enum policy_verdict verdict = judge(conn, flow, hurried);

		waits = waits || verdict == POLICY_WAIT;
		starts = starts || (verdict == POLICY_WAIT && begins(flow));
		if (line->proto == 0) {
			fill(policy, line, flow, verdict, out, now_us);
			break;
		}
		/* A port that is blocked does not take the host's address away. */
		if (verdict > out->verdict && verdict != POLICY_DENIED)
			fill(policy, line, flow, verdict, out, now_us);
	}
	if (waits)
		out->verdict = POLICY_WAIT;
	out->starts = starts;
}

void policy_explain(const struct policy *policy, const struct addr *local,
	const struct addr *remote, struct policy_answer *out, uint64_t now_us)
{
	static const struct addr nobody;

	policy_evaluate(policy, local ? local : &nobody, remote, false, out, now_us);
}

void policy_explain_conn(const struct policy *policy, size_t conn, struct policy_answer *out)
{
	*out = (struct policy_answer){.verdict = judge(&policy->conns[conn], NULL, false),
		.group = policy->conns[conn].group,
		.max_ttl_s = UINT32_MAX};
	out->starts = out->verdict == POLICY_WAIT;
}

/* --- wanting -------------------------------------------------------------------------------- */

static bool initiates(const struct policy *policy, const struct policy_line *line)
{
	const struct policy_conn *conn = &policy->conns[line->conn];

	return policy_traits(conn->group)->initiates && conn->ike_conn != SIZE_MAX;
}

/* A closed group that cannot negotiate (G3) fails at once: it has no conn to try. */
static void start_or_fail(struct policy *policy, const struct policy_line *line, struct flow *flow,
	enum policy_trigger trigger)
{
	if (flow->info.state != POLICY_IDLE)
		return;
	if (initiates(policy, line)) {
		flow_start(policy, flow, trigger);
		return;
	}
	flow_set_state(policy, flow, POLICY_NEGOTIATING, policy_trigger_name(trigger));
	flow_fail(policy, flow, "the group has no connection");
}

/* Starts what covers the address: every line, or for an acquire the one that fired. */
static void start_lines(struct policy *policy, const struct addr *local, const struct addr *remote,
	enum policy_trigger trigger, uint32_t acquire_line)
{
	struct table_walk walk = table_walk(policy->table, remote);
	const struct policy_line *line;

	while ((line = table_next(&walk))) {
		bool wanted = trigger != POLICY_TRIGGER_ACQUIRE || line->id == acquire_line;

		if (wanted && policy_traits(policy->conns[line->conn].group)->initiates)
			start_or_fail(policy, line,
				flow_want(policy, line, local, remote, trigger), trigger);
		if (line->proto == 0)
			break;
	}
}

static void join_flows(struct policy *policy, struct waiter *waiter)
{
	struct table_walk walk = table_walk(policy->table, &waiter->remote);
	const struct policy_line *line;

	while ((line = table_next(&walk))) {
		struct flow *flow =
			flow_find_key(policy, line->id, &waiter->local, &waiter->remote);

		if (flow)
			waiter_joins(policy, waiter, flow);
		if (line->proto == 0)
			break;
	}
}

uint64_t policy_want(struct policy *policy, const struct addr *local, const struct addr *remote,
	enum policy_trigger trigger, uint32_t acquire_line, policy_decided decided, void *decided_arg,
	struct policy_answer *out, uint64_t now_us)
{
	struct waiter *waiter;

	policy->now_us = now_us;
	if (!policy_exempt(policy, remote))
		start_lines(policy, local, remote, trigger, acquire_line);
	policy_evaluate(policy, local, remote, false, out, now_us);
	if (out->verdict != POLICY_WAIT || !decided) {
		policy_settle(policy);
		return 0;
	}
	waiter = waiter_new(policy, local, remote, decided, decided_arg);
	join_flows(policy, waiter);
	policy_settle(policy);
	return waiter->handle;
}

void policy_cancel(struct policy *policy, uint64_t handle)
{
	struct waiter *waiter = waiter_find(policy, handle);

	if (waiter)
		waiter_free(policy, waiter);
}

void policy_hurry(struct policy *policy, uint64_t handle, uint64_t now_us)
{
	struct waiter *waiter = waiter_find(policy, handle);
	struct table_walk walk;
	const struct policy_line *line;

	policy->now_us = now_us;
	if (!waiter)
		return;
	waiter->hurried = true;
	walk = table_walk(policy->table, &waiter->remote);
	while ((line = table_next(&walk))) {
		struct flow *flow =
			flow_find_key(policy, line->id, &waiter->local, &waiter->remote);

		if (flow)
			flow_open_now(policy, flow);
		if (line->proto == 0)
			break;
	}
	waiter_look(policy, waiter);
	policy_settle(policy);
}

/* --- results ----------------------------------------------------------------------------------- */

void policy_child_coming(struct policy *policy, uint64_t id, uint64_t now_us)
{
	struct flow *flow = flow_find(policy, id);

	policy->now_us = now_us;
	if (flow)
		flow->coming++;
}

void policy_child_lost(struct policy *policy, uint64_t id, uint64_t now_us)
{
	struct flow *flow = flow_find(policy, id);

	policy->now_us = now_us;
	if (!flow || flow->coming == 0)
		return;
	if (--flow->coming == 0 && flow->info.children == 0)
		flow_demand(policy, flow);
	policy_settle(policy);
}

void policy_child_up(struct policy *policy, uint64_t id, bool ours, uint64_t now_us)
{
	struct flow *flow = flow_find(policy, id);

	policy->now_us = now_us;
	if (!flow)
		return;
	flow->coming -= flow->coming > 0;
	flow->begun = flow->begun && !ours;
	flow->info.children++;
	flow_set_state(policy, flow, POLICY_TUNNELLED, "");
	policy_settle(policy);
}

void policy_child_down(struct policy *policy, uint64_t id, const char *reason, uint64_t now_us)
{
	struct flow *flow = flow_find(policy, id);

	policy->now_us = now_us;
	if (!flow || flow->info.children == 0)
		return;
	if (--flow->info.children == 0)
		flow_set_state(policy, flow, POLICY_IDLE, reason);
	if (flow->info.state == POLICY_IDLE && flow->begun)
		flow_wait_on(policy, flow);
	policy_settle(policy);
}

void policy_part_up(struct policy *policy, uint64_t id, bool granted, const char *what, uint64_t now_us)
{
	struct flow *flow = flow_find(policy, id);

	policy->now_us = now_us;
	if (!flow)
		return;
	flow_set_parts(policy, flow, flow->info.parts + 1);
	flow->begun = flow->begun && !granted;
	if (granted)
		flow_narrow(policy, flow, what);
	policy_settle(policy);
}

void policy_part_down(struct policy *policy, uint64_t id, uint64_t now_us)
{
	struct flow *flow = flow_find(policy, id);

	policy->now_us = now_us;
	if (!flow || flow->info.parts == 0)
		return;
	flow_set_parts(policy, flow, flow->info.parts - 1);
	if (flow->info.parts == 0)
		flow_widen(policy, flow);
	policy_settle(policy);
}

void policy_failed(struct policy *policy, uint64_t id, const char *reason, uint64_t now_us)
{
	struct flow *flow = flow_find(policy, id);

	policy->now_us = now_us;
	if (flow) {
		flow->begun = false;
		flow_fail(policy, flow, reason);
	}
	policy_settle(policy);
}

void policy_failing(struct policy *policy, uint64_t id, const char *reason, uint64_t now_us)
{
	struct flow *flow = flow_find(policy, id);

	policy->now_us = now_us;
	if (!flow || flow->info.state != POLICY_NEGOTIATING)
		return;
	flow->failing = true;
	snprintf(flow->info.reason, sizeof(flow->info.reason), "%s", reason);
	waiters_look(policy, flow);
	policy_settle(policy);
}

void policy_shunt_done(struct policy *policy, uint64_t id, bool good, uint64_t now_us)
{
	struct flow *flow = flow_find(policy, id);

	policy->now_us = now_us;
	if (!flow)
		return;
	flow->shunt_pending = false;
	if (!good)
		flow_refused(policy, flow);
	waiters_look(policy, flow);
	policy_settle(policy);
}

void policy_shunt_ended(struct policy *policy, uint64_t id, uint64_t now_us)
{
	struct flow *flow = flow_find(policy, id);

	policy->now_us = now_us;
	if (flow)
		flow_shunt_ended(policy, flow);
	policy_settle(policy);
}

void policy_tick(struct policy *policy, uint64_t now_us)
{
	policy->now_us = now_us;
	policy->timer_us = POLICY_NEVER; /* it has fired: it must be set again */
	while (heap_due(&policy->due) <= now_us)
		flow_due(policy, container_of(heap_first(&policy->due), struct flow, due));
	waiters_deliver(policy);
	policy_settle(policy);
}

static void forget_failure(struct policy *policy, struct flow *flow)
{
	flow->info.failures = 0;
	/* What a peer grants is no failure. */
	if (!flow->info.narrowed &&
		(flow->info.state == POLICY_CLEAR_UNTIL || flow->info.state == POLICY_BLOCKED_UNTIL))
		flow_set_state(policy, flow, POLICY_IDLE, "failure forgotten");
	waiters_look(policy, flow);
}

void policy_forget_failures(struct policy *policy, const struct addr *remote, uint64_t now_us)
{
	struct flow *flow, *next;

	policy->now_us = now_us;
	for (flow = remote ? flow_first_of(policy, remote) : NULL; flow; flow = flow->next)
		forget_failure(policy, flow);
	if (!remote) {
		HASH_ITER (by_id, policy->by_id, flow, next)
			forget_failure(policy, flow);
		waiters_look_all(policy);
	}
	policy_settle(policy);
}

/* --- the responder's side -------------------------------------------------------------------------- */

static bool accepts(const struct policy *policy, const struct policy_line *line)
{
	const struct policy_conn *conn = &policy->conns[line->conn];

	return policy_traits(conn->group)->accepts && conn->ike_conn != SIZE_MAX;
}

size_t policy_accepting_lines(const struct policy *policy, const struct addr *remote,
	const struct policy_line **out, size_t max)
{
	struct table_walk walk = table_walk(policy->table, remote);
	const struct policy_line *line;
	size_t count = 0;

	if (policy_exempt(policy, remote))
		return 0;
	while (count < max && (line = table_next(&walk))) {
		if (accepts(policy, line))
			out[count++] = line;
		if (line->proto == 0)
			break;
	}
	return count;
}

void policy_each_line(const struct policy *policy, const struct addr *remote,
	void (*each)(void *arg, const struct policy_line *line), void *arg)
{
	struct table_walk walk = table_walk(policy->table, remote);
	const struct policy_line *line;

	while ((line = table_next(&walk)))
		each(arg, line);
}

int policy_conn_for(const struct policy *policy, const struct addr *local, const struct addr *remote)
{
	const struct policy_line *line;

	(void)local;
	return policy_accepting_lines(policy, remote, &line, 1) ? (int)line->conn : -1;
}

uint64_t policy_flow_want(struct policy *policy, uint32_t id, const struct addr *local,
	const struct addr *remote, uint64_t now_us)
{
	const struct policy_line *line = table_get(policy->table, id);
	struct flow *flow = NULL;

	policy->now_us = now_us;
	if (line)
		flow = flow_want(policy, line, local, remote, POLICY_TRIGGER_INBOUND);
	/* One that was about to be forgotten is wanted again. */
	if (flow && flow->info.state == POLICY_IDLE)
		flow_keep(policy, flow);
	policy_settle(policy);
	return flow ? flow->info.id : 0;
}

/* --- looking ---------------------------------------------------------------------------------------- */

bool policy_flow_get(const struct policy *policy, uint64_t id, struct policy_flow *out)
{
	const struct flow *flow = flow_find(policy, id);

	if (flow)
		*out = flow->info;
	return flow != NULL;
}

bool policy_flow_find(const struct policy *policy, uint32_t line, const struct addr *local,
	const struct addr *remote, struct policy_flow *out)
{
	const struct flow *flow = flow_find_key(policy, line, local, remote);

	if (flow)
		*out = flow->info;
	return flow != NULL;
}

void policy_each_flow(const struct policy *policy,
	void (*each)(void *arg, const struct policy_flow *flow), void *arg)
{
	const struct flow *flow, *next;

	HASH_ITER (by_id, policy->by_id, flow, next)
		each(arg, &flow->info);
}

void policy_each_flow_of(const struct policy *policy, const struct addr *remote,
	void (*each)(void *arg, const struct policy_flow *flow), void *arg)
{
	for (const struct flow *flow = flow_first_of(policy, remote); flow; flow = flow->next)
		each(arg, &flow->info);
}

const struct policy_line *policy_line_get(const struct policy *policy, uint32_t line)
{
	return table_get(policy->table, line);
}

const struct policy_conn *policy_conn_get(const struct policy *policy, size_t conn)
{
	return &policy->conns[conn];
}

struct policy_counters policy_counters(const struct policy *policy)
{
	return (struct policy_counters){.lines = table_count(policy->table),
		.flows = HASH_CNT(by_id, policy->by_id),
		.negotiating = policy->negotiating,
		.tunnelled = policy->tunnelled,
		.waiters = HASH_COUNT(policy->waiters)};
}
