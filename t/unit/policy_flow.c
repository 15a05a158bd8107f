/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flows and who waits: groups, joining, failure and its memory, hurry, inbound (A2, A4, A7, N1, N2, N5, N6). */
#include "t/unit/policy_world.h"

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
	struct addr here = addr("192.0.2.1"), there = addr("10.2.0.1");
	struct asker first, second;
	struct policy_answer what;

	begin();
	policy_explain(policy, &here, &there, &what, now_us);
	ok(what.verdict == POLICY_WAIT && what.starts, "who asks now begins a negotiation");
	is_int(ask(&first, "10.2.0.1"), POLICY_WAIT, "private-or-clear waits");
	policy_explain(policy, &here, &there, &what, now_us);
	ok(what.verdict == POLICY_WAIT && !what.starts, "who asks now joins it");
	is_int(ask(&second, "10.2.0.1"), POLICY_WAIT, "a second lookup too");
	ok(starts == 1 && holds == 1, "one hold, one negotiation (N1)");
	policy_child_up(policy, last_start, true, now_us);
	is_int(first.answers, 0, "never answered from inside");
	run_until(now_us);
	ok(first.answers == 1 && second.answers == 1 && first.answer.verdict == POLICY_ENCRYPTED,
		"both are answered when the tunnel stands");
	is_int(ask(&first, "10.2.0.1"), POLICY_ENCRYPTED, "a later lookup at once");
	policy_child_up(policy, last_start, false, now_us);
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
	for (int i = 0; i < 8; i++) {
		ask(&asker, "10.2.0.1");
		policy_failed(policy, last_start, "no answer", now_us);
		policy_shunt_done(policy, last_shunt, true, now_us);
		run_until(now_us + last_lifetime_s * S);
	}
	is_int(last_lifetime_s, 901, "for shuntlifetime at most");
	policy_forget_failures(policy, NULL, now_us);
	ask(&asker, "10.2.0.1");
	policy_failed(policy, last_start, "no answer", now_us);
	is_int(last_lifetime_s, 6, "forgotten, it begins small again");
	policy_child_up(policy, last_start, false, now_us);
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
	policy_cancel(policy, open.handle);
	policy_failed(policy, last_shunt, "no answer", now_us);
	run_until(now_us + S);
	is_int(open.answers, 0, "who has cancelled is not told");
}

static void test_refused(void)
{
	struct asker asker;

	begin();
	ask(&asker, "10.2.0.1");
	policy_hurry(policy, asker.handle, now_us);
	policy_shunt_done(policy, last_shunt, false, now_us);
	run_until(now_us);
	ok(asker.answers == 1 && asker.answer.verdict == POLICY_WITHHELD,
		"what the kernel refused to open is withheld, at once (A4)");
	is_int(ask(&asker, "10.2.0.1"), POLICY_WAIT, "the next lookup waits for the negotiation");
	policy_hurry(policy, asker.handle, now_us);
	policy_shunt_done(policy, last_shunt, true, now_us);
	run_until(now_us);
	is_int(asker.answer.verdict, POLICY_OPEN, "and is opened when the kernel agrees");
}

static uint64_t flow_of(const char *remote, uint32_t line)
{
	struct addr local = addr("192.0.2.1"), to = addr(remote);
	struct policy_flow flow = {0};

	policy_flow_find(policy, line, &local, &to, &flow);
	return flow.id;
}

/* A4, K6: what the kernel would not open is not closed for as long as a failure is remembered. */
static void test_refused_failure(void)
{
	struct asker asker;

	begin();
	for (int i = 0; i < 6; i++) {
		ask(&asker, "10.2.0.1");
		policy_failed(policy, last_start, "no answer", now_us);
		policy_shunt_done(policy, last_shunt, true, now_us);
		run_until(now_us + 600 * S);
	}
	ask(&asker, "10.2.0.1");
	policy_failed(policy, last_start, "no answer", now_us);
	policy_shunt_done(policy, last_shunt, false, now_us);
	run_until(now_us + S - 1);
	is_int(ask(&asker, "10.2.0.1"), POLICY_WITHHELD, "the kernel refuses a failure's shunt: the host is closed");
	run_until(now_us + 1);
	is_int(ask(&asker, "10.2.0.1"), POLICY_WAIT, "for a second, not for minutes");
	policy_part_up(policy, last_start, true, "tcp 0 443", now_us);
	policy_shunt_done(policy, last_shunt, false, now_us);
	run_until(now_us + S);
	is_int(ask(&asker, "10.2.0.1"), POLICY_WAIT, "nor is what a peer does not grant, while its part stands");
}

