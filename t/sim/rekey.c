/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rekeying (RFC 7296 2.8, 2.25): CHILD SAs and IKE SAs that replace each other
 * for minutes, begun by one end or by both at once, in all weathers. At every
 * moment both ends hold a pair in common; at the end exactly one.
 */
#include "ike/sa.h"
#include "lib/mem.h"
#include "t/sim/world.h"
#include "t/tap.h"

#include <stdlib.h>

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

/* Lifetimes in seconds; 0: the end does not rekey. */
struct lives {
	uint32_t child_a, child_b, ike_a, ike_b;
	bool no_pfs;
	bool addke; /* with two additional key exchanges (RFC 9370) */
};

static void set_lives(struct world_host *host, uint32_t child, uint32_t ike, bool no_pfs)
{
	struct ike_conn *conn = &host->conns[0];

	conn->no_rekey = !child && !ike;
	conn->child_lifetime_s = child ? child : 1000000;
	conn->ike_lifetime_s = ike ? ike : 1000000;
	conn->rekey_margin_s = 2;
	conn->no_pfs = no_pfs;
}

static void add_key_exchanges(struct ike_suite *suite)
{
	suite->addke[0][0] = IKE_GROUP_ECP_256;
	suite->addke[2][0] = IKE_GROUP_ECP_384;
	suite->addke_count[0] = suite->addke_count[2] = 1;
}

static void begin(uint64_t seed, const struct lives *lives)
{
	world_init(&world, seed, IKE_AUTH_PSK);
	set_lives(A, lives->child_a, lives->ike_a, lives->no_pfs);
	set_lives(B, lives->child_b, lives->ike_b, lives->no_pfs);
	for (size_t i = 0; i < 2 && lives->addke; i++)
		add_key_exchanges(&world.hosts[i].conns[0].ike);
	world_reload(&world, 0);
	world_reload(&world, 1);
	A->install_us = B->install_us = 2 * WORLD_MS;
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
}

static bool is_common(const struct ike_child *a, const struct ike_child *b)
{
	return a->pair.in.spi == b->pair.out.spi && a->pair.out.spi == b->pair.in.spi;
}

/* A pair that both have in the data plane. */
static bool have_common_pair(void)
{
	for (size_t i = 0; i < A->child_count; i++) {
		for (size_t j = 0; j < B->child_count; j++) {
			if (A->children[i].installed && B->children[j].installed &&
				is_common(&A->children[i].child, &B->children[j].child))
				return true;
		}
	}
	return false;
}

/* Runs in small steps; how often both ends had nothing in common. */
static unsigned run_watched(uint64_t seconds)
{
	unsigned gaps = 0;

	for (uint64_t ms = 0; ms < seconds * 1000; ms += 5) {
		world_run_for(&world, 5 * WORLD_MS);
		gaps += !have_common_pair();
	}
	return gaps;
}

/* Nobody rekeys any more; what is under way and what waits for its DELETE ends. */
static void calm_down(void)
{
	world.loss_percent = world.duplicate_percent = 0;
	for (size_t i = 0; i < 2; i++) {
		set_lives(&world.hosts[i], 0, 0, false);
		ike_reconfigure(world.hosts[i].ike, &world.hosts[i].config, world.now_us);
	}
	world_run_for(&world, 90000 * WORLD_MS);
}

static const char *judge(void)
{
	if (!world_agrees(&world))
		return "the hosts do not hold the same pairs";
	if (A->child_count != 1)
		return A->child_count ? "more than one pair is left" : "no pair is left";
	if (ike_counters(A->ike).sas != 1 || ike_counters(B->ike).sas != 1)
		return "not one IKE SA is left";
	if (ike_counters(A->ike).half_open || ike_counters(B->ike).half_open)
		return "a half-open SA is left";
	return NULL;
}

static void end(void)
{
	ike_shutdown(A->ike, world.now_us);
	world_run_for(&world, 20000 * WORLD_MS);
	if (A->child_count || B->child_count || A->timer_us != IKE_NEVER || B->timer_us != IKE_NEVER)
		ok(false, "something is left after the stop");
	world_clear(&world);
}

/* --- by one end ------------------------------------------------------------------------------- */

