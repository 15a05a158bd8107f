/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts that are nobody and want much (anonymous.c): host 1 knows who it talks
 * to only where that is said; host 0 plays all the others, at any address.
 */
#include "t/sim/world.h"
#include "t/tap.h"

#include "ike/const.h"
#include "ike/sa.h"

#include <stdlib.h>

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

#define BOUND 100u

/* Host 0 shows nothing of itself and sees who host 1 is: it counts nothing. */
static void begin(uint64_t seed)
{
	world_init(&world, seed, IKE_AUTH_PSK);
	A->conns[0].local_auth = IKE_AUTH_NULL;
	B->conns[0].remote_auth = IKE_AUTH_NULL;
	B->config.max_anonymous = BOUND;
	world_reload(&world, 0);
	world_reload(&world, 1);
}

static size_t count(void)
{
	return ike_counters(B->ike).sas;
}

/* What host 1 has with an address. */
static size_t count_at(const struct addr *addr)
{
	size_t count = 0;

	for (size_t i = 0; i < B->child_count; i++)
		count += B->children[i].up && addr_equal(&B->children[i].child.path.remote.addr, addr);
	return count;
}

static uint64_t start(const struct addr *from, uint16_t port)
{
	struct path path = world_path(&world, 0);
	struct selector selector = world_selector(&world, 0);
	uint64_t sa;

	path.local.addr = *from;
	if (from->family == ADDR_IPV6)
		addr_parse("2001:db8:ffff::2", &path.remote.addr);
	selector.local = prefix_of_host(&path.local.addr);
	selector.remote = prefix_of_host(&path.remote.addr);
	if (port) {
		selector.proto = 17;
		selector.local_port = port;
	}
	sa = ike_initiate(A->ike, 0, &path, &selector, 7, world.now_us);
	world_run_for(&world, 10 * WORLD_MS);
	return sa;
}

static struct addr nth(const char *base, unsigned n)
{
	struct addr addr;

	addr_parse(base, &addr);
	addr.bytes[addr_len(&addr) - 1] = (uint8_t)n;
	addr.bytes[addr_len(&addr) - 2] = (uint8_t)(n >> 8);
	return addr;
}

/* --- one host -------------------------------------------------------------------------------- */

static bool lose_deletes(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->exchange != IKE_EXCHANGE_INFORMATIONAL;
}

static void test_one_flow(bool answers)
{
	size_t most = 0;

	begin(1);
	if (!answers)
		world.filter = lose_deletes;
	for (unsigned i = 0; i < 50; i++) {
		start(&A->addr, 0);
		most = count() > most ? count() : most;
	}
	is_int((int)most, 3, "one host, one flow, fifty SAs: three at most stand");
	ok(count_at(&A->addr) == 3 && B->ups == 50, "each of them came up");
	if (answers)
		ok(world_agrees(&world), "and its host knows of those that ended");
	world_clear(&world);
}

static void test_flows(void)
{
	bool last = false;

	begin(2);
	for (uint16_t port = 1; port <= 40; port++)
		start(&A->addr, port);
	is_int((int)count(), 16, "one host, forty flows: sixteen SAs at most stand");
	for (size_t i = 0; i < B->child_count; i++)
		last = last || B->children[i].child.pair.selector.remote_port == 40;
	ok(B->ups == 40 && last, "with the last");
	world_clear(&world);
}

/* An SA without a CHILD SA displaces none that has one. */
static void test_childless(void)
{
	begin(3);
	for (uint16_t port = 1; port <= 16; port++)
		start(&A->addr, port);
	B->refuses_narrow = true;
	for (unsigned i = 0; i < 40; i++)
		start(&A->addr, 0);
	ok(count_at(&A->addr) == 16 && count() == 16, "what carries nothing displaces nothing");
	world_clear(&world);
}

/* A peer that replaces its IKE SA as often as it may, and never deletes what it has replaced. */
static void test_rekeys(void)
{
	size_t most = 0;

	begin(4);
	A->conns[0].ike_lifetime_s = 4;
	A->conns[0].rekey_margin_s = 2;
	world_reload(&world, 0);
	world.filter = lose_deletes;
	start(&A->addr, 0);
	for (unsigned s = 0; s < 60; s++) {
		world_run_for(&world, 1000 * WORLD_MS);
		most = count() > most ? count() : most;
	}
	ok(ike_counters(B->ike).established > 15 && most <= 3,
		"replaced %lu times, not deleted: %zu stand at most",
		(unsigned long)ike_counters(B->ike).established, most);
	is_int((int)count_at(&A->addr), 1, "and the CHILD SA stands");
	world_clear(&world);
}