/* The kernel ends a shunt on its own clock; what it does counts. */
static void test_shunt_ends(void)
{
	struct asker asker;

	begin();
	ask(&asker, "10.2.0.1");
	policy_hurry(policy, asker.handle, now_us);
	ok(shunts == 1 && passes == 1, "a flow that is opened while it is negotiated");
	policy_shunt_done(policy, last_shunt, true, now_us);
	policy_shunt_ended(policy, last_shunt, now_us);
	ok(shunts == 2 && passes == 2, "is opened again when the kernel ends that");
	policy_failed(policy, last_start, "no answer", now_us);
	policy_shunt_done(policy, last_shunt, true, now_us);
	policy_shunt_ended(policy, last_shunt, now_us);
	is_int(ask(&asker, "10.2.0.1"), POLICY_WAIT, "a failure whose shunt has ended is over: nothing waits in vain");
	policy_shunt_ended(policy, last_start, now_us);
	is_int(shunts, 3, "a negotiation that was not opened stays closed");
	policy_part_up(policy, last_start, true, "tcp 0 443", now_us);
	policy_shunt_ended(policy, last_start, now_us);
	ok(shunts == 5 && last_lifetime_s == 0, "the rest of what a peer grants is opened again");
}

/* A pair is on its way to the data plane while others come and go. */
static void test_coming(void)
{
	struct addr local = addr("192.0.2.1"), remote = addr("10.2.0.1");
	struct asker asker;
	uint64_t id;

	begin();
	ask(&asker, "10.2.0.1");
	id = last_start;
	policy_child_coming(policy, id, now_us);
	policy_child_up(policy, id, true, now_us);
	policy_child_coming(policy, id, now_us);
	policy_child_down(policy, id, "replaced", now_us);
	is_int(idles, 0, "the last tunnel goes while another comes: the data plane keeps what it has");
	policy_child_up(policy, id, false, now_us);
	is_int(ask(&asker, "10.2.0.1"), POLICY_ENCRYPTED, "and it stands");
	policy_child_coming(policy, id, now_us);
	policy_child_down(policy, id, "deleted", now_us);
	policy_child_lost(policy, id, now_us);
	is_int(idles, 1, "or does not: then the flow is its line's again");
	ask(&asker, "10.2.0.1");
	policy_child_coming(policy, id, now_us);
	policy_failed(policy, id, "no answer", now_us);
	is_int(shunts, 1, "a failure");
	policy_child_lost(policy, id, now_us);
	ok(shunts == 2 && passes == 2 && last_lifetime_s == 6,
		"while the peer's comes is a shunt again when that is lost");
	run_until(now_us + 5 * S);
	ask(&asker, "10.2.0.1");
	policy_child_coming(policy, id, now_us);
	policy_child_lost(policy, id, now_us);
	is_int(holds, 4, "a negotiation is a hold again");
	policy_child_lost(policy, id, now_us);
	is_int(holds, 4, "once");
	policy_failed(policy, id, "no answer", now_us);
	policy_forget_failures(policy, NULL, now_us);
	run_until(now_us + 59 * S);
	is_int((intmax_t)policy_flow_want(policy, 2, &local, &remote, now_us), (intmax_t)id, "an idle flow");
	run_until(now_us + 2 * S);
	is_int((intmax_t)flow_of("10.2.0.1", 2), (intmax_t)id, "is not forgotten when it has just been wanted");
	policy_child_coming(policy, id, now_us);
	run_until(now_us + 100 * S);
	is_int((intmax_t)flow_of("10.2.0.1", 2), (intmax_t)id, "nor while something comes");
	policy_child_lost(policy, id, now_us);
	run_until(now_us + 100 * S);
	is_int((intmax_t)flow_of("10.2.0.1", 2), 0, "then it is");
}

