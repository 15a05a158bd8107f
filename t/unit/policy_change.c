/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A new configuration under flows and waiters (C4, G2, G3), then random events
 * against what must always hold: each handle is answered exactly once, every
 * edge is legal, and no flow negotiates twice at a time.
 */
#include "t/unit/policy_world.h"

#include <stdlib.h>

static void test_reconfigure(void)
{
	struct policy_config config = {
		.conns = conns, .conn_count = 5, .lines = lines, .line_count = ARRAY_LEN(lines)};
	struct asker asker, waiting, failed;

	begin();
	ask(&asker, "10.2.0.1");
	policy_child_up(policy, last_start, true, now_us);
	ask(&waiting, "10.1.0.1");
	policy_reconfigure(policy, &config, count_gone, now_us);
	ok(gone_count == 0 && ask(&asker, "10.2.0.1") == POLICY_ENCRYPTED,
		"a tunnel that still matches stays (C4)");
	ask(&failed, "10.2.0.3");
	policy_failed(policy, last_start, "no answer", now_us);
	policy_shunt_done(policy, last_start, true, now_us);
	is_int(ask(&failed, "10.2.0.3"), POLICY_OPEN, "a failure");
	policy_reconfigure(policy, &config, count_gone, now_us);
	is_int(ask(&failed, "10.2.0.3"), POLICY_WAIT, "is forgotten with a reload (N6)");
	policy_child_up(policy, last_start, true, now_us);
	config.lines = lines + 1;
	config.line_count = 1;
	policy_reconfigure(policy, &config, count_gone, now_us);
	run_until(now_us);
	ok(gone_count == 1 && waiting.answers == 1, "a flow whose line went is gone, and who waited is told");
	is_int(ask(&asker, "10.2.0.1"), POLICY_ENCRYPTED, "the other is still there");
	for (int i = 0; i < 2; i++) {
		struct policy_conn changed[ARRAY_LEN(conns)];

		begin();
		ask(&asker, "10.2.0.1");
		memcpy(changed, conns, sizeof(changed));
		if (i)
			changed[1].failure_pass = false;
		else
			changed[1].group = POLICY_CLEAR_OR_PRIVATE;
		config.conns = changed;
		policy_reconfigure(policy, &config, count_gone, now_us);
		is_int(gone_count, 1, i ? "a flow whose failureshunt changed is another"
					: "one whose group changed is another");
	}
}

/* One of two lines goes: who waits for both waits on for one. */
static void test_reload_while_waiting(void)
{
	struct policy_line two[] = {
		{.id = 1, .conn = 1, .proto = 6, .remote_port = 443}, {.id = 2, .conn = 1}};
	struct policy_line one = {.id = 2, .conn = 1};
	struct policy_config config = {
		.conns = conns, .conn_count = 5, .lines = two, .line_count = 2};
	struct asker asker;

	begin();
	prefix_parse("10.6.0.0/16", &two[0].remote, NULL);
	two[1].remote = one.remote = two[0].remote;
	policy_reconfigure(policy, &config, count_gone, now_us);
	is_int(ask(&asker, "10.6.0.1"), POLICY_WAIT, "two lines are waited for");
	config.lines = &one;
	config.line_count = 1;
	policy_reconfigure(policy, &config, count_gone, now_us);
	run_until(now_us);
	is_int(asker.answers, 0, "one goes with a reload, the other is still waited for");
	policy_child_up(policy, last_start, true, now_us);
	run_until(now_us);
	ok(asker.answers == 1 && asker.answer.verdict == POLICY_ENCRYPTED, "and answers");
	one.id = 1;
	gone_count = 0;
	policy_reconfigure(policy, &config, count_gone, now_us);
	is_int(gone_count, 1, "under another number it is another line: the data plane has nothing under that");
	is_int(ask(&asker, "10.6.0.1"), POLICY_WAIT, "and its flow begins anew");
}

