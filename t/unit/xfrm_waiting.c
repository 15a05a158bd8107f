/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queue of a trap that many hosts share (xfrm/waiting.c, research/kernel.md A3): who may leave
 * leaves beside older ones who may not, and nothing of these reaches the wire. Needs a kernel with
 * ESP for the sink.
 */
#include "t/unit/xfrm_world.h"

static struct dp_line line;

static int request_hold(const struct dp_flow *flow)
{
	dp_hold(dp, flow, take_answer, NULL);
	return answer_of_request();
}

static int request_shunt(const struct dp_flow *flow, enum dp_stance stance)
{
	dp_shunt(dp, flow, stance, 0, take_answer, NULL);
	return answer_of_request();
}

static void request_idle(const struct dp_flow *flow)
{
	dp_idle(dp, flow, take_answer, NULL);
	answer_of_request();
}

/* Its packet goes into the line's queue, and then the host is held: an acquire comes too late. */
static struct dp_flow queue_one(const char *remote)
{
	struct dp_flow flow = make_flow(1, remote);
	unsigned before = acquires;

	send_udp(remote, 9);
	ok(wait_for(&acquires, before + 1), "a packet to %s acquires", remote);
	is_int(request_hold(&flow), 0, "and its host is held");
	return flow;
}

/* Waits for a packet to `text`; how many to `older`, which are before it in the queue, have left. */
static unsigned on_wire_before(const char *text, const char *older)
{
	uint64_t end = now_ms() + LIMIT_MS;
	struct addr wanted, not_wanted, dst;
	unsigned before = 0;
	bool seen = false;

	addr_parse(text, &wanted);
	addr_parse(older, &not_wanted);
	while (!seen && now_ms() < end) {
		while (next_packet(&dst)) {
			seen = seen || addr_equal(&dst, &wanted);
			before += addr_equal(&dst, &not_wanted);
		}
		loop_step(loop, false);
		usleep(500);
	}
	ok(seen, "a packet to %s has left", text);
	return before;
}

static bool is_sink(const struct entry *entry)
{
	return is_ours(entry) && entry->action == ENTRY_PROTECT && entry->reqid >= ENTRY_REQID_FIRST &&
	       entry->reqid <= ENTRY_REQID_LAST;
}

/* Runs the loop until no sink stands. */
static bool sink_goes(void)
{
	uint64_t end = now_ms() + LIMIT_MS;

	while ((count_states() || count_policies(is_sink)) && now_ms() < end) {
		loop_step(loop, false);
		usleep(5000);
	}
	return !count_states() && !count_policies(is_sink);
}

static void test_sink(void)
{
	struct dp_flow dead = queue_one("10.2.0.7"), alive = queue_one("10.2.0.8");

	/* One more of the dead host, which waits in its own hold. */
	send_udp("10.2.0.7", 10);
	is_int(request_shunt(&alive, DP_ALLOW), 0, "the younger may leave");
	is_int((intmax_t)count_policies(is_sink), 1, "the older gets a sink");
	is_int(on_wire_before("10.2.0.8", "10.2.0.7"), 0, "nothing of the older, in ESP neither");
	ok(sink_goes(), "the sink goes");
	is_int(request_shunt(&dead, DP_ALLOW), 0, "the older may leave too");
	is_int(on_wire("10.2.0.7", 1), 1, "what waited in its own hold does: the sink has not had it");
	request_idle(&dead);
	request_idle(&alive);
}

/* No sink where the oldest itself may leave, or nobody may. */
static void test_no_sink(void)
{
	struct dp_flow first = queue_one("10.2.1.7"), second = queue_one("10.2.1.8");

	is_int(request_shunt(&second, DP_BLOCK), 0, "the younger is blocked");
	is_int((intmax_t)count_policies(is_sink), 0, "the older is left waiting");
	is_int(request_shunt(&first, DP_ALLOW), 0, "and then may leave");
	is_int((intmax_t)count_policies(is_sink), 0, "as it is");
	is_int(on_wire_before("10.2.1.7", "10.2.1.8"), 0, "nothing of the blocked");
	request_idle(&first);
	request_idle(&second);
}