static void test_explain(void)
{
	struct addr local = addr("192.0.2.1"), remote = addr("10.2.0.1");
	struct policy_answer answer;
	struct asker asker;

	begin();
	ask(&asker, "10.2.0.1");
	policy_failed(policy, last_start, "no answer", now_us);
	policy_shunt_done(policy, last_shunt, true, now_us);
	run_until(now_us + 3 * S);
	policy_explain(policy, &local, &remote, &answer, now_us);
	ok(answer.verdict == POLICY_OPEN && answer.max_ttl_s == 2,
		"what is left of a shunt falls while nobody asks (A7)");
}

static void test_success_forgives(void)
{
	struct asker asker;

	begin();
	for (int i = 0; i < 3; i++) {
		ask(&asker, "10.2.0.1");
		policy_failed(policy, last_start, "no answer", now_us);
		run_until(now_us + 60 * S);
	}
	is_int(last_lifetime_s, 21, "three failures");
	ask(&asker, "10.2.0.1");
	policy_child_up(policy, last_start, true, now_us);
	policy_child_down(policy, last_start, "deleted", now_us);
	ask(&asker, "10.2.0.1");
	policy_failed(policy, last_start, "no answer", now_us);
	is_int(last_lifetime_s, 6, "a success ends the memory of failures (N6)");
	run_until(now_us + 6 * S);
	policy_failing(policy, last_start, "ICMP", now_us);
	is_int(ask(&asker, "10.2.0.1"), POLICY_WAIT, "a hint outside a negotiation has no effect");
}

static void test_fresh_start(void)
{
	struct asker asker;

	begin();
	ask(&asker, "10.1.0.1");
	policy_failing(policy, last_start, "ICMP", now_us);
	is_int(ask(&asker, "10.1.0.1"), POLICY_WITHHELD, "while the hint counts nobody waits");
	policy_failed(policy, last_start, "ICMP", now_us);
	run_until(now_us + 2 * S);
	is_int(ask(&asker, "10.1.0.1"), POLICY_WAIT, "a new negotiation begins without the old hint");
	begin();
	ask(&asker, "10.2.0.1");
	policy_hurry(policy, asker.handle, now_us);
	policy_hurry(policy, asker.handle, now_us);
	is_int(shunts, 1, "a flow is opened once");
	policy_shunt_done(policy, last_shunt, true, now_us);
	policy_failed(policy, last_start, "no answer", now_us);
	policy_shunt_done(policy, last_shunt, true, now_us);
	run_until(now_us + 6 * S);
	is_int(ask(&asker, "10.2.0.1"), POLICY_WAIT, "and is closed again in the next negotiation");
}

static void test_inbound(void)
{
	struct addr local = addr("192.0.2.1"), may = addr("10.3.0.1"), must = addr("10.1.0.1"),
		    never = addr("10.5.0.1");
	const struct policy_line *found[4];
	struct asker asker;
	uint64_t flow;

	begin();
	is_int(policy_conn_for(policy, &local, &may), 2, "clear-or-private accepts a stranger");
	is_int(policy_conn_for(policy, &local, &must), 0, "private too");
	is_int(policy_conn_for(policy, &local, &never), -1, "block does not");
	ok(policy_accepting_lines(policy, &may, found, 4) == 1 && found[0]->id == 3, "by its line");
	flow = policy_flow_want(policy, 3, &local, &may, now_us);
	ok(flow == policy_flow_want(policy, 3, &local, &may, now_us), "one flow for a line and hosts");
	is_int(ask(&asker, "10.3.0.1"), POLICY_PASS, "before the tunnel stands the address passes");
	policy_child_up(policy, flow, false, now_us);
	is_int(ask(&asker, "10.3.0.1"), POLICY_ENCRYPTED, "an idle flow may be tunnelled by the peer (N2)");
	ask(&asker, "10.1.0.1");
	policy_failed(policy, last_start, "no answer", now_us);
	policy_child_up(policy, last_start, false, now_us);
	policy_failed(policy, last_start, "too late", now_us);
	is_int(ask(&asker, "10.1.0.1"), POLICY_ENCRYPTED, "a blocked one too, and no failure ends it");
	is_int(shunts, 1, "nor is a tunnel shunted for one");
	policy_child_down(policy, flow, "deleted", now_us);
	policy_child_down(policy, flow, "again", now_us);
	is_int(ask(&asker, "10.3.0.1"), POLICY_PASS, "then it is what its line says");
	is_int(starts, 1, "nothing but the private address was negotiated by us");
	policy_child_down(policy, last_start, "deleted", now_us);
	run_until(now_us + 3600 * S);
	is_int((intmax_t)policy_counters(policy).flows, 0, "what is idle for long is forgotten");
}

