/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A million spoofed IKE_SA_INIT: memory stays flat, and an honest peer gets
 * through. What a half-open SA and an established one cost in memory.
 */
#include "ike/message.h"
#include "ike/sa.h"
#include "lib/mem.h"
#include "t/sim/world.h"
#include "t/tap.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static struct world world;
static uint8_t request[1024];
static size_t request_len;
static unsigned long spoofed = 200000;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

static bool note_request(struct world *w, struct packet *packet)
{
	(void)w;
	if (packet->exchange == IKE_EXCHANGE_IKE_SA_INIT && !packet->answer &&
		packet->len <= sizeof(request)) {
		memcpy(request, packet->data, packet->len);
		request_len = packet->len;
	}
	return true;
}

/* Of this many bytes the heap's objects are. */
static size_t heap_used(void)
{
	return mallinfo2().uordblks;
}

static void set_guard(enum ike_ddos_mode mode, uint32_t threshold, uint32_t max)
{
	B->config.ddos_mode = mode;
	B->config.cookie_threshold = threshold;
	B->config.max_half_open = max;
	world_reload(&world, 1);
}

/* The nth stranger: an address, an SPI and a nonce of its own. */
static void spoof(unsigned long n)
{
	struct path path = world_path(&world, 1);
	uint8_t copy[sizeof(request)];

	memcpy(copy, request, request_len);
	memcpy(copy, &n, sizeof(n));
	copy[7] = 1;
	path.remote.addr.bytes[1] = (uint8_t)(n >> 16);
	path.remote.addr.bytes[2] = (uint8_t)(n >> 8);
	path.remote.addr.bytes[3] = (uint8_t)n;
	path.remote.addr.bytes[0] = (uint8_t)(11 + (n >> 24));
	ike_datagram(B->ike, &path, copy, request_len, world.now_us);
}

static void begin(uint64_t seed)
{
	world_init(&world, seed, IKE_AUTH_PSK);
	world.filter = note_request;
	world_initiate(&world, 0);
	world_run_for(&world, 2000 * WORLD_MS);
	world.filter = NULL;
}

/* What B sends to strangers must not pile up in the world's queue. */
static bool drop_to_strangers(struct world *w, struct packet *packet)
{
	return addr_equal(&packet->path.remote.addr, &w->hosts[1 - packet->from].addr);
}

static void test_half_open_memory(void)
{
	size_t before, count = 5000;
	double each;

	begin(1);
	set_guard(IKE_DDOS_UNLIMITED, 0, 50000);
	world.filter = drop_to_strangers;
	spoof(0);
	world_run_for(&world, WORLD_MS);
	before = heap_used();
	for (unsigned long n = 1; n <= count; n++) {
		spoof(n);
		/* The workers answer. */
		if (n % 1000 == 0)
			world_run_for(&world, WORLD_MS);
	}
	each = (double)(heap_used() - before) / (double)count;
	is_int((int)ike_counters(B->ike).half_open, (int)count + 1, "5,000 half-open SAs");
	ok(each <= 1536, "a half-open SA has %.0f bytes", each);
	world_run_for(&world, 15000 * WORLD_MS);
	is_int((int)ike_counters(B->ike).half_open, 0, "and none 15 s later");
	world_clear(&world);
}

/* Several hundred, so that tables count with what one SA takes of them; each host holds all. */
static void test_established_memory(void)
{
	struct path path;
	struct selector selector;
	size_t before, count = 500;
	double each;

	begin(2);
	path = world_path(&world, 0);
	selector = world_selector(&world, 0);
	world_run_for(&world, 40000 * WORLD_MS);
	before = heap_used();
	for (size_t n = 0; n < count; n++) {
		/* Each pair of hosts has one. */
		path.local.addr.bytes[2] = (uint8_t)(10 + n / 250);
		path.local.addr.bytes[3] = (uint8_t)(n % 250);
		selector.local = prefix_of_host(&path.local.addr);
		ike_initiate(A->ike, 0, &path, &selector, 1000 + n, world.now_us);
		world_run_for(&world, 100 * WORLD_MS);
	}
	/* Until responses are forgotten. */
	world_run_for(&world, 200000 * WORLD_MS);
	each = (double)(heap_used() - before) / 2 / (double)count;
	is_int((int)ike_counters(A->ike).sas, (int)count + 1, "500 SAs of the initiator");
	is_int((int)ike_counters(B->ike).sas, (int)count + 1, "and of the responder");
	ok(each <= 4096, "an IKE SA with its CHILD SA has %.0f bytes", each);
	world_clear(&world);
}

