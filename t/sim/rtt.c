/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Peers that are far away (N4, N5): what is known of a round trip decides when
 * a request is sent again, and nothing else.
 */
#include "t/sim/world.h"
#include "t/tap.h"

#include "ike/const.h"
#include "ike/sa.h"
#include "lib/mem.h"

#include <stdlib.h>

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

/* Of the world's connections. */
#define TIMEOUT_MS 4000u

static void begin(uint64_t seed, unsigned rtt_ms)
{
	world_init(&world, seed, IKE_AUTH_PSK);
	world.delay_us = rtt_ms * WORLD_MS / 2;
}

static void expect(unsigned inits, unsigned auths, const char *name)
{
	size_t init = world_sent(&world, 0, IKE_EXCHANGE_IKE_SA_INIT, false);
	size_t auth = world_sent(&world, 0, IKE_EXCHANGE_IKE_AUTH, false);

	ok(init == inits && auth == auths, "%s: %zu times IKE_SA_INIT, %zu times IKE_AUTH", name, init, auth);
	world.wire_count = 0;
}

/* A negotiation from nothing to its end; gives whether it came up. */
static bool negotiate(void)
{
	unsigned ups = A->ups;
	uint64_t sa = world_initiate(&world, 0);
	bool up;

	world_run_for(&world, TIMEOUT_MS * WORLD_MS);
	up = A->ups == ups + 1 && world_agrees(&world);
	ike_delete(A->ike, sa, world.now_us);
	world_run_for(&world, TIMEOUT_MS * WORLD_MS);
	return up;
}

static void test_far(unsigned rtt_ms, unsigned first)
{
	begin(1, rtt_ms);
	ok(negotiate(), "%u ms away: up", rtt_ms);
	expect(first, 1, "nothing was known at first");
	ok(negotiate(), "up again");
	expect(1, 1, "known");
	is_int((int)A->retransmissions, (int)first - 1, "and nothing else was sent twice");
	world_clear(&world);
}

/* Exchanges of an SA that stands: replaced, asked whether it lives. */
static void test_later_exchanges(void)
{
	begin(2, 400);
	A->conns[0].child_lifetime_s = 60;
	A->conns[0].rekey_margin_s = 30;
	world_reload(&world, 0);
	world_initiate(&world, 0);
	world_run_for(&world, 50000 * WORLD_MS);
	ok(world_sent(&world, 0, IKE_EXCHANGE_CREATE_CHILD_SA, false) == 1 && world_agrees(&world),
		"one CREATE_CHILD_SA request replaces the pair");
	is_int((int)world_sent(&world, 0, IKE_EXCHANGE_INFORMATIONAL, false), 1, "one DELETE ends the old one");
	is_int((int)A->retransmissions, 1, "since the first IKE_SA_INIT nothing was sent twice");
	world_clear(&world);
}

/* An initiator learns for the SAs that the peer begins, too, and the other way round. */
static void test_by_address(void)
{
	begin(3, 400);
	negotiate();
	world_initiate(&world, 1);
	world_run_for(&world, 2000 * WORLD_MS);
	A->quiet = false;
	B->quiet = true;
	world.wire_count = 0;
	world_run_for(&world, 60000 * WORLD_MS);
	ok(world_sent(&world, 0, IKE_EXCHANGE_INFORMATIONAL, false) > 0 &&
			A->retransmissions == 1,
		"the peer's own SA is asked once each time");
	world_clear(&world);
}

/* --- loss ---------------------------------------------------------------------------------- */

static bool drop_nth(struct world *w, struct packet *packet)
{
	(void)packet;
	return w->filter_count++ != *(unsigned *)w->filter_arg;
}

static void test_loss(unsigned rtt_ms, unsigned resend_ms)
{
	for (unsigned n = 0; n < 4; n++) {
		uint64_t began_us, took_us;

		begin(10 + n, rtt_ms);
		negotiate();
		world.filter = drop_nth;
		world.filter_arg = &n;
		began_us = world.now_us;
		world_initiate(&world, 0);
		world_run_for(&world, TIMEOUT_MS * WORLD_MS);
		took_us = A->up_us - began_us;
		ok(A->ups == 2 && world_agrees(&world), "%u ms away, message %u lost: it comes up", rtt_ms, n);
		is_int((intmax_t)took_us, (intmax_t)((2 * rtt_ms + resend_ms) * WORLD_MS), "resent in time");
		world_clear(&world);
	}
}

/* A peer that was near and is far now is measured anew, although each request is sent twice at first. */
static void test_moved(void)
{
	begin(20, 2);
	negotiate();
	world.delay_us = 200 * WORLD_MS;
	world.wire_count = 0;
	ok(negotiate(), "a near peer that is far now: up");
	expect(2, 1, "as if nothing was known");
	ok(negotiate(), "up again");
	expect(1, 1, "and known from then on");
	world_clear(&world);
}