static void test_one_end(const struct lives *lives, unsigned least, const char *name)
{
	unsigned gaps;
	const char *wrong;

	begin(1, lives);
	gaps = run_watched(120);
	ok(gaps == 0, "%s: a pair in common at every moment", name);
	ok(A->ups >= least && A->ups == B->ups, "%s: %u pairs came up one after the other", name, A->ups);
	calm_down();
	wrong = judge();
	ok(!wrong, "%s: %s", name, wrong ? wrong : "one is left");
	ok(A->faileds == 0 && B->faileds == 0, "%s: no negotiation failed", name);
	end();
}

static void test_sa_by_one_end(const struct lives *lives, const char *name)
{
	uint64_t first;
	unsigned gaps;
	const char *wrong;

	begin(2, lives);
	first = A->children[0].child.sa;
	gaps = run_watched(120);
	ok(gaps == 0 && A->ups == 1 && A->downs == 0, "%s: the pair stays as it is", name);
	ok(A->child_count == 1 && A->children[0].child.sa != first, "%s: under another IKE SA", name);
	ok(ike_counters(A->ike).established >= 8, "%s: %u times", name,
		(unsigned)ike_counters(A->ike).established);
	calm_down();
	wrong = judge();
	ok(!wrong, "%s: %s", name, wrong ? wrong : "one is left");
	ike_delete(B->ike, B->children[0].child.sa, world.now_us);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->child_count == 0 && A->down_reason == IKE_REASON_PEER_DELETED, "%s: and it can be deleted",
		name);
	end();
}

/* By a word from above, though neither end does so by itself; several words at once are one. */
static void test_renew(struct world_host *host, uint64_t seed, const char *name)
{
	struct lives none = {0};
	uint64_t first;
	unsigned gaps;
	const char *wrong;

	begin(seed, &none);
	run_watched(5);
	first = host->children[0].child.sa;
	for (unsigned i = 0; i < 3; i++)
		ike_renew(host->ike, first, world.now_us);
	gaps = run_watched(20);
	ok(gaps == 0 && A->ups == 2 && B->ups == 2, "renewed by %s: another pair, and one in common at every moment", name);
	ok(host->child_count == 1 && host->children[0].child.sa != first, "renewed by %s: and another IKE SA", name);
	ike_renew(host->ike, first, world.now_us);
	run_watched(10);
	ok(A->ups == 2, "renewed by %s: what is gone is not renewed", name);
	calm_down();
	wrong = judge();
	ok(!wrong && A->faileds == 0 && B->faileds == 0, "renewed by %s: %s", name, wrong ? wrong : "one is left");
	end();
}

/* --- by both ---------------------------------------------------------------------------------------- */

static unsigned gaps_seen, crossed;

static const char *run_both(uint64_t seed, const struct lives *lives, unsigned loss)
{
	const char *wrong;
	unsigned before;

	begin(seed, lives);
	world.jitter_us = world_random(&world) % (20 * WORLD_MS) + 1;
	world.loss_percent = loss;
	world.duplicate_percent = loss;
	A->install_us = world_random(&world) % (5 * WORLD_MS);
	B->install_us = world_random(&world) % (5 * WORLD_MS);
	before = A->ups;
	gaps_seen += run_watched(60) && !loss;
	calm_down();
	wrong = judge();
	/* A whole exchange lost: the peer counts as dead, and who has traffic begins anew. */
	if (loss && A->child_count == 0 && B->child_count == 0)
		wrong = NULL;
	crossed += A->ups - before > 9;
	end();
	return wrong;
}

static void test_both(const struct lives *lives, unsigned loss, unsigned seeds, const char *name)
{
	unsigned bad = 0;

	gaps_seen = crossed = 0;
	for (uint64_t seed = 0; seed < seeds; seed++) {
		const char *wrong = run_both(100 + seed * 7919, lives, loss);

		if (wrong && bad++ < 5)
			diag("seed %" PRIu64 " (%s, loss %u): %s", seed, name, loss, wrong);
	}
	ok(bad == 0 && gaps_seen == 0, "%s at once, %u %% loss: %u runs, %u bad, %u with a gap", name, loss,
		seeds, bad, gaps_seen);
}

/* --- refusals --------------------------------------------------------------------------------------- */

