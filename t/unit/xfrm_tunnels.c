/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tunnels on a kernel that has ESP: which of several SAs of a host is sent on, parts of a line that
 * have a kind of traffic in common, and a pair that goes before its flow does.
 */
#include "t/unit/xfrm_world.h"

#include <netinet/in.h>

static struct dp_line lines[2];

static void begin(void)
{
	lines[0] = make_line(1, PRIVATE, "10.1.0.0/16", 0, 0);
	lines[1] = make_line(2, PRIVATE_OR_CLEAR, "10.2.0.0/16", 0, 0);
	set_lines(lines, ARRAY_LEN(lines));
}

/* --- pairs ---------------------------------------------------------------------------------------- */

static struct sa_pair make_pair(const struct dp_flow *flow, uint32_t number)
{
	struct sa_pair pair = {.mode = IPSEC_TUNNEL, .encr = IPSEC_ENCR_AES_GCM_16};

	pair.in = (struct ipsec_sa){.spi = 0x1000 + number, .src = flow->remote, .dst = flow->local, .encr_key_len = 20};
	pair.out = (struct ipsec_sa){.spi = 0x2000 + number, .src = flow->local, .dst = flow->remote, .encr_key_len = 20};
	pair.selector = (struct selector){
		.local = prefix_of_host(&flow->local), .remote = prefix_of_host(&flow->remote)};
	return pair;
}

static int establish(const struct dp_flow *flow, const struct sa_pair *pair)
{
	dp_establish(dp, flow, pair, take_answer, NULL);
	return answer_of_request();
}

static int remove_pair(const struct dp_flow *flow, const struct sa_pair *pair)
{
	dp_remove_pair(dp, flow, pair, take_answer, NULL);
	return answer_of_request();
}

static int idle(const struct dp_flow *flow)
{
	dp_idle(dp, flow, take_answer, NULL);
	return answer_of_request();
}

/* --- the wire --------------------------------------------------------------------------------------- */

/* The SPI of the next ESP packet; 1 for a packet in the clear, 0 when nothing has come for so long. */
static uint32_t spi_on_wire(unsigned limit_ms)
{
	uint64_t end = now_ms() + limit_ms;
	uint8_t packet[2048];

	do {
		ssize_t got = read(wire, packet, sizeof(packet));

		if (got >= 24 && packet[0] >> 4 == 4)
			return packet[9] == IPPROTO_ESP ? (uint32_t)packet[20] << 24 | (uint32_t)packet[21] << 16 |
								  (uint32_t)packet[22] << 8 | packet[23]
							: 1;
		loop_step(loop, false);
		usleep(500);
	} while (now_ms() < end);
	return 0;
}

static uint32_t sends_on(const char *remote, uint16_t port)
{
	while (spi_on_wire(0))
		;
	send_udp(remote, port);
	return spi_on_wire(LIMIT_MS);
}

/* One packet that must wait. */
static bool nothing_leaves(const char *remote, uint16_t port)
{
	while (spi_on_wire(0))
		;
	send_udp(remote, port);
	return spi_on_wire(300) == 0;
}

/* What is sent on changes by itself. */
static bool policies_change(void)
{
	uint64_t end = now_ms() + LIMIT_MS;

	changes_take();
	while (now_ms() < end) {
		loop_step(loop, false);
		if (changes_take().updated)
			return true;
		usleep(500);
	}
	return false;
}

/* --- which SA ----------------------------------------------------------------------------------------- */

