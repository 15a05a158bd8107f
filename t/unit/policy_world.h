/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A policy with a line or two for each group, a virtual clock, and a data
 * plane and an engine that only count what they are told. Included by the
 * tests of flows; begin() makes all of it new.
 */
#ifndef T_UNIT_POLICY_WORLD_H
#define T_UNIT_POLICY_WORLD_H

#include "lib/mem.h"
#include "policy/policy.h"
#include "t/tap.h"

#define MS UINT64_C(1000)
#define S UINT64_C(1000000)

static struct policy_conn conns[] = {
	{.name = (char *)"private", .group = POLICY_PRIVATE, .ike_conn = 0, .shunt_lifetime_s = 900},
	{.name = (char *)"private-or-clear",
		.group = POLICY_PRIVATE_OR_CLEAR,
		.failure_pass = true,
		.ike_conn = 1,
		.shunt_lifetime_s = 900},
	{.name = (char *)"clear-or-private", .group = POLICY_CLEAR_OR_PRIVATE, .ike_conn = 2},
	{.name = (char *)"clear", .group = POLICY_CLEAR, .ike_conn = SIZE_MAX},
	{.name = (char *)"block", .group = POLICY_BLOCK, .ike_conn = SIZE_MAX},
};
static struct policy_line lines[] = {
	{.id = 1, .conn = 0}, {.id = 2, .conn = 1}, {.id = 3, .conn = 2}, {.id = 4, .conn = 3},
	{.id = 5, .conn = 4}, {.id = 6, .conn = 0, .proto = 6, .remote_port = 443}};
static const char *const prefixes[] = {"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16",
	"10.5.0.0/16", "10.4.0.0/16"};

static struct policy *policy;
static uint64_t now_us;
static uint64_t timer_us;
static int holds, starts, idles, shunts, passes;
static uint64_t last_start, last_shunt;
static uint32_t last_lifetime_s;
static int wrong_edges, wrong_starts, gone_count;

/* The edges of policy.h's drawing, and the ways back. */
static const bool edges[5][5] = {
	[POLICY_IDLE] = {[POLICY_NEGOTIATING] = true, [POLICY_TUNNELLED] = true},
	[POLICY_NEGOTIATING] = {[POLICY_TUNNELLED] = true,
		[POLICY_CLEAR_UNTIL] = true,
		[POLICY_BLOCKED_UNTIL] = true},
	[POLICY_TUNNELLED] = {[POLICY_IDLE] = true},
	[POLICY_CLEAR_UNTIL] = {[POLICY_IDLE] = true,
		[POLICY_TUNNELLED] = true,
		[POLICY_BLOCKED_UNTIL] = true},
	[POLICY_BLOCKED_UNTIL] = {[POLICY_IDLE] = true, [POLICY_TUNNELLED] = true},
};

static void take_hold(void *arg, const struct policy_flow *flow)
{
	(void)arg;
	(void)flow;
	holds++;
}

static void take_initiate(void *arg, const struct policy_flow *flow)
{
	(void)arg;
	starts++;
	last_start = flow->id;
	wrong_starts += flow->state != POLICY_NEGOTIATING || flow->since_us != now_us;
}

static void take_shunt(void *arg, const struct policy_flow *flow, bool pass, uint32_t lifetime_s)
{
	(void)arg;
	shunts++;
	passes += pass;
	last_shunt = flow->id;
	last_lifetime_s = lifetime_s;
}

static void take_idle(void *arg, const struct policy_flow *flow)
{
	(void)arg;
	(void)flow;
	idles++;
}

static void take_observe(
	void *arg, const struct policy_flow *flow, enum policy_state old, const char *reason)
{
	(void)arg;
	(void)reason;
	wrong_edges += !edges[old][flow->state];
}

static void take_timer(void *arg, uint64_t at_us)
{
	(void)arg;
	timer_us = at_us;
}

__attribute__((unused)) static void count_gone(void *arg, const struct policy_flow *flow)
{
	(void)arg;
	(void)flow;
	gone_count++;
}

static void begin(void)
{
	static const struct policy_ops ops = {.hold = take_hold,
		.initiate = take_initiate,
		.shunt = take_shunt,
		.idle = take_idle,
		.observe = take_observe,
		.timer = take_timer};
	struct policy_config config = {
		.conns = conns, .conn_count = 5, .lines = lines, .line_count = ARRAY_LEN(lines)};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		prefix_parse(prefixes[i], &lines[i].remote, NULL);
	policy_free(policy);
	policy = policy_new(&ops, NULL, &config);
	now_us = 1000 * S;
	timer_us = POLICY_NEVER;
	gone_count = 0;
	holds = starts = idles = shunts = passes = 0;
}

static struct addr addr(const char *text)
{
	struct addr out = {0};

	addr_parse(text, &out);
	return out;
}

/* One who waits. */
struct asker {
	uint64_t handle;
	int answers;
	struct policy_answer answer;
};

static void answered(void *arg, const struct policy_answer *answer)
{
	struct asker *asker = arg;

	asker->answers++;
	asker->answer = *answer;
}

static enum policy_verdict ask(struct asker *asker, const char *remote)
{
	struct addr local = addr("192.0.2.1"), to = addr(remote);

	*asker = (struct asker){0};
	asker->handle = policy_want(policy, &local, &to, POLICY_TRIGGER_DNS, 0, answered, asker,
		&asker->answer, now_us);
	return asker->answer.verdict;
}

/* Runs the timers until a moment. */
static void run_until(uint64_t until_us)
{
	while (timer_us <= until_us) {
		if (timer_us > now_us)
			now_us = timer_us;
		timer_us = POLICY_NEVER; /* it fires once */
		policy_tick(policy, now_us);
	}
	now_us = until_us;
}

#endif