static void test_refused_install(void)
{
	struct lives lives = {.child_a = 12};

	begin(30, &lives);
	B->refuses_install = true;
	run_watched(12);
	ok(A->child_count == 1 && B->child_count == 1 && world_agrees(&world) && A->downs == 0,
		"a data plane that refuses the new pair leaves the old one");
	B->refuses_install = false;
	run_watched(30);
	ok(A->ups >= 2 && have_common_pair(), "and it is tried again");
	end();
	begin(31, &lives);
	A->refuses_install = true;
	run_watched(12);
	ok(have_common_pair() && A->downs == 0, "the same on our side: what the peer has of it is deleted");
	A->refuses_install = false;
	run_watched(30);
	calm_down();
	ok(!judge(), "and it is tried again");
	end();
}

static void test_deleted_while_installing(void)
{
	struct lives lives = {0};

	begin(34, &lives);
	A->install_us = 1000 * WORLD_MS;
	ike_rekey(A->ike, A->children[0].child.id, world.now_us);
	world_run_for(&world, 200 * WORLD_MS);
	ike_close_idle(B->ike, B->children[1].child.id, world.now_us);
	world_run_for(&world, 100 * WORLD_MS);
	ok(A->child_count == 1 && A->ups == 1 && B->downs == 1,
		"a new pair that the peer deletes while our data plane has it");
	A->install_us = 2 * WORLD_MS;
	run_watched(10);
	ok(A->ups == 2 && have_common_pair(), "is asked for again");
	end();
}

static void test_soft_expire(void)
{
	struct lives lives = {0};

	begin(32, &lives);
	ike_rekey(A->ike, A->children[0].child.id, world.now_us);
	ok(run_watched(10) == 0 && A->ups == 2 && B->ups == 2, "the data plane asks for a new pair");
	calm_down();
	ok(!judge(), "one is left");
	end();
}

/* Behind each CREATE_CHILD_SA come two IKE_FOLLOWUP_KE. */
static void test_more(unsigned seeds)
{
	struct lives child = {.child_a = 12, .addke = true}, child_b = {.child_b = 12, .addke = true};
	struct lives sa = {.ike_a = 12, .addke = true}, sa_b = {.ike_b = 12, .addke = true};
	struct lives no_pfs = {.child_a = 12, .no_pfs = true, .addke = true};
	struct lives both_child = {.child_a = 12, .child_b = 12, .addke = true};
	struct lives both_sa = {.ike_a = 12, .ike_b = 12, .addke = true};
	struct lives all = {.child_a = 12, .child_b = 12, .ike_a = 12, .ike_b = 12, .addke = true};
	struct lives mixed = {.child_a = 12, .ike_b = 12, .addke = true};

	test_one_end(&child, 8, "CHILD SA with more key exchanges, by its initiator");
	test_one_end(&child_b, 8, "CHILD SA with more key exchanges, by its responder");
	test_one_end(&no_pfs, 8, "CHILD SA without PFS, of an IKE SA with more");
	test_sa_by_one_end(&sa, "IKE SA with more key exchanges, by its initiator");
	test_sa_by_one_end(&sa_b, "IKE SA with more key exchanges, by its responder");
	test_both(&both_child, 0, seeds, "CHILD SA with more key exchanges by both");
	test_both(&both_sa, 0, seeds, "IKE SA with more key exchanges by both");
	test_both(&mixed, 0, seeds, "CHILD SA by one, IKE SA by the other, with more key exchanges");
	test_both(&all, 0, seeds, "everything with more key exchanges by both");
	test_both(&all, 20, seeds, "everything with more key exchanges by both");
}

/* The only CHILD SA goes in the middle of the exchanges that replace its IKE SA: the next one has none, and no use. */
static void test_nothing_to_follow(void)
{
	struct lives lives = {.addke = true};
	struct ike_child_sa *child;

	begin(35, &lives);
	world_run_for(&world, 2000 * WORLD_MS);
	world_replace_sa(&world, 0);
	while (!world_sent(&world, 1, IKE_EXCHANGE_CREATE_CHILD_SA, true))
		world_run_for(&world, WORLD_MS / 10);
	child = B->ike->children; /* a peer that thinks of the CHILD SA alone */
	child->delete_us = world.now_us;
	ike_sa_schedule(child->sa);
	ike_tick(B->ike, world.now_us);
	world_run_for(&world, 100 * WORLD_MS);
	ok(A->child_count == 0 && B->child_count == 0 && ike_counters(A->ike).established == 2,
		"the last CHILD SA goes while its IKE SA is replaced");
	world_run_for(&world, 20000 * WORLD_MS);
	ok(ike_counters(A->ike).sas == 0 && ike_counters(B->ike).sas == 0, "and the new IKE SA after it");
	end();
}

