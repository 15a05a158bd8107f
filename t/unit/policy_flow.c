/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows and who waits (rules A2, A4, N1, N2, N5, N6), then random events
 * against what must always hold: each handle is answered exactly once, and no
 * flow negotiates twice at a time.
 */
#include "lib/mem.h"
#include "policy/policy.h"
#include "t/tap.h"

#include <stdlib.h>

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
	(void)flow;
	(void)old;
	(void)reason;
}

static void take_timer(void *arg, uint64_t at_us)
{
	(void)arg;
	timer_us = at_us;
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

static void test_groups(void)
{
	struct asker asker;

	begin();
	is_int(ask(&asker, "10.9.0.1"), POLICY_PASS, "no line: pass");
	is_int(ask(&asker, "10.3.0.1"), POLICY_PASS, "clear-or-private without tunnel: pass");
	is_int(ask(&asker, "10.5.0.1"), POLICY_DENIED, "block: denied");
	is_int(ask(&asker, "127.0.0.1"), POLICY_PASS, "loopback never triggers (G6)");
	is_int(starts, 0, "nothing was started");
	is_int(ask(&asker, "10.4.0.1"), POLICY_WAIT, "a port line above a clear one is waited for (N1)");
	is_int(starts, 1, "and started");
	policy_failed(policy, last_start, "no answer", now_us);
	policy_shunt_done(policy, last_start, true, now_us);
	run_until(now_us);
	is_int(asker.answer.verdict, POLICY_PASS, "but the line without ports decides about the address");
}

static void test_join(void)
{
	struct asker first, second;

	begin();
	is_int(ask(&first, "10.2.0.1"), POLICY_WAIT, "private-or-clear waits");
	is_int(ask(&second, "10.2.0.1"), POLICY_WAIT, "a second lookup too");
	ok(starts == 1 && holds == 1, "one hold, one negotiation (N1)");
	policy_child_up(policy, last_start, now_us);
	is_int(first.answers, 0, "never answered from inside");
	run_until(now_us);
	ok(first.answers == 1 && second.answers == 1 && first.answer.verdict == POLICY_ENCRYPTED,
		"both are answered when the tunnel stands");
	is_int(ask(&first, "10.2.0.1"), POLICY_ENCRYPTED, "a later lookup at once");
	policy_child_up(policy, last_start, now_us);
	policy_child_down(policy, last_start, "redundant", now_us);
	is_int(ask(&first, "10.2.0.1"), POLICY_ENCRYPTED, "one of two pairs is enough");
	policy_child_down(policy, last_start, "deleted", now_us);
	is_int(idles, 1, "with the last one the flow is its line's again");
	is_int(ask(&first, "10.2.0.1"), POLICY_WAIT, "and the next lookup starts anew");
}

static void test_failure(void)
{
	static const uint32_t memory[] = {5, 10, 20, 40};
	struct asker asker;

	begin();
	for (size_t i = 0; i < ARRAY_LEN(memory); i++) {
		ask(&asker, "10.2.0.1");
		policy_failed(policy, last_start, "no answer", now_us);
		run_until(now_us);
		is_int(asker.answers, 0, "not answered before the kernel has the shunt (A4)");
		policy_shunt_done(policy, last_shunt, true, now_us);
		run_until(now_us);
		ok(asker.answers == 1 && asker.answer.verdict == POLICY_OPEN &&
				asker.answer.max_ttl_s == memory[i] && last_lifetime_s == memory[i] + 1,
			"failure %zu is remembered for %u s (N6, A7)", i + 1, memory[i]);
		run_until(now_us + memory[i] * S - 1);
		is_int(ask(&asker, "10.2.0.1"), POLICY_OPEN, "till then answered at once");
		run_until(now_us + 1);
	}
	is_int(passes, ARRAY_LEN(memory), "each shunt passes");
	policy_forget_failures(policy, NULL, now_us);
	ask(&asker, "10.2.0.1");
	policy_failed(policy, last_start, "no answer", now_us);
	is_int(last_lifetime_s, 6, "forgotten, it begins small again");
	policy_child_up(policy, last_start, now_us);
	is_int(ask(&asker, "10.2.0.1"), POLICY_ENCRYPTED, "the peer's own tunnel ends a failure (N2)");
}

static void test_private(void)
{
	struct asker asker;
	uint32_t longest = 0;

	begin();
	ask(&asker, "10.1.0.1");
	policy_failing(policy, last_start, "ICMP unreachable", now_us);
	run_until(now_us);
	ok(asker.answers == 1 && asker.answer.verdict == POLICY_WITHHELD && shunts == 0,
		"a hint shortens the wait and opens nothing (N5)");
	policy_failed(policy, last_start, "ICMP unreachable", now_us);
	ok(shunts == 1 && passes == 0 && last_lifetime_s == 2, "private fails closed, for 1 s");
	for (int i = 0; i < 10; i++) {
		run_until(now_us + 60 * S);
		ask(&asker, "10.1.0.1");
		policy_failed(policy, last_start, "no answer", now_us);
		longest = last_lifetime_s > longest ? last_lifetime_s : longest;
	}
	ok(longest == 31 && passes == 0, "for 30 s at most, never open");
}

static void test_hurry(void)
{
	struct asker open, closed;

	begin();
	ask(&open, "10.2.0.1");
	ask(&closed, "10.1.0.1");
	policy_hurry(policy, open.handle, now_us);
	policy_hurry(policy, closed.handle, now_us);
	run_until(now_us);
	ok(closed.answers == 1 && closed.answer.verdict == POLICY_WITHHELD,
		"private that is hurried is withheld (A4)");
	ok(open.answers == 0 && passes == 1, "private-or-clear is opened first");
	policy_shunt_done(policy, last_shunt, true, now_us);
	run_until(now_us);
	ok(open.answers == 1 && open.answer.verdict == POLICY_OPEN, "and answered then");
	ask(&open, "10.2.0.2");
	policy_hurry(policy, open.handle, now_us);
	policy_shunt_done(policy, last_shunt, false, now_us);
	run_until(now_us);
	is_int(open.answers, 0, "what the kernel refused to open is not said to be open");
	policy_cancel(policy, open.handle);
	policy_failed(policy, last_shunt, "no answer", now_us);
	run_until(now_us + S);
	is_int(open.answers, 0, "who has cancelled is not told");
}

static int gone_count;

static void count_gone(void *arg, const struct policy_flow *flow)
{
	(void)arg;
	(void)flow;
	gone_count++;
}

static void test_reconfigure(void)
{
	struct policy_config config = {
		.conns = conns, .conn_count = 5, .lines = lines, .line_count = ARRAY_LEN(lines)};
	struct asker asker, waiting;

	begin();
	ask(&asker, "10.2.0.1");
	policy_child_up(policy, last_start, now_us);
	ask(&waiting, "10.1.0.1");
	policy_reconfigure(policy, &config, count_gone, now_us);
	ok(gone_count == 0 && ask(&asker, "10.2.0.1") == POLICY_ENCRYPTED,
		"a tunnel that still matches stays (C4)");
	config.lines = lines + 1;
	config.line_count = 1;
	policy_reconfigure(policy, &config, count_gone, now_us);
	run_until(now_us);
	ok(gone_count == 1 && waiting.answers == 1, "a flow whose line went is gone, and who waited is told");
	is_int(ask(&asker, "10.2.0.1"), POLICY_ENCRYPTED, "the other is still there");
}

/* --- random events ----------------------------------------------------------------------------------- */

#define ASKERS 64
#define FLOWS 4096
#define EVENTS 20000

static struct asker askers[ASKERS];
static bool waits[ASKERS];

static void random_ask(void)
{
	size_t i = (size_t)(random() % ASKERS);
	char remote[32];

	if (waits[i] && askers[i].answers == 0)
		return;
	snprintf(remote, sizeof(remote), "10.%ld.0.%ld", 1 + random() % 5, 1 + random() % 6);
	waits[i] = ask(&askers[i], remote) == POLICY_WAIT;
}

static void random_result(void)
{
	uint64_t flow = (uint64_t)(random() % FLOWS) + 1;
	struct policy_flow info;

	if (!policy_flow_get(policy, flow, &info))
		return;
	switch (random() % 6) {
	case 0:
		policy_child_up(policy, flow, now_us);
		break;
	case 1:
		policy_child_down(policy, flow, "deleted", now_us);
		break;
	case 2:
		policy_failed(policy, flow, "no answer", now_us);
		break;
	case 3:
		policy_failing(policy, flow, "ICMP", now_us);
		break;
	default:
		policy_shunt_done(policy, flow, random() % 4 != 0, now_us);
	}
}

static void random_waiter_event(void)
{
	size_t i = (size_t)(random() % ASKERS);

	if (!waits[i] || askers[i].answers)
		return;
	if (random() % 2) {
		policy_hurry(policy, askers[i].handle, now_us);
		return;
	}
	policy_cancel(policy, askers[i].handle);
	waits[i] = false;
}

static void end_all(void)
{
	struct policy_flow info;

	for (uint64_t flow = 1; flow <= 2 * EVENTS; flow++) {
		if (!policy_flow_get(policy, flow, &info))
			continue;
		policy_failed(policy, flow, "no answer", now_us);
		policy_shunt_done(policy, flow, true, now_us);
	}
	run_until(now_us + S);
}

static void test_random(void)
{
	int twice = 0, never = 0;

	begin();
	for (int i = 0; i < EVENTS; i++) {
		long what = random() % 10;

		if (what < 4)
			random_ask();
		else if (what < 8)
			random_result();
		else if (what == 8)
			random_waiter_event();
		else
			run_until(now_us + (uint64_t)(random() % 3000) * MS);
		for (size_t j = 0; j < ASKERS; j++)
			twice += askers[j].answers > 1;
	}
	end_all();
	for (size_t j = 0; j < ASKERS; j++)
		never += waits[j] && askers[j].answers != 1;
	is_int(twice, 0, "nobody is answered twice");
	is_int(never, 0, "and everybody once");
	is_int((intmax_t)policy_counters(policy).waiters, 0, "no waiter is left");
}

int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20261123;

	diag("seed %u", seed);
	srandom(seed);
	test_groups();
	test_join();
	test_failure();
	test_private();
	test_hurry();
	test_reconfigure();
	test_random();
	policy_free(policy);
	return tap_done();
}
