/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel refuses: a flow's life is gone through once for each request that is made to the
 * kernel in it, which then fails, either not carried out or carried out with the answer lost.
 * Whatever fails, nothing leaves in the clear for a closed line, and afterwards the kernel has what
 * it would have had.
 *
 * Linked with --wrap=netlink_request.
 */
#include "t/unit/xfrm_world.h"

#include <limits.h>
#include <netlink/msg.h>

/* --- requests that fail --------------------------------------------------------------------------- */

int __real_netlink_request(struct netlink *nl, struct nl_msg *request);
int __wrap_netlink_request(struct netlink *nl, struct nl_msg *request);

static unsigned requests; /* of the data plane */
static unsigned failing;  /* the number of the first one that fails; 0: none does */
static unsigned failures; /* so many in a row */
static bool lost;	  /* it is carried out all the same */

int __wrap_netlink_request(struct netlink *nl, struct nl_msg *request)
{
	if (nl == reader)
		return __real_netlink_request(nl, request);
	requests++;
	if (!failing || requests < failing || requests >= failing + failures)
		return __real_netlink_request(nl, request);
	if (lost) {
		__real_netlink_request(nl, request);
		return -ENOBUFS;
	}
	nlmsg_free(request);
	return -ENOMEM;
}

static void fail_at(unsigned number, unsigned count, bool only_the_answer)
{
	requests = 0;
	failing = number;
	failures = count;
	lost = only_the_answer;
}

/* --- the world ------------------------------------------------------------------------------------- */

static struct dp_line lines[6];

struct host {
	const char *remote;
	uint32_t line;
	bool closed, wide;
	const char *what;
};

/* A line that is wide, of one host, and spread (K10). */
static const struct host hosts[] = {
	{"10.1.0.9", 1, true, true, "private, wide"},
	{"10.3.0.1", 3, true, false, "private, one host"},
	{"10.5.0.1", 5, true, false, "private, spread"},
	{"10.2.0.9", 2, false, true, "private-or-clear, wide"},
	{"10.4.0.1", 4, false, false, "private-or-clear, one host"},
	{"10.6.0.1", 6, false, false, "private-or-clear, spread"},
};

static struct standing baseline;

static int set_all_lines(void)
{
	return set_lines(lines, ARRAY_LEN(lines));
}

static void begin(void)
{
	lines[0] = make_line(1, PRIVATE, "10.1.0.0/16", 0, 0);
	lines[1] = make_line(2, PRIVATE_OR_CLEAR, "10.2.0.0/16", 0, 0);
	lines[2] = make_line(3, PRIVATE, "10.3.0.1/32", 0, 0);
	lines[3] = make_line(4, PRIVATE_OR_CLEAR, "10.4.0.1/32", 0, 0);
	lines[4] = make_line(5, PRIVATE, "10.5.0.0/30", 0, 0);
	lines[5] = make_line(6, PRIVATE_OR_CLEAR, "10.6.0.0/30", 0, 0);
	set_all_lines();
	baseline = standing_now();
}

/* Whether the kernel has exactly what the lines want. */
static bool as_before(void)
{
	struct standing standing = standing_now();
	size_t found = 0;

	for (size_t i = 0; i < standing.count; i++) {
		for (size_t j = 0; j < baseline.count; j++)
			found += memcmp(&standing.entries[i].key, &baseline.entries[j].key, ENTRY_KEY_LEN) == 0 &&
				 entry_same(&standing.entries[i], &baseline.entries[j]);
	}
	free(standing.entries);
	return found == standing.count && found == baseline.count;
}

/* Packets that were not ESP. */
static unsigned clear_on_wire(void)
{
	uint8_t packet[2048];
	unsigned count = 0;
	ssize_t got;

	while ((got = read(wire, packet, sizeof(packet))) > 0)
		count += got >= 20 && packet[0] >> 4 == 4 && packet[9] != IPPROTO_ESP;
	return count;
}

/* --- a life ------------------------------------------------------------------------------------------- */

static struct sa_pair make_pair(const struct dp_flow *flow, uint32_t number)
{
	struct sa_pair pair = {.mode = IPSEC_TUNNEL, .encr = IPSEC_ENCR_AES_GCM_16};

	pair.in = (struct ipsec_sa){.spi = 0x1000 + number, .src = flow->remote, .dst = flow->local, .encr_key_len = 20};
	pair.out = (struct ipsec_sa){.spi = 0x2000 + number, .src = flow->local, .dst = flow->remote, .encr_key_len = 20};
	return pair;
}

static unsigned clear_to_closed, refused;

/* After a request, with a packet. */
static void settle(const struct host *host)
{
	refused += answer_of_request() != 0;
	send_udp(host->remote, 9);
	if (host->closed)
		clear_to_closed += clear_on_wire();
	else
		clear_on_wire();
}

static void live(const struct host *host)
{
	static uint32_t number; /* an inbound SA that was replaced stays a moment */
	struct dp_flow flow = make_flow(host->line, host->remote);
	struct sa_pair first = make_pair(&flow, ++number), second = make_pair(&flow, ++number);

	dp_hold(dp, &flow, take_answer, NULL);
	settle(host);
	dp_establish(dp, &flow, &first, take_answer, NULL);
	settle(host);
	dp_establish(dp, &flow, &second, take_answer, NULL);
	settle(host);
	dp_remove_pair(dp, &flow, &first, take_answer, NULL);
	settle(host);
	dp_remove_pair(dp, &flow, &second, take_answer, NULL);
	settle(host);
	dp_shunt(dp, &flow, host->closed ? DP_BLOCK : DP_ALLOW, 60, take_answer, NULL);
	settle(host);
	dp_idle(dp, &flow, take_answer, NULL);
	refused += answer_of_request() != 0;
}