static bool drop_answers(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->from == 0;
}

/* However far it is said to be: a silent peer costs its budget, and is asked more than once. */
static void test_budget(void)
{
	uint64_t began_us;

	begin(21, 2);
	ike_rtt_note(A->ike, &B->addr, 3600u * 1000000);
	world.filter = drop_answers;
	began_us = world.now_us;
	world_initiate(&world, 0);
	world_run_for(&world, 2 * TIMEOUT_MS * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_TIMEOUT, "a silent peer fails");
	is_int((intmax_t)(A->failed_us - began_us), (intmax_t)(TIMEOUT_MS * WORLD_MS), "in its time");
	ok(world_sent(&world, 0, IKE_EXCHANGE_IKE_SA_INIT, false) > 1, "and is asked again in it");
	world_clear(&world);
}

/* --- N5 ------------------------------------------------------------------------------------ */

static bool keep_first(struct world *w, struct packet *packet)
{
	if (w->filter_count++ == 0)
		*(struct packet *)w->filter_arg = (struct packet){.len = packet->len,
			.data = mem_dup(packet->data, packet->len)};
	return packet->from == 0;
}

/* An ICMP unreachable for the first request, `after_ms`. How long it took until it failed. */
static uint64_t fail_by_icmp(unsigned rtt_ms, unsigned after_ms)
{
	struct packet sent = {0};
	struct path path;
	uint64_t icmp_us;

	begin(22, 2);
	if (rtt_ms)
		ike_rtt_note(A->ike, &B->addr, rtt_ms * WORLD_MS);
	world.filter = keep_first;
	world.filter_arg = &sent;
	world_initiate(&world, 0);
	world_run_for(&world, after_ms * WORLD_MS);
	icmp_us = world.now_us;
	path = world_path(&world, 0);
	ike_unreachable(A->ike, &path, sent.data, sent.len, world.now_us);
	world_run_for(&world, 2 * TIMEOUT_MS * WORLD_MS);
	free(sent.data);
	world_clear(&world);
	return A->faileds == 1 && A->failed_reason == IKE_REASON_UNREACHABLE ? A->failed_us - icmp_us : 0;
}

static void test_soft_failure(void)
{
	is_int((intmax_t)fail_by_icmp(0, 1), 100000, "after an ICMP error: 100 ms, where nothing is known");
	is_int((intmax_t)fail_by_icmp(2, 1), 100000, "or where the peer is near");
	is_int((intmax_t)fail_by_icmp(300, 1), 600000, "or two round trips");
	is_int((intmax_t)fail_by_icmp(3600 * 1000, 1000), 3000000, "but never past the negotiation's end");
}

/* --- cookies ------------------------------------------------------------------------------- */

/* The challenge to each copy of a request is the same: one answer is enough. */
static void test_cookie(void)
{
	begin(23, 400);
	B->config.ddos_mode = IKE_DDOS_BUSY;
	world_reload(&world, 1);
	ok(negotiate(), "400 ms away, with a cookie: up");
	expect(3, 1, "one more for the cookie");
	ok(negotiate(), "up again");
	expect(2, 1, "and no more than that");
	world_clear(&world);
}

/* --- the table ----------------------------------------------------------------------------- */

static int note(unsigned i, uint32_t rtt_us)
{
	struct addr peer = {.family = ADDR_IPV6};

	peer.bytes[13] = (uint8_t)(i >> 16);
	peer.bytes[14] = (uint8_t)(i >> 8);
	peer.bytes[15] = (uint8_t)i;
	return (int)ike_rtt_note(A->ike, &peer, rtt_us);
}

static void test_table(void)
{
	begin(24, 2);
	is_int(note(0, 80000), 80000, "a measurement");
	is_int(note(0, 160000), 160000, "a longer one counts at once");
	is_int(note(0, 80000), 150000, "a shorter one by an eighth");
	A->ike->now_us += 3600 * UINT64_C(1000000);
	is_int(note(0, 80000), 80000, "an hour later nothing is known");
	for (unsigned i = 0; i < 100000; i++)
		note(i, 801);
	is_int(note(100000 - 8192, 1), 701, "of a hundred thousand peers the last 8192 are known");
	is_int(note(100000 - 8193, 1), 1, "and no more");
	world_clear(&world);
}

int main(void)
{
	test_far(300, 2);
	test_far(800, 3);
	test_later_exchanges();
	test_by_address();
	test_loss(2, 250);
	test_loss(300, 600);
	test_moved();
	test_budget();
	test_soft_failure();
	test_cookie();
	test_table();
	return tap_done();
}
