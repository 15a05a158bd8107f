/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which queries belong to one getaddrinfo(), under a clock of the test's own (A3). */
#include "lib/loop.h"
#include "resolver/message.h"
#include "resolver/pair.h"
#include "t/tap.h"

#define MANY 5000u

static struct pairs *pairs;
static unsigned told;
static struct pair_half *last_told;

static void tell(struct pair_half *other)
{
	told++;
	last_told = other;
}

static struct client client(const char *addr, uint16_t port, uint64_t connection)
{
	struct client out = {.connection = connection};

	endpoint_parse(addr, port, &out.remote);
	out.remote.port = port;
	return out;
}

static struct pair_half half(uint64_t key, uint16_t type, uint64_t arrived_us)
{
	return (struct pair_half){.key = key, .type = type, .arrived_us = arrived_us};
}

/* So many were told. */
static unsigned usable(const struct pair_half *half, uint64_t now_us)
{
	told = 0;
	pairs_usable(pairs, half, now_us, tell);
	return told;
}

static uint64_t since(uint64_t key, uint16_t type, uint64_t arrived_us)
{
	struct pair_half late = half(key, type, arrived_us);

	return pairs_other_usable(pairs, &late);
}

static void test_key(void)
{
	struct client one = client("127.0.0.1", 1000, 0), port = client("127.0.0.1", 1001, 0),
		      host = client("127.0.0.2", 1000, 0), six = client("::1", 1000, 0),
		      tcp = client("127.0.0.1", 1000, 1);
	uint64_t key = pair_key(&one, "www.peer.example");

	ok(key == pair_key(&one, "www.peer.example"), "a client and a name");
	ok(key != pair_key(&one, "ww.peer.example"), "another name");
	ok(key != pair_key(&port, "www.peer.example"), "another port: may be another program");
	ok(key != pair_key(&host, "www.peer.example"), "another host");
	ok(key != pair_key(&six, "www.peer.example"), "another family to ask over");
	ok(key != pair_key(&tcp, "www.peer.example"), "a connection");
}

static void test_under_way(void)
{
	struct pair_half a = half(7, MESSAGE_TYPE_A, 100), aaaa = half(7, MESSAGE_TYPE_AAAA, 110),
			 https = half(7, MESSAGE_TYPE_HTTPS, 120), other = half(8, MESSAGE_TYPE_AAAA, 110),
			 same_slot = half(7 + (UINT64_C(1) << 40), MESSAGE_TYPE_AAAA, 110);

	ok(since(7, MESSAGE_TYPE_AAAA, 110) == LOOP_NEVER, "nothing is noted yet");
	pairs_wait(pairs, &aaaa);
	pairs_wait(pairs, &other);
	pairs_wait(pairs, &same_slot);
	is_int(usable(&a, 5000), 1, "an A address can be used: one waits for that");
	ok(last_told == &aaaa, "the query for AAAA, no other name's");
	ok(since(7, MESSAGE_TYPE_AAAA, 110) == 5000, "whose answer comes later finds it noted");
	ok(since(7, MESSAGE_TYPE_HTTPS, 110) == 5000, "so does one for HTTPS");
	ok(since(7, MESSAGE_TYPE_A, 110) == LOOP_NEVER, "but not one of the same family");
	ok(since(8, MESSAGE_TYPE_AAAA, 110) == LOOP_NEVER, "nor one of another name");
	pairs_wait(pairs, &https);
	is_int(usable(&a, 6000), 0, "the next address changes nothing");
	ok(since(7, MESSAGE_TYPE_AAAA, 110) == 5000, "the first counts");
	is_int(usable(&aaaa, 7000), 1, "of the other family it is another first one");
	ok(last_told == &https, "for HTTPS");
	ok(since(7, MESSAGE_TYPE_HTTPS, 110) == 5000, "which counts the earlier of both");
	ok(since(7, MESSAGE_TYPE_A, 110) == 7000, "and A has the one of AAAA");
	pairs_leave(pairs, &aaaa);
	pairs_leave(pairs, &aaaa);
	pairs_leave(pairs, &https);
	pairs_leave(pairs, &same_slot);
	is_int(usable(&a, 3000000), 0, "who has gone is not told");
	pairs_leave(pairs, &other);
}

static void test_moment(void)
{
	struct pair_half a = half(9, MESSAGE_TYPE_A, 0), aaaa = half(9, MESSAGE_TYPE_AAAA, 10);

	usable(&a, 1000000);
	ok(since(9, MESSAGE_TYPE_AAAA, 1500000) == 1000000, "a query that comes a moment later");
	ok(since(9, MESSAGE_TYPE_AAAA, 2000000) == LOOP_NEVER, "one that comes long after is by itself");
	ok(since(9, MESSAGE_TYPE_AAAA, 999999) == 1000000, "one that was there counts, however late its answer is");
	/* A client that asks from one socket again and again. */
	usable(&a, 1900000);
	ok(since(9, MESSAGE_TYPE_AAAA, 2300000) == 1900000, "a later lookup has a moment of its own");
	pairs_wait(pairs, &aaaa);
	is_int(usable(&a, 9000000), 1, "and tells again");
	pairs_leave(pairs, &aaaa);
}

/* A client that asks without end, for one name and for many. */
static void test_bounded(void)
{
	static struct pair_half waiting[MANY];
	struct pair_half a = half(11, MESSAGE_TYPE_A, 0);
	unsigned again = 0;

	for (unsigned i = 0; i < MANY; i++) {
		waiting[i] = half(11, MESSAGE_TYPE_AAAA, 0);
		pairs_wait(pairs, &waiting[i]);
	}
	is_int(usable(&a, 1000), MANY, "all who wait are told");
	for (unsigned i = 0; i < MANY; i++)
		again += usable(&a, 1001 + i);
	is_int(again, 0, "once");
	for (unsigned i = 0; i < MANY; i++)
		pairs_leave(pairs, &waiting[i]);

	for (uint64_t key = 100; key < 100 + MANY; key++) {
		struct pair_half many = half(key, MESSAGE_TYPE_A, 0);

		usable(&many, 2000);
	}
	ok(since(99 + MANY, MESSAGE_TYPE_AAAA, 0) == 2000, "the latest of many is noted");
	ok(since(100, MESSAGE_TYPE_AAAA, 0) == LOOP_NEVER, "the oldest has made room");
}

int main(void)
{
	pairs = pairs_new();
	test_key();
	test_under_way();
	test_moment();
	test_bounded();
	pairs_free(pairs);
	return tap_done();
}