/* The data plane asks for a successor at a time at which we have begun to make one. */
static void test_soft_expire_late(void)
{
	struct lives lives = {0};
	uint64_t old;
	const char *wrong;

	for (unsigned late = 0; late < 2; late++) {
		begin(1, &lives);
		old = A->children[0].child.id;
		/* Once while the request is on its way, once while its answer goes to the data plane. */
		A->install_us = 50 * WORLD_MS;
		ike_rekey(A->ike, old, world.now_us);
		world_run_for(&world, late ? 10 * WORLD_MS : WORLD_MS / 2);
		ike_rekey(A->ike, old, world.now_us);
		world_run_for(&world, 100000 * WORLD_MS);
		ok(world_sent(&world, 0, IKE_EXCHANGE_CREATE_CHILD_SA, false) == 1,
			"a soft expire %s begins no other rekey", late ? "while its pair is installed" : "in its exchange");
		wrong = judge();
		ok(!wrong, "one pair is left%s%s", wrong ? ": " : "", wrong ? wrong : "");
		end();
	}
}

/* A peer that has lost all, an IKE SA that we have replaced among it, hears us on its new pair at once. */
static void test_lost_since(bool replaced)
{
	struct lives lives = {0};

	begin(33, &lives);
	world_run_for(&world, 2000 * WORLD_MS);
	if (replaced)
		world_replace_sa(&world, 1);
	world_run_for(&world, 5000 * WORLD_MS);
	world_restart(&world, 0);
	world_initiate(&world, 0);
	world_run_for(&world, 20 * WORLD_MS);
	ok(B->ups == 2 && !B->children[B->child_count - 1].child.pair.peer_sends_first,
		"a peer that has lost its state%s is answered on the new pair",
		replaced ? " since its IKE SA was replaced" : "");
	world_run_for(&world, 5000 * WORLD_MS);
	ok(B->child_count == 1 && A->downs == 0 && world_agrees(&world), "the old one is looked after, and goes");
	end();
}

int main(int argc, char **argv)
{
	unsigned seeds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 60;
	struct lives child = {.child_a = 12}, child_b = {.child_b = 12};
	struct lives no_pfs = {.child_a = 12, .no_pfs = true};
	struct lives sa = {.ike_a = 12}, sa_b = {.ike_b = 12};
	struct lives both_child = {.child_a = 12, .child_b = 12};
	struct lives both_sa = {.ike_a = 12, .ike_b = 12};
	struct lives all = {.child_a = 12, .child_b = 12, .ike_a = 12, .ike_b = 12};
	struct lives mixed = {.child_a = 12, .ike_b = 12};

	test_one_end(&child, 8, "CHILD SA, by its initiator");
	test_one_end(&child_b, 8, "CHILD SA, by its responder");
	test_one_end(&no_pfs, 8, "CHILD SA without PFS");
	test_sa_by_one_end(&sa, "IKE SA, by its initiator");
	test_sa_by_one_end(&sa_b, "IKE SA, by its responder");
	test_renew(A, 3, "the initiator");
	test_renew(B, 4, "the responder");
	test_lost_since(false);
	test_lost_since(true);
	test_refused_install();
	test_deleted_while_installing();
	test_soft_expire();
	test_soft_expire_late();
	test_nothing_to_follow();
	test_both(&both_child, 0, seeds, "CHILD SA by both");
	test_both(&both_sa, 0, seeds, "IKE SA by both");
	test_both(&mixed, 0, seeds, "CHILD SA by one, IKE SA by the other");
	test_both(&all, 0, seeds, "everything by both");
	test_both(&all, 20, seeds, "everything by both");
	test_more(seeds);
	return tap_done();
}