/* N1: the peer's tunnel comes and goes, and our own negotiation has not ended yet. */
static void test_crossing(void)
{
	struct asker first, second;

	begin();
	ask(&first, "10.1.0.1");
	policy_child_up(policy, last_start, false, now_us);
	run_until(now_us);
	ok(first.answers == 1 && first.answer.verdict == POLICY_ENCRYPTED, "the peer's tunnel is enough");
	policy_child_down(policy, last_start, "deleted by the peer", now_us);
	ok(idles == 1 && holds == 2, "it goes: packets wait in a hold again");
	ok(ask(&second, "10.1.0.1") == POLICY_WAIT && starts == 1, "who asks now joins what we have begun");
	policy_failed(policy, last_start, "no answer", now_us);
	policy_shunt_done(policy, last_shunt, true, now_us);
	run_until(now_us);
	ok(second.answers == 1 && second.answer.verdict == POLICY_WITHHELD, "and hears how it ends");
	run_until(now_us + S);
	ok(ask(&first, "10.1.0.1") == POLICY_WAIT && starts == 2, "then another may begin");
	policy_child_up(policy, last_start, true, now_us);
	policy_child_down(policy, last_start, "deleted", now_us);
	ok(ask(&first, "10.1.0.1") == POLICY_WAIT && starts == 3, "as after our own tunnel");
}

static void test_acquire(void)
{
	struct policy_line some[] = {{.id = 1, .conn = 0, .proto = 6, .remote_port = 443},
		{.id = 2, .conn = 1}, {.id = 3, .conn = 4, .proto = 6, .remote_port = 25}};
	struct policy_config config = {
		.conns = conns, .conn_count = 5, .lines = some, .line_count = 3};
	struct addr local = addr("192.0.2.1"), remote = addr("10.6.0.1");
	struct policy_answer answer;
	struct asker asker;

	begin();
	for (size_t i = 0; i < ARRAY_LEN(some); i++)
		prefix_parse("10.6.0.0/16", &some[i].remote, NULL);
	policy_reconfigure(policy, &config, count_gone, now_us);
	policy_want(policy, &local, &remote, POLICY_TRIGGER_ACQUIRE, 2, NULL, NULL, &answer, now_us);
	ok(starts == 1 && last_start == flow_of("10.6.0.1", 2), "an acquire starts its own line alone");
	is_int(ask(&asker, "10.6.0.1"), POLICY_WAIT, "a lookup the others as well, and waits");
	ok(starts == 2 && last_start == flow_of("10.6.0.1", 1), "without a second negotiation (N1)");
	policy_child_up(policy, flow_of("10.6.0.1", 2), false, now_us);
	run_until(now_us);
	is_int(asker.answers, 0, "one of two is not enough");
	policy_failed(policy, flow_of("10.6.0.1", 1), "no answer", now_us);
	run_until(now_us);
	ok(asker.answers == 1 && asker.answer.verdict == POLICY_ENCRYPTED && asker.answer.line == 2,
		"then the line without ports decides");
	config.line_count = 2;
	config.lines = some + 1;
	some[1].proto = 17;
	policy_reconfigure(policy, &config, count_gone, now_us);
	is_int(ask(&asker, "10.6.0.1"), POLICY_WAIT, "lines with ports alone are waited for");
	policy_child_up(policy, last_start, true, now_us);
	run_until(now_us);
	is_int(asker.answer.verdict, POLICY_ENCRYPTED, "and a blocked port does not deny the address");
}

