/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both hosts trigger on each other at nearly the same instant, on a network
 * that delays, loses and doubles: every order of the eight datagrams happens.
 * Whatever happens, at the end both hosts hold the same one pair, every
 * negotiation has ended once, and nothing is left over.
 */
#include "ike/const.h"
#include "ike/sa.h"
#include "lib/wire.h"
#include "t/sim/world.h"
#include "t/tap.h"

#include <stdlib.h>

/* Seeds for each weather; another number may be given as an argument. */
#define SEEDS 1000

static uint64_t seeds = SEEDS;

static struct world world;
static unsigned redundant, single, lonely;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

static bool ended_once(const struct world_host *host, unsigned initiated)
{
	/* A host comes up as a responder too; no more often than the other one has begun. */
	return host->faileds <= initiated && host->ups + host->faileds >= initiated &&
	       host->ups <= initiated + 1;
}

static const char *judge(void)
{
	if (!ended_once(A, 1) || !ended_once(B, 1))
		return "a negotiation did not end once";
	if (!world_agrees(&world))
		return "the hosts do not hold the same pairs";
	if (A->child_count != 1)
		return A->child_count ? "two pairs are left" : "no pair is left";
	if (ike_counters(A->ike).sas != 1 || ike_counters(B->ike).sas != 1)
		return "an IKE SA is left over";
	if (ike_counters(A->ike).half_open || ike_counters(B->ike).half_open)
		return "a half-open SA is left over";
	return NULL;
}

static void count_outcome(void)
{
	if (A->ups == 2 && B->ups == 2)
		redundant++;
	else if (A->ups + B->ups == 2)
		lonely++;
	else
		single++;
}

/* One run; what is wrong with its end, or NULL. */
static const char *run(uint64_t seed, enum ike_auth auth, unsigned loss)
{
	uint64_t offset_us, other = seed % 2;
	const char *wrong;

	world_init(&world, seed, auth);
	offset_us = world_random(&world) % (51 * WORLD_MS);
	world.jitter_us = world_random(&world) % (30 * WORLD_MS) + 1;
	world.loss_percent = loss;
	world.duplicate_percent = loss / 3;
	A->install_us = world_random(&world) % (5 * WORLD_MS);
	B->install_us = world_random(&world) % (5 * WORLD_MS);
	A->job_us = world_random(&world) % (2 * WORLD_MS);
	world_initiate(&world, other);
	world_run_for(&world, offset_us);
	world_initiate(&world, 1 - other);
	/* The weather clears up after the negotiations; liveness then finds what they left behind.
	 */
	world_run_for(&world, 8000 * WORLD_MS);
	world.loss_percent = world.duplicate_percent = 0;
	world_run_for(&world, 60000 * WORLD_MS);
	wrong = judge();
	count_outcome();
	/* With both negotiations lost to the weather, nothing is right. */
	if (wrong && A->faileds == 1 && B->faileds == 1 && A->child_count + B->child_count == 0)
		wrong = NULL;
	ike_shutdown(A->ike, world.now_us);
	world_run_for(&world, 20000 * WORLD_MS);
	if (!wrong && (A->child_count || B->child_count || A->timer_us != IKE_NEVER ||
			      B->timer_us != IKE_NEVER))
		wrong = "something is left after the stop";
	world_clear(&world);
	return wrong;
}

static void test_weather(enum ike_auth auth, unsigned loss, const char *name)
{
	unsigned bad = 0;

	redundant = single = lonely = 0;
	for (uint64_t seed = 0; seed < seeds; seed++) {
		const char *wrong = run(seed * 7919 + loss, auth, loss);

		if (wrong && bad++ < 5)
			diag("seed %" PRIu64 " (%s, loss %u): %s", seed, name, loss, wrong);
	}
	ok(bad == 0, "%s, %u %% loss: %u runs agree (%u crossed, %u joined, %u otherwise; %u bad)",
		name, loss, (unsigned)seeds - bad, redundant, lonely, single, bad);
}

/* An empty INFORMATIONAL request: longer ones say something. */
#define PROBE_LEN 57

/* A host deletes no IKE SA that it began. */
static bool drop_of_initiators(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->len <= PROBE_LEN || packet->exchange != IKE_EXCHANGE_INFORMATIONAL || packet->answer ||
	       !(packet->data[19] & 0x08);
}

/* A peer that knows nothing of the rule keeps the loser that it began: the other end deletes it. */
static void test_peer_that_keeps_both(void)
{
	unsigned crossed = 0, kept = 0;

	for (uint64_t seed = 0; seed < 20; seed++) {
		world_init(&world, seed, IKE_AUTH_PSK);
		A->quiet = B->quiet = true;
		world.filter = drop_of_initiators;
		world_initiate(&world, 0);
		world_initiate(&world, 1);
		world_run_for(&world, 1000 * WORLD_MS);
		crossed += A->ups == 2 && B->ups == 2;
		/* Its own retransmissions of DELETE go on until retransmit-timeout. */
		world_run_for(&world, 24000 * WORLD_MS);
		kept += A->child_count != 1 || B->child_count != 1 || !world_agrees(&world);
		world_clear(&world);
	}
	ok(crossed == 20 && kept == 0,
		"a loser whose initiator does not delete it goes at the other end (%u crossed, %u "
		"kept)",
		crossed, kept);
}