/* The kernel has thrown the queue away: whoever stands in our list for it delays nobody for long. */
static void test_wrong_list(void)
{
	struct dp_flow gone = queue_one("10.2.2.7"), dead, alive;
	struct entry block = {.priority = ENTRY_EXEMPT, .action = ENTRY_BLOCK}, trap;

	/* Behind our back: a block before everything, and the trap looks at its queue. */
	memset(&block.key, 0, sizeof(block.key));
	block.key.dir = ENTRY_OUT;
	prefix_parse(ME "/32", &block.key.src, NULL);
	prefix_parse("10.2.2.7/32", &block.key.dst, NULL);
	netlink_request(reader, encode_policy(&block));
	memset(&trap, 0, sizeof(trap));
	trap = (struct entry){.priority = entry_priority(line.slot, ENTRY_LINE), .action = ENTRY_PROTECT,
		.mode = IPSEC_TRANSPORT, .tmpl_src.family = ADDR_IPV4, .tmpl_dst.family = ADDR_IPV4};
	trap.key.tag = entry_tag(1, false);
	trap.key.dir = ENTRY_OUT;
	trap.key.src = block.key.src;
	trap.key.dst = line.remote;
	netlink_request(reader, encode_policy(&trap));
	usleep(100000);
	netlink_request(reader, encode_policy_delete(&block.key));
	dead = queue_one("10.2.2.8");
	alive = queue_one("10.2.2.9");
	is_int(request_shunt(&alive, DP_ALLOW), 0, "the youngest may leave");
	is_int(on_wire_before("10.2.2.9", "10.2.2.8"), 0, "though the first sink was for nothing; none of the oldest");
	ok(sink_goes(), "no sink stays");
	request_idle(&gone);
	request_idle(&dead);
	request_idle(&alive);
}

/* negotiationshunt=pass: nothing waits, and a sink would take what passes. */
static void test_passing(void)
{
	struct dp_flow older, younger;

	line.out = DP_TRAP_PASS;
	is_int(set_lines(&line, 1), 0, "a line that lets pass while it negotiates");
	older = queue_one("10.2.4.7");
	younger = queue_one("10.2.4.8");
	is_int(on_wire("10.2.4.8", 1), 1, "their packets pass");
	is_int(request_shunt(&younger, DP_ALLOW), 0, "the younger has an end");
	is_int((intmax_t)count_policies(is_sink), 0, "the older gets no sink");
	request_idle(&older);
	request_idle(&younger);
	line.out = DP_TRAP;
	set_lines(&line, 1);
}

/* K2: a crash beside a sink leaves nothing of it. */
static void test_crash(void)
{
	struct entry policy = {.priority = entry_priority(line.slot, ENTRY_SINK),
		.action = ENTRY_PROTECT, .mode = IPSEC_TRANSPORT, .reqid = ENTRY_REQID_FIRST + 99};

	memset(&policy.key, 0, sizeof(policy.key));
	policy.key.tag = entry_tag(0, false);
	policy.key.dir = ENTRY_OUT;
	prefix_parse(ME "/32", &policy.key.src, NULL);
	prefix_parse("10.2.3.7/32", &policy.key.dst, NULL);
	policy.tmpl_src = policy.key.src.addr;
	policy.tmpl_dst = policy.key.dst.addr;
	dp_close(dp);
	is_int(netlink_request(reader, encode_sa_sink(&policy.tmpl_src, &policy.tmpl_dst, 0x1234, policy.reqid,
					       policy.key.tag)), 0, "a crash leaves a sink's SA");
	is_int(netlink_request(reader, encode_policy(&policy)), 0, "and its policy");
	plane_open();
	is_int(set_lines(&line, 1), 0, "the next run");
	ok(!count_states() && !count_policies(is_sink), "removes both");
}

static bool has_esp(void)
{
	struct addr me;

	addr_parse(ME, &me);
	if (netlink_request(reader, encode_sa_sink(&me, &me, 0x1000, ENTRY_REQID_FIRST, entry_tag(0, false))) != 0)
		return false;
	return netlink_request(reader, encode_sa_delete(&me, 0x1000)) == 0;
}

int main(void)
{
	if (!world_begin())
		return 0;
	if (!has_esp()) {
		printf("1..0 # SKIP this kernel has no ESP\n");
		return 0;
	}
	plane_open();
	line = make_line(1, PRIVATE_OR_CLEAR, "10.2.0.0/16", 0, 0);
	is_int(set_lines(&line, 1), 0, "a wide line");
	test_sink();
	test_no_sink();
	test_wrong_list();
	test_passing();
	test_crash();
	dp_close(dp);
	return world_done();
}