/* One host's lines change: its flows follow, nobody else's do. */
static void test_change_host(void)
{
	struct policy_line own = {.id = 70, .conn = 0, .file = (char *)"names"};
	struct asker stays, moves, other;
	struct addr host = addr("10.2.0.9"), local = addr("192.0.2.1");
	struct policy_flow flow;

	begin();
	own.remote = prefix_of_host(&host);
	ask(&other, "10.2.0.8");
	policy_child_up(policy, last_start, true, now_us);
	ask(&stays, "10.2.0.1");
	ask(&moves, "10.2.0.9");
	policy_change_host(policy, &host, &own, 1, count_gone, now_us);
	run_until(now_us);
	is_int(gone_count, 1, "the host's flow of another group is gone");
	is_int(moves.answers, 1, "who waited for it is told");
	is_int(stays.answers, 0, "who waits for another host is not");
	is_int(ask(&other, "10.2.0.8"), POLICY_ENCRYPTED, "another's tunnel stands");
	is_int(ask(&moves, "10.2.0.9"), POLICY_WAIT, "it is negotiated anew");
	ok(policy_flow_find(policy, 70, &local, &host, &flow) && flow.group == POLICY_PRIVATE,
		"as its own line says");
	policy_child_up(policy, flow.id, false, now_us);
	own.id = 71;
	policy_change_host(policy, &host, &own, 1, count_gone, now_us);
	is_int(gone_count, 2, "under another number its line is another");
	own.id = 70;
	policy_change_host(policy, &host, &own, 1, count_gone, now_us);
	ask(&moves, "10.2.0.9");
	policy_child_up(policy, last_start, true, now_us);
	policy_change_host(policy, &host, &own, 1, count_gone, now_us);
	ok(gone_count == 2 && policy_flow_find(policy, 70, &local, &host, &flow) && flow.state == POLICY_TUNNELLED,
		"a line that says the same keeps its tunnel");
	policy_change_host(policy, &host, NULL, 0, count_gone, now_us);
	ok(gone_count == 3 && policy_counters(policy).lines == ARRAY_LEN(lines), "without one all is as before");
	is_int(ask(&moves, "10.2.0.9"), POLICY_WAIT, "it belongs to its prefix again");
	ok(policy_flow_find(policy, 2, &local, &host, &flow), "and to its line");
}

/* A failure is forgotten while its shunt is on the way: nothing will move, so the answer comes. */
static void test_forget_while_waiting(void)
{
	struct asker asker;

	begin();
	ask(&asker, "10.2.0.1");
	policy_failed(policy, last_start, "no answer", now_us);
	policy_forget_failures(policy, NULL, now_us);
	run_until(now_us);
	ok(asker.answers == 1 && asker.answer.verdict == POLICY_WITHHELD,
		"who waits for what is forgotten is told");
	is_int(ask(&asker, "10.2.0.1"), POLICY_WAIT, "the next one starts anew");
	policy_failed(policy, last_start, "no answer", now_us);
	run_until(now_us + 6 * S);
	ok(asker.answers == 1 && asker.answer.verdict == POLICY_WITHHELD,
		"and is told, too, when the kernel never says that it is open");
}

static void test_closed_groups(void)
{
	struct policy_conn weak = {.name = (char *)"private",
		.group = POLICY_PRIVATE,
		.negotiation_pass = true,
		.failure_pass = true};
	struct policy_config config = {
		.conns = &weak, .conn_count = 1, .lines = lines, .line_count = 1};
	struct asker asker;

	begin();
	policy_reconfigure(policy, &config, NULL, now_us);
	ask(&asker, "10.1.0.1");
	policy_hurry(policy, asker.handle, now_us);
	policy_failed(policy, last_start, "no answer", now_us);
	run_until(now_us);
	ok(shunts == 1 && passes == 0 && asker.answer.verdict == POLICY_WITHHELD,
		"private stays closed whatever its conn says (G2)");
}

static void test_no_connection(void)
{
	struct policy_conn lone = {
		.name = (char *)"private", .group = POLICY_PRIVATE, .ike_conn = SIZE_MAX};
	struct policy_config config = {
		.conns = &lone, .conn_count = 1, .lines = lines, .line_count = 1};
	struct addr local = addr("192.0.2.1"), remote = addr("10.1.0.1");
	struct asker asker;

	begin();
	policy_reconfigure(policy, &config, count_gone, now_us);
	is_int(ask(&asker, "10.1.0.1"), POLICY_WITHHELD, "private without a connection is closed (G3)");
	ok(starts == 0 && passes == 0 && asker.answer.cause[0], "without a negotiation, and it says why");
	is_int(policy_conn_for(policy, &local, &remote), -1, "and accepts nobody");
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
	long net, host;

	if (waits[i] && askers[i].answers == 0)
		return;
	/* One call a statement: their order within one is the compiler's. */
	net = 1 + random() % 5;
	host = 1 + random() % 6;
	snprintf(remote, sizeof(remote), "10.%ld.0.%ld", net, host);
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
		policy_child_up(policy, flow, false, now_us);
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

static void random_change(void)
{
	struct policy_config config = {.conns = conns, .conn_count = 5, .lines = lines};

	if (random() % 2) {
		policy_forget_failures(policy, NULL, now_us);
		return;
	}
	config.line_count = ARRAY_LEN(lines) - (size_t)(random() % 2);
	policy_reconfigure(policy, &config, count_gone, now_us);
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

		if (random() % 200 == 0)
			random_change();
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
	is_int(wrong_edges, 0, "every edge is one of the drawing");
	is_int(wrong_starts, 0, "each negotiation starts on entering its state: no second one meanwhile");
	is_int((intmax_t)policy_counters(policy).waiters, 0, "no waiter is left");
}

int main(int argc, char **argv)
{
	unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20261123;

	diag("seed %u", seed);
	srandom(seed);
	test_reconfigure();
	test_reload_while_waiting();
	test_change_host();
	test_forget_while_waiting();
	test_closed_groups();
	test_no_connection();
	test_random();
	policy_free(policy);
	return tap_done();
}