static void test_flood(void)
{
	size_t first, last;
	uint64_t began_us;

	begin(3);
	set_guard(IKE_DDOS_AUTO, 1000, 50000);
	world_reload(&world, 0);
	A->ups = B->ups = 0;
	world.filter = drop_to_strangers;
	for (unsigned long n = 0; n < 2000; n++)
		spoof(n);
	first = heap_used();
	for (unsigned long n = 2000; n < spoofed; n++) {
		spoof(n);
		/* 100,000 a second. */
		if (n % 1000 == 0)
			world_run_for(&world, 10 * WORLD_MS);
	}
	last = heap_used();
	ok(ike_counters(B->ike).half_open <= 1100, "%zu half-open SAs after %lu requests",
		ike_counters(B->ike).half_open, spoofed);
	ok(last <= first + 65536, "memory stays flat: %zu and %zu bytes", first, last);
	ok(ike_counters(B->ike).cookies > spoofed * 9 / 10, "the rest got cookies: %lu",
		(unsigned long)ike_counters(B->ike).cookies);
	began_us = world.now_us;
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->ups == 1 && B->ups == 1, "an honest peer gets through in %lu us, a cookie included",
		(unsigned long)(A->up_us - began_us));
	world_run_for(&world, 30000 * WORLD_MS);
	is_int((int)ike_counters(B->ike).half_open, 0, "and the strangers are forgotten");
	world_clear(&world);
}

/* One source cannot take what others need. */
static void test_one_source(void)
{
	struct path path;
	uint64_t cookies;

	begin(4);
	set_guard(IKE_DDOS_AUTO, 1000, 50000);
	world.filter = drop_to_strangers;
	path = world_path(&world, 1);
	path.remote.addr.bytes[0] = 11;
	for (uint64_t n = 1; n <= 100; n++) {
		memcpy(request, &n, sizeof(n));
		ike_datagram(B->ike, &path, request, request_len, world.now_us);
	}
	cookies = ike_counters(B->ike).cookies;
	ok(cookies > 80 && ike_counters(B->ike).half_open <= 20,
		"100 requests of one source: %lu challenges, %zu half-open", (unsigned long)cookies,
		ike_counters(B->ike).half_open);
	spoof(77);
	is_int((int)(ike_counters(B->ike).cookies - cookies), 0, "another source is not challenged");
	world_clear(&world);
}

/* One request of an IPv6 /64 of its own; the site is its /48. */
static void spoof_site(uint8_t site, uint64_t n)
{
	struct path path = world_path(&world, 1);

	addr_parse("2001:db8::1", &path.remote.addr);
	addr_parse("2001:db8:ffff::2", &path.local.addr);
	path.remote.addr.bytes[5] = site;
	path.remote.addr.bytes[6] = (uint8_t)(n >> 8);
	path.remote.addr.bytes[7] = (uint8_t)n;
	memcpy(request, &n, sizeof(n));
	ike_datagram(B->ike, &path, request, request_len, world.now_us);
}

/* Nor can one site, which has as many /64 as it likes. */
static void test_one_site(void)
{
	uint64_t cookies;

	begin(6);
	set_guard(IKE_DDOS_AUTO, 1000, 50000);
	world.filter = drop_to_strangers;
	for (uint64_t n = 1; n <= 500; n++)
		spoof_site(1, n);
	cookies = ike_counters(B->ike).cookies;
	ok(cookies == 500 - 64 && ike_counters(B->ike).half_open == 64,
		"500 requests of one /48: %lu challenges, %zu half-open", (unsigned long)cookies,
		ike_counters(B->ike).half_open);
	spoof_site(2, 501);
	is_int((int)(ike_counters(B->ike).cookies - cookies), 0, "another site is not challenged");
	world_run_for(&world, 30000 * WORLD_MS);
	is_int((int)ike_counters(B->ike).half_open, 0, "and none is left in the end");
	spoof_site(1, 502);
	is_int((int)(ike_counters(B->ike).cookies - cookies), 0, "when the first may come again");
	world_clear(&world);
}