static time_t second(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

#define CROWD 64

/*
 * While SAs of nobody come, so many that the kernel makes its tables larger several times, and
 * turns their chains around each time: how many packets go elsewhere than to an SPI.
 */
static unsigned strays_in_a_crowd(const char *remote, uint32_t spi)
{
	struct sa_pair pair = {.mode = IPSEC_TUNNEL, .encr = IPSEC_ENCR_AES_GCM_16};
	struct ipsec_sa sa = {.encr_key_len = 20};
	unsigned strays = 0;

	addr_parse("10.250.0.1", &sa.src);
	addr_parse("10.250.0.2", &sa.dst);
	for (sa.spi = 0x9000; sa.spi < 0x9000 + CROWD; sa.spi++) {
		netlink_request(reader, encode_sa(&sa, &pair, 7, 0, false));
		strays += sends_on(remote, 9) != spi;
	}
	for (sa.spi = 0x9000; sa.spi < 0x9000 + CROWD; sa.spi++)
		netlink_request(reader, encode_sa_delete(&sa.dst, sa.spi));
	return strays;
}

/* Two of one second: the kernel's own choice would be an accident. */
static void test_one_second(void)
{
	struct dp_flow flow = make_flow(1, "10.1.0.10");
	struct sa_pair first = make_pair(&flow, 0x11), second_pair = make_pair(&flow, 0x12);
	time_t born;

	do {
		idle(&flow);
		born = second();
		establish(&flow, &first);
		establish(&flow, &second_pair);
	} while (second() != born);
	is_int(sends_on("10.1.0.10", 9), 0x2012, "two pairs of one second: the second is sent on");
	is_int(strays_in_a_crowd("10.1.0.10", 0x2012), 0, "whatever becomes of the kernel's tables");
	is_int(remove_pair(&flow, &second_pair), 0, "it goes");
	is_int(sends_on("10.1.0.10", 9), 0x2011, "and the first is sent on again");
	is_int(idle(&flow), 0, "the end");
}

/* The peer has not got it yet: a pair that we answered waits for its first packet, or a while (K1). */
static void test_answered(void)
{
	struct dp_flow flow = make_flow(1, "10.1.0.11");
	struct sa_pair pairs[3] = {make_pair(&flow, 0x21), make_pair(&flow, 0x22), make_pair(&flow, 0x23)};

	pairs[1].peer_sends_first = pairs[2].peer_sends_first = true;
	establish(&flow, &pairs[0]);
	is_int(establish(&flow, &pairs[1]), 0, "a second pair, answered");
	is_int(sends_on("10.1.0.11", 9), 0x2021, "the first is sent on still");
	ok(policies_change(), "after a while");
	is_int(sends_on("10.1.0.11", 9), 0x2022, "it is the second");
	establish(&flow, &pairs[2]);
	is_int(sends_on("10.1.0.11", 9), 0x2022, "a third comes likewise");
	remove_pair(&flow, &pairs[1]);
	is_int(sends_on("10.1.0.11", 9), 0x2023, "at once where the peer takes the one before away");
	remove_pair(&flow, &pairs[0]);
	is_int(sends_on("10.1.0.11", 9), 0x2023, "the oldest is not missed");
	idle(&flow);
}

/* What is to come goes before it was sent on. */
static void test_taken_back(void)
{
	struct dp_flow flow = make_flow(1, "10.1.0.12");
	struct sa_pair first = make_pair(&flow, 0x31), second_pair = make_pair(&flow, 0x32);

	second_pair.peer_sends_first = true;
	establish(&flow, &first);
	establish(&flow, &second_pair);
	remove_pair(&flow, &second_pair);
	wait_so_long(&losses, 1, 400); /* longer than it would have waited */
	is_int(sends_on("10.1.0.12", 9), 0x2031, "a pair that goes before it was sent on changes nothing");
	idle(&flow);
}

/* --- a pair that goes before its flow --------------------------------------------------------------------- */

static bool is_required_in(const struct entry *entry)
{
	return is_ours(entry) && entry->key.dir != ENTRY_OUT && entry->action == ENTRY_PROTECT;
}

static void test_lost(void)
{
	struct dp_flow flow = make_flow(2, "10.2.0.20");
	struct sa_pair pair = make_pair(&flow, 0x41);

	establish(&flow, &pair);
	is_int(sends_on("10.2.0.20", 9), 0x2041, "private-or-clear with a tunnel");
	remove_pair(&flow, &pair);
	ok(nothing_leaves("10.2.0.20", 9), "without its SAs packets wait");
	dp_shunt(dp, &flow, DP_ALLOW, 5, take_answer, NULL);
	is_int(answer_of_request(), 0, "a shunt lets them pass");
	is_int(spi_on_wire(LIMIT_MS), 1, "in the clear, what has waited, too");
	is_int((intmax_t)count_policies(is_required_in), 0, "and cleartext may come in");
	idle(&flow);
	establish(&flow, &pair);
	remove_pair(&flow, &pair);
	dp_hold(dp, &flow, take_answer, NULL);
	is_int(answer_of_request(), 0, "a tunnel without SAs becomes a hold");
	is_int((intmax_t)count_policies(is_required_in), 0, "with which cleartext may come in");
	is_int(establish(&flow, &pair), 0, "and a tunnel again");
	is_int(sends_on("10.2.0.20", 9), 0x2041, "that is sent on");
	idle(&flow);
}

static bool is_lenient(const struct entry *entry)
{
	return is_required_in(entry) && entry->optional;
}

/* What the peer had sent in the clear before it had the tunnel may come in still (kernel.md C); never in private. */
static void test_lenience(void)
{
	struct dp_flow closed = make_flow(1, "10.1.0.25"), open = make_flow(2, "10.2.0.25");
	struct sa_pair closed_pair = make_pair(&closed, 0x61), open_pair = make_pair(&open, 0x62);

	establish(&closed, &closed_pair);
	ok(count_policies(is_required_in) == 2 && count_policies(is_lenient) == 0,
		"private: nothing but the tunnel's packets comes in, at once");
	idle(&closed);
	is_int(establish(&open, &open_pair), 0, "private-or-clear");
	is_int((intmax_t)count_policies(is_lenient), 1, "lets in what is under way");
	ok(policies_change(), "for a moment");
	ok(count_policies(is_required_in) == 2 && count_policies(is_lenient) == 0, "then no more");
	idle(&open);
	establish(&open, &open_pair);
	remove_pair(&open, &open_pair);
	dp_hold(dp, &open, NULL, NULL);
	wait_so_long(&losses, 1, 400);
	is_int((intmax_t)count_policies(is_required_in), 0, "nor does it come back where the tunnel has gone");
	idle(&open);
}

/* --- parts ------------------------------------------------------------------------------------------------ */

static struct sa_pair make_part(const struct dp_flow *flow, uint32_t number, uint16_t port, uint16_t more)
{
	struct sa_pair pair = make_pair(flow, number);

	pair.selector.proto = IPPROTO_UDP;
	pair.selector.remote_port = port;
	if (more) {
		pair.more[0] = (struct traffic){.proto = IPPROTO_UDP, .remote_port = more};
		pair.more_count = 1;
	}
	return pair;
}

static bool requires(uint32_t reqid, enum entry_dir dir)
{
	struct standing standing = standing_now();
	bool found = false;

	for (size_t i = 0; i < standing.count; i++)
		found = found || (standing.entries[i].reqid == reqid && standing.entries[i].key.dir == dir);
	free(standing.entries);
	return found;
}

/* Of what is sent to a port. */
static uint32_t reqid_of_port(uint16_t port)
{
	struct standing standing = standing_now();
	uint32_t reqid = 0;

	for (size_t i = 0; i < standing.count; i++) {
		const struct entry *entry = &standing.entries[i];

		if (entry->key.dir == ENTRY_OUT && entry->key.dport == port && entry->action == ENTRY_PROTECT)
			reqid = entry->reqid;
	}
	free(standing.entries);
	return reqid;
}

/* Two parts that carry port 70: the later one's, until it goes. */
static void test_parts(void)
{
	struct dp_flow old_part = make_flow(1, "10.1.0.30"), young = old_part;
	struct sa_pair first = make_part(&old_part, 0x51, 70, 71), second_pair = make_part(&old_part, 0x52, 70, 72),
		       successor = make_part(&old_part, 0x53, 70, 71);
	uint32_t reqid;

	old_part.part = 1;
	young.part = 2;
	establish(&old_part, &first);
	reqid = reqid_of_port(70);
	establish(&young, &second_pair);
	is_int(sends_on("10.1.0.30", 70), 0x2052, "what two parts carry goes with the later");
	is_int(sends_on("10.1.0.30", 71), 0x2051, "what only the older carries with the older");
	establish(&old_part, &successor);
	is_int(sends_on("10.1.0.30", 71), 0x2053, "which goes on with another pair");
	is_int(sends_on("10.1.0.30", 70), 0x2052, "that takes nothing from the later");
	remove_pair(&old_part, &first);
	remove_pair(&young, &second_pair);
	idle(&young);
	is_int(sends_on("10.1.0.30", 70), 0x2053, "when the later goes, the older has it again");
	ok(reqid_of_port(70) == reqid && requires(reqid, ENTRY_IN) && requires(reqid, ENTRY_FWD), "both ways");
	is_int(reqid_of_port(72), 0, "what was the later's alone is gone");
	idle(&old_part);
	is_int(reqid_of_port(70), 0, "and with the older all of it");
	ok(nothing_leaves("10.1.0.30", 70), "private is closed then");
}

int main(void)
{
	struct dp_flow probe = make_flow(1, "10.1.0.9");
	struct sa_pair pair = make_pair(&probe, 1);

	if (!world_begin())
		return 0;
	plane_open();
	begin();
	if (establish(&probe, &pair) != 0) {
		printf("1..0 # SKIP this kernel has no ESP\n");
		return 0;
	}
	idle(&probe);
	test_one_second();
	test_answered();
	test_taken_back();
	test_lost();
	test_lenience();
	test_parts();
	dp_close(dp);
	return world_done();
}