/* N8: who has shown who it is, at the same address. */
static void test_authenticated(void)
{
	uint64_t sa;
	bool stands = false;

	begin(5);
	B->conns[1] = B->conns[0];
	B->conns[1].name = (char[]){"known"};
	B->conns[1].remote_auth = IKE_AUTH_PSK;
	B->config.conn_count = 2;
	A->conns[1] = A->conns[0];
	A->conns[1].name = (char[]){"known"};
	A->conns[1].local_auth = IKE_AUTH_PSK;
	A->config.conn_count = 2;
	world_reload(&world, 0);
	world_reload(&world, 1);
	B->answers_by = 1;
	world_initiate_by(&world, 0, 1);
	world_run_for(&world, 10 * WORLD_MS);
	sa = B->children[0].child.sa;
	B->answers_by = 0;
	for (unsigned i = 0; i < 50; i++)
		start(&A->addr, 0);
	for (size_t i = 0; i < B->child_count; i++)
		stands = stands || B->children[i].child.sa == sa;
	ok(stands && count() == 4, "an authenticated SA is not counted and stays");
	world_clear(&world);
}

/* --- all of them ----------------------------------------------------------------------------- */

/* 2^64 addresses are one attacker's. */
static void test_site(void)
{
	size_t most = 0, honest = 0;

	begin(6);
	for (unsigned n = 1; n <= 60; n++) {
		struct addr addr = nth("10.20.0.0", n);

		start(&addr, 0);
	}
	for (unsigned n = 1; n <= 400; n++) {
		struct addr addr = nth("2001:db8:1:2::", n);

		/* Other /64s of it make no difference. */
		addr.bytes[7] = (uint8_t)(n >> 2);
		start(&addr, 0);
		most = count() > most ? count() : most;
	}
	is_int((int)most, BOUND, "a /48 with many addresses: no more than the bound");
	for (unsigned n = 1; n <= 60; n++) {
		struct addr addr = nth("10.20.0.0", n);

		honest += count_at(&addr);
	}
	is_int((int)honest, 60, "and those of other sites stay");
	for (unsigned n = 61; n <= 90; n++) {
		struct addr addr = nth("10.20.0.0", n);

		start(&addr, 0);
		honest += count_at(&addr);
	}
	ok(honest == 90 && count() == BOUND, "who comes from elsewhere gets in");
	world_clear(&world);
}

/* Where all sites have one, or within one, who has been silent for longest goes. */
static void test_silent(const char *base)
{
	struct addr addr, used = nth(base, 1), silent = nth(base, 2);

	begin(7);
	for (unsigned n = 1; n <= BOUND; n++) {
		addr = nth(base, n);
		start(&addr, 0);
	}
	ok(count() == BOUND, "%s: as many as may be", base);
	ike_rekey(A->ike, A->children[0].child.id, world.now_us);
	world_run_for(&world, 20 * WORLD_MS);
	for (unsigned n = BOUND + 1; n <= BOUND + 50; n++) {
		addr = nth(base, n);
		start(&addr, 0);
	}
	ok(count() == BOUND && count_at(&used) && !count_at(&silent) && count_at(&addr),
		"fifty more: who has said something stays");
	world_clear(&world);
}

static void test_forgotten(void)
{
	begin(8);
	for (unsigned n = 1; n <= 20; n++) {
		struct addr addr = nth("2001:db8:1:2::", n);

		start(&addr, 0);
	}
	ok(B->ike->anonymous == 20 && B->ike->hosts && B->ike->sites, "counted while they stand");
	ike_shutdown(A->ike, world.now_us);
	world_run_for(&world, 10 * WORLD_MS);
	ok(count() == 0 && B->ike->anonymous == 0 && !B->ike->hosts && !B->ike->sites,
		"nothing is left of them when they end");
	world_clear(&world);
}

int main(void)
{
	test_one_flow(true);
	test_one_flow(false);
	test_flows();
	test_childless();
	test_rekeys();
	test_authenticated();
	test_site();
	test_silent("10.20.0.0");
	test_silent("2001:db8:1:2::");
	test_forgotten();
	return tap_done();
}