static bool drop_auth_answers_of_a(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->from != 0 || !packet->answer || packet->exchange != IKE_EXCHANGE_IKE_AUTH;
}

/*
 * B gives up what it began before the answer is there: A has it up and may call it the winner. What A
 * began is all that both have, and stays.
 */
static void test_winner_that_was_given_up(void)
{
	unsigned crossed = 0, lost = 0;

	for (uint64_t seed = 0; seed < 20; seed++) {
		uint64_t begun;

		world_init(&world, seed, IKE_AUTH_PSK);
		A->quiet = B->quiet = true;
		world.filter = drop_auth_answers_of_a;
		begun = world_initiate(&world, 1);
		world_run_for(&world, WORLD_MS);
		world_initiate(&world, 0);
		world_run_for(&world, 1000 * WORLD_MS);
		crossed += A->ups == 2 && B->ups == 1;
		ike_delete(B->ike, begun, world.now_us);
		world_run_for(&world, 60000 * WORLD_MS);
		lost += B->downs != 0 || B->child_count != 1 || !world_agrees(&world);
		world_clear(&world);
	}
	ok(crossed == 20 && lost == 0, "a winner that its initiator has given up takes nothing with it (%u crossed, %u lost)",
		crossed, lost);
}

static uint64_t lost_sa; /* the initiator's SPI of one that nothing is said on any more */

static struct ike_sa *begun_by(const struct world_host *host, enum ike_role role)
{
	struct ike_sa *sa, *next;

	HASH_ITER (by_id, host->ike->by_id, sa, next) {
		if (sa->role == role)
			return sa;
	}
	return NULL;
}

static bool drop_of_lost(struct world *w, struct packet *packet)
{
	struct reader r = reader_init(packet->data, 8);

	(void)w;
	return reader_u64(&r) != lost_sa;
}

/* Both have both; B ends what A began, and A does not hear of it: what B began stays. */
static void test_winner_that_went(void)
{
	unsigned crossed = 0, lost = 0;

	for (uint64_t seed = 0; seed < 20; seed++) {
		world_init(&world, seed, IKE_AUTH_PSK);
		A->quiet = B->quiet = true;
		world_initiate(&world, 0);
		world_initiate(&world, 1);
		world_run_for(&world, 1000 * WORLD_MS);
		crossed += A->ups == 2 && B->ups == 2;
		lost_sa = begun_by(A, IKE_INITIATOR)->own_spi;
		world.filter = drop_of_lost;
		ike_delete(B->ike, B->children[B->children[0].child.role == IKE_INITIATOR].child.sa, world.now_us);
		world_run_for(&world, 60000 * WORLD_MS);
		lost += B->downs != 1 || B->child_count != 1 || !world_agrees(&world);
		world_clear(&world);
	}
	ok(crossed == 20 && lost == 0, "nor does one that the responder has ended (%u crossed, %u lost)", crossed, lost);
}

static bool drop_answers_of_lost(struct world *w, struct packet *packet)
{
	return !packet->answer || drop_of_lost(w, packet);
}

/* On what A began both ask, and no answer arrives: only an answer says that it may stay for the other. */
static void test_winner_that_only_asks(void)
{
	unsigned lost = 0;

	for (uint64_t seed = 0; seed < 40; seed++) {
		world_init(&world, seed, IKE_AUTH_PSK);
		A->quiet = B->quiet = true;
		world_initiate(&world, 0);
		world_initiate(&world, 1);
		world_run_for(&world, 100 * WORLD_MS);
		lost_sa = begun_by(A, IKE_INITIATOR)->own_spi;
		world.filter = drop_answers_of_lost;
		world_run_for(&world, 30000 * WORLD_MS);
		lost += !begun_by(A, IKE_RESPONDER) || !begun_by(B, IKE_INITIATOR);
		world_clear(&world);
	}
	ok(lost == 0, "nor does one that asks and does not answer (%u lost)", lost);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seeds = strtoull(argv[1], NULL, 10);
	test_weather(IKE_AUTH_NULL, 0, "NULL");
	test_weather(IKE_AUTH_NULL, 10, "NULL");
	test_weather(IKE_AUTH_NULL, 30, "NULL");
	test_weather(IKE_AUTH_PSK, 0, "PSK");
	test_weather(IKE_AUTH_PSK, 30, "PSK");
	test_peer_that_keeps_both();
	test_winner_that_was_given_up();
	test_winner_that_went();
	test_winner_that_only_asks();
	return tap_done();
}