/* Counts in filter_count. */
static bool count_refusals(struct world *w, struct packet *packet)
{
	struct ike_message message;
	struct ike_notify notify;

	w->filter_count += packet->from == 1 && ike_message_parse(packet->data, packet->len, &message) &&
			   ike_notify_find(&message, IKE_NOTIFY_INVALID_KE_PAYLOAD, &notify);
	return drop_to_strangers(w, packet);
}

/* The captured request lacks a nonce from now on. */
static void take_nonce_out(void)
{
	struct ike_message message;
	const struct ike_payload *nonce;

	ike_message_parse(request, request_len, &message);
	nonce = ike_message_find(&message, IKE_PAYLOAD_NONCE);
	for (size_t i = 0; i < message.count; i++) {
		size_t at = (size_t)(message.payloads[i].data - request) - IKE_GENERIC_LEN;

		if (message.payloads[i].data + message.payloads[i].len + IKE_GENERIC_LEN == nonce->data)
			request[at] = IKE_PAYLOAD_VENDOR;
	}
}

/* Who is to be told of another group is told, although strangers want to be refused for more than we say. */
static void test_refusals(bool has_nonce)
{
	begin(7);
	if (!has_nonce)
		take_nonce_out();
	B->conns[0].ike.ke[0] = IKE_GROUP_ECP_256;
	B->conns[0].ike.ke_count = 1;
	set_guard(IKE_DDOS_AUTO, 1000, 50000);
	world_reload(&world, 0);
	A->ups = B->ups = 0;
	world.filter = count_refusals;
	for (unsigned long n = 0; n < 100; n++) {
		for (unsigned long i = 0; i < 100; i++)
			spoof(100 * n + i);
		if (n == 50)
			world_initiate(&world, 0);
		world_run_for(&world, 20 * WORLD_MS);
	}
	ok(world.filter_count <= 202 && ike_counters(B->ike).half_open == 0,
		"10,000 requests of another group in 2 s: %u are refused", world.filter_count);
	is_int((int)A->ups, 1, "and an honest peer is among them");
	world_clear(&world);
}

/* Before all is full, no source has more than a few. */
static void test_full(void)
{
	struct path path;

	begin(8);
	set_guard(IKE_DDOS_UNLIMITED, 0, 2000);
	world_reload(&world, 0);
	A->ups = B->ups = 0;
	world.filter = drop_to_strangers;
	path = world_path(&world, 1);
	for (uint64_t n = 1; n <= 6000; n++) {
		memcpy(request, &n, sizeof(n));
		path.remote.addr.bytes[0] = (uint8_t)(20 + n % 6);
		ike_datagram(B->ike, &path, request, request_len, world.now_us);
	}
	ok(ike_counters(B->ike).half_open <= 1100, "six sources have %zu half-open SAs of 2,000 that may be",
		ike_counters(B->ike).half_open);
	world_initiate(&world, 0);
	world_run_for(&world, 100 * WORLD_MS);
	is_int((int)A->ups, 1, "and an honest peer gets in");
	world_clear(&world);
}

/* Cookies that are old, of somebody else or changed are none. */
static void test_busy(void)
{
	begin(5);
	set_guard(IKE_DDOS_BUSY, 0, 0);
	world_reload(&world, 0);
	A->ups = B->ups = 0;
	world_initiate(&world, 0);
	world_run_for(&world, 3000 * WORLD_MS);
	ok(A->ups == 1 && B->ups == 1 && ike_counters(B->ike).cookies == 1, "ddos-mode=busy: one challenge");
	world_clear(&world);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		spoofed = strtoul(argv[1], NULL, 10);
	test_half_open_memory();
	test_established_memory();
	test_flood();
	test_one_source();
	test_one_site();
	test_refusals(true);
	test_refusals(false);
	test_full();
	test_busy();
	return tap_done();
}