static void note_larval(void *arg, const struct nlmsghdr *message)
{
	struct decoded_state state;

	if (message->nlmsg_type == XFRM_MSG_NEWSA && decode_state(message, &state) && state.seq)
		*(struct decoded_state *)arg = state;
}

static void forget_larvals(void)
{
	struct decoded_state found = {0};

	while (netlink_query(reader, encode_sa_dump(), note_larval, &found) == 0 && found.seq) {
		netlink_query(reader, encode_alloc_spi(&found.src, &found.dst, found.seq), note_larval, &found);
		netlink_request(reader, encode_sa_delete(&found.dst, found.spi));
		found = (struct decoded_state){0};
	}
}

/* The line holds its host and asks for it. */
static bool traps(const struct host *host)
{
	unsigned before = acquires;

	clear_on_wire();
	send_udp(host->remote, 9);
	return wait_so_long(&acquires, before + 1, SOON_MS) && clear_on_wire() == 0;
}

/* Whether all is well in the end with a life in which some requests fail, from the given one on. */
static bool live_refused(const struct host *host, unsigned number, unsigned count, bool only_the_answer)
{
	struct dp_flow flow = make_flow(host->line, host->remote);
	bool good;

	fail_at(number, count, only_the_answer);
	live(host);
	fail_at(0, 0, false);
	dp_idle(dp, &flow, take_answer, NULL);
	good = answer_of_request() == 0;
	good = set_all_lines() == 0 && good;
	/* One that could not be removed ends by itself (K9). */
	forget_larvals();
	good = traps(host) && good;
	dp_hold(dp, &flow, take_answer, NULL);
	good = answer_of_request() == 0 && good;
	dp_idle(dp, &flow, take_answer, NULL);
	good = answer_of_request() == 0 && good;
	good = as_before() && good;
	if (!good)
		diag("%s: request %u and %u more %s", host->what, number, count - 1,
			only_the_answer ? "carried out, the answer lost" : "refused");
	return good;
}

static void test_life(const struct host *host, unsigned count, bool only_the_answer)
{
	unsigned all, bad = 0;

	fail_at(0, 0, false);
	live(host);
	all = requests;
	refused = clear_to_closed = 0;
	for (unsigned number = 1; number <= all; number++)
		bad += !live_refused(host, number, count, only_the_answer);
	ok(bad == 0, "%s: each of %u requests in a life, and %u more, %s", host->what, all, count - 1,
		only_the_answer ? "carried out and the answer lost" : "refused");
	ok(refused > 0 && clear_to_closed == 0, "which was felt, and nothing left in the clear where it must not");
}

/* --- lines ---------------------------------------------------------------------------------------------- */

static bool wait_until_as_before(void)
{
	uint64_t end = now_ms() + LIMIT_MS;
	bool before = false;

	while (!before && now_ms() < end) {
		loop_step(loop, false);
		usleep(20000);
		before = as_before();
	}
	return before;
}

static void test_start(void)
{
	set_lines(lines, 0);
	fail_at(1, UINT_MAX / 2, false);
	ok(set_all_lines() != 0, "a kernel that refuses all lines: that is told");
	is_int((intmax_t)count_policies(is_ours), 0, "nothing is there");
	fail_at(0, 0, false);
	ok(wait_until_as_before(), "when it does not refuse any more, all is there by itself");
}

/* A host that was clear among private ones, and is no more. */
static void test_reload(void)
{
	struct dp_line all[ARRAY_LEN(lines) + 1];

	memcpy(all, lines, sizeof(lines));
	all[ARRAY_LEN(lines)] = make_line(7, CLEAR, "10.1.0.5/32", 0, 0);
	is_int(set_lines(all, ARRAY_LEN(all)), 0, "a clear host among private ones");
	is_int(send_udp("10.1.0.5", 9), 0, "a packet");
	is_int(on_wire("10.1.0.5", 1), 1, "passes");
	all[ARRAY_LEN(lines)] = make_line(8, PRIVATE, "10.8.0.0/16", 0, 0);
	fail_at(1, 1, false);
	ok(set_lines(all, ARRAY_LEN(all)) != 0, "it goes, and something of another line is refused");
	fail_at(0, 0, false);
	send_udp("10.1.0.5", 9);
	is_int(on_wire("10.1.0.5", 0), 0, "it is private at once all the same");
	all[ARRAY_LEN(lines)] = make_line(7, CLEAR, "10.1.0.5/32", 0, 0);
	is_int(set_lines(all, ARRAY_LEN(all)), 0, "clear once more");
	fail_at(1, UINT_MAX / 2, false);
	ok(set_all_lines() != 0, "the kernel keeps what was to go: that is told");
	fail_at(0, 0, false);
	ok(wait_until_as_before(), "when it does not any more, it goes by itself");
}

int main(void)
{
	if (!world_begin())
		return 0;
	plane_open();
	begin();
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		test_life(&hosts[i], 1, false);
		if (hosts[i].wide)
			test_life(&hosts[i], 3, false);
		test_life(&hosts[i], 1, true);
	}
	test_start();
	test_reload();
	wait_so_long(&losses, 1, 1200); /* inbound SAs that were replaced */
	is_int(count_states(), 0, "no SA is left");
	free(baseline.entries);
	dp_close(dp);
	return world_done();
}