/* RFC 7296 2.9: the peer grants less than a flow. */
static void test_narrowed(void)
{
	struct asker asker;

	begin();
	ask(&asker, "10.1.0.1");
	policy_part_up(policy, last_start, true, "tcp 0 443", now_us);
	ok(shunts == 1 && passes == 0 && last_lifetime_s == 0,
		"private, narrowed: the rest is blocked, for as long as it lasts");
	policy_shunt_done(policy, last_shunt, true, now_us);
	run_until(now_us);
	ok(asker.answers == 1 && asker.answer.verdict == POLICY_ENCRYPTED, "the address is of use");
	is_str(asker.answer.cause, "the peer grants no more than tcp 0 443", "and it is told for what");
	is_int((intmax_t)policy_counters(policy).tunnelled, 1, "it counts as a tunnel");
	run_until(now_us + 7200 * S);
	policy_forget_failures(policy, NULL, now_us);
	ok(ask(&asker, "10.1.0.1") == POLICY_ENCRYPTED && starts == 1 && idles == 0,
		"it is no failure: neither time nor forgetting asks the peer again");
	policy_part_up(policy, last_start, true, "tcp 0 443", now_us);
	policy_part_down(policy, last_start, now_us);
	is_int(idles, 0, "one of two pairs is enough");
	policy_part_down(policy, last_start, now_us);
	is_int(idles, 1, "with the last one the flow is its line's again");
	is_int(ask(&asker, "10.1.0.1"), POLICY_WAIT, "and the next lookup starts anew");

	begin();
	ask(&asker, "10.2.0.1");
	policy_part_up(policy, last_start, true, "udp 0 53", now_us);
	ok(passes == 1 && last_lifetime_s == 0, "private-or-clear: the rest is clear");
	run_until(now_us);
	is_int(asker.answers, 0, "the lookup waits for the kernel's word");
	policy_shunt_done(policy, last_shunt, true, now_us);
	run_until(now_us);
	ok(asker.answers == 1 && asker.answer.verdict == POLICY_OPEN &&
			asker.answer.max_ttl_s == UINT32_MAX,
		"and does not call it encrypted");
	policy_child_up(policy, last_start, true, now_us);
	is_int(ask(&asker, "10.2.0.1"), POLICY_ENCRYPTED, "until all of it is");
	policy_child_down(policy, last_start, "deleted", now_us);
	ok(idles == 1 && ask(&asker, "10.2.0.1") == POLICY_WAIT,
		"what is lost then is asked for again, the part notwithstanding");
}

/* The peer asks for less than our line: that says nothing of what it would grant us. */
static void test_part_of_the_peers(void)
{
	struct addr local = addr("192.0.2.1"), remote = addr("10.1.0.1");
	struct policy_flow flow;
	struct asker asker;
	uint64_t id;

	begin();
	id = policy_flow_want(policy, 1, &local, &remote, now_us);
	policy_part_up(policy, id, false, "tcp 443 0", now_us);
	ok(policy_flow_get(policy, id, &flow) && flow.state == POLICY_IDLE && shunts == 0,
		"a part that the peer asked for leaves the rest as it was");
	run_until(now_us + 600 * S);
	ok(policy_flow_get(policy, id, &flow), "it is remembered while it stands");
	is_int(ask(&asker, "10.1.0.1"), POLICY_WAIT, "a lookup negotiates");
	policy_part_down(policy, id, now_us);
	policy_part_down(policy, id, now_us);
	is_int(idles, 0, "its end does not end the negotiation");
	policy_failed(policy, last_start, "no answer", now_us);
	policy_part_up(policy, id, false, "tcp 443 0", now_us);
	policy_part_down(policy, id, now_us);
	ok(policy_flow_get(policy, id, &flow) && flow.state == POLICY_BLOCKED_UNTIL,
		"nor the memory of a failure");
	run_until(now_us + 600 * S);
	run_until(now_us + 1200 * S);
	ok(!policy_flow_get(policy, id, &flow), "in the end it is forgotten");
	is_int((intmax_t)policy_counters(policy).tunnelled, 0, "and no tunnel is counted");
}

int main(void)
{
	test_groups();
	test_join();
	test_failure();
	test_private();
	test_hurry();
	test_refused();
	test_success_forgives();
	test_fresh_start();
	test_inbound();
	test_crossing();
	test_acquire();
	test_explain();
	test_refused_failure();
	test_shunt_ends();
	test_coming();
	test_narrowed();
	test_part_of_the_peers();
	policy_free(policy);
	return tap_done();
}
