/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One CHILD SA of several ends at once (ike_end_child): in peace, unheard, while it or its IKE SA is
 * replaced, and before the peer has heard that it is there.
 */
#include "t/sim/flows.h"
#include "t/tap.h"

#include "ike/const.h"

#define SECOND (1000 * WORLD_MS)

/* One flow's SAs are gone from the kernel: it is negotiated anew there, and the other one knows nothing of it. */
static void test_breaks(size_t again)
{
	begin(20);
	want(0, 0);
	want(0, 1);
	world_run_for(&world, SECOND);
	ike_end_child(A->ike, child_of(A, 0)->id, world.now_us);
	ok(world_pairs_of(&world, 0, 0) == 0 && A->flows[0].downs == 1 && A->down_reason == IKE_REASON_DELETED,
		"what is broken ends at once");
	world_run_for(&world, again * 20 * WORLD_MS);
	want(again, 0);
	world_run_for(&world, 100 * WORLD_MS);
	ok(stand(2) && have_sas(1) && inits(0) == 1 && B->flows[0].downs == 1 && A->flows[1].downs == 0 &&
			B->flows[1].downs == 0,
		"the peer is told, the %s has it back on the same IKE SA, the other flow is not touched",
		again ? "peer" : "host");
	ike_end_child(A->ike, child_of(A, 0)->id, world.now_us);
	world_run_for(&world, 100 * WORLD_MS);
	ike_end_child(A->ike, child_of(A, 1)->id, world.now_us);
	world_run_for(&world, SECOND);
	ok(A->child_count == 0 && B->child_count == 0 && have_sas(0), "the last one takes the IKE SA with it");
	end();
}

static void test_breaks_unheard(void)
{
	begin(21);
	want(0, 0);
	want(0, 1);
	world_run_for(&world, SECOND);
	world.filter = drop_all;
	ike_end_child(A->ike, child_of(A, 0)->id, world.now_us);
	world_run_for(&world, 100 * WORLD_MS);
	world.filter = NULL;
	want(0, 0);
	world_run_for(&world, 5 * SECOND);
	ok(stand(2) && have_sas(1) && inits(0) == 1, "a DELETE that is lost comes again, and the flow after it");
	end();
}

/* Its lifetime is over while an exchange is to replace it, or its IKE SA. */
static void test_breaks_rekeyed(size_t by, bool whole, uint64_t after_us)
{
	struct world_host *host = &world.hosts[by];

	begin(22);
	want(0, 0);
	want(0, 1);
	world_run_for(&world, SECOND);
	if (whole)
		ike_renew(host->ike, child_of(host, 0)->sa, world.now_us);
	else
		ike_rekey(host->ike, child_of(host, 0)->id, world.now_us);
	world_run_for(&world, after_us);
	ike_end_child(A->ike, child_of(A, 0)->id, world.now_us);
	want_if_idle(0, 0);
	world_run_for(&world, 5 * SECOND);
	/* What came in its place may have gone with it. */
	want_if_idle(0, 0);
	world_run_for(&world, 5 * SECOND);
	ok(stand(2) && have_sas(1) && inits(0) == 1, "it ends %lu us after the %s began to replace %s",
		(unsigned long)after_us, by ? "peer" : "host", whole ? "the IKE SA" : "it");
	end();
}

static bool drop_followup_answers(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->from != 1 || !packet->answer || packet->exchange != IKE_EXCHANGE_IKE_FOLLOWUP_KE;
}

static const struct ike_child *newest_of(const struct world_host *host, size_t flow)
{
	const struct ike_child *newest = NULL;

	for (size_t i = 0; i < host->child_count; i++) {
		if (host->children[i].child.user == 1000 + flow)
			newest = &host->children[i].child;
	}
	return newest;
}

/* The answer about a CHILD SA is lost; before it comes again, the peer ends what it has made. */
static void test_overtaken(bool rekey, bool addke)
{
	begin(23);
	for (size_t i = 0; i < 2 && addke; i++) {
		world.hosts[i].conns[0].ike.addke[0][0] = IKE_GROUP_ECP_256;
		world.hosts[i].conns[0].ike.addke_count[0] = 1;
		world_reload(&world, i);
	}
	want(0, 0);
	want(0, 1);
	world_run_for(&world, SECOND);
	world.filter = addke ? drop_followup_answers : drop_answers;
	if (rekey)
		ike_rekey(A->ike, child_of(A, 1)->id, world.now_us);
	else
		want(0, 2);
	world_run_for(&world, 100 * WORLD_MS);
	ike_end_child(B->ike, newest_of(B, rekey ? 1 : 2)->id, world.now_us);
	world_run_for(&world, 100 * WORLD_MS);
	world.filter = NULL;
	world_run_for(&world, 10 * SECOND);
	ok(stand(rekey ? 2 : 3) && have_sas(1) && inits(0) == 1, "a DELETE before the answer%s%s: it is made again",
		rekey ? ", of a rekey" : "", addke ? ", with an additional key exchange" : "");
	end();
}

static bool drop_requests(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->from != 0 || packet->answer || packet->exchange != IKE_EXCHANGE_CREATE_CHILD_SA;
}

/* Its flow has another one, on an IKE SA of its own, when what was to replace it comes up. */
static void test_replaced_too_late(void)
{
	begin(24);
	want(0, 0);
	want(0, 1);
	world_run_for(&world, SECOND);
	world.filter = drop_requests;
	ike_rekey(A->ike, child_of(A, 0)->id, world.now_us);
	world_run_for(&world, 10 * WORLD_MS);
	ike_end_child(A->ike, child_of(A, 0)->id, world.now_us);
	want(0, 0);
	world_run_for(&world, 1500 * WORLD_MS);
	ok(world_pairs_of(&world, 0, 0) == 1 && inits(0) == 2, "a rekey that nobody answers: the flow goes on elsewhere");
	world.filter = NULL;
	world_run_for(&world, 20 * SECOND);
	ok(stand(2), "one pair stays when it is answered at last");
	end();
}

/* The host has forgotten an IKE SA of which the peer knows; what it has instead is not what is too much. */
static void test_lost_at_one_end(void)
{
	static char name[] = "other";

	begin(25);
	A->conns[0].dpd_delay_ms = B->conns[0].dpd_delay_ms = 600000;
	A->conns[1] = A->conns[0];
	A->conns[1].name = name;
	A->config.conn_count = 2;
	world_reload(&world, 0);
	world_reload(&world, 1);
	want(0, 0);
	world_want(&world, 0, 1, 1);
	world_run_for(&world, 30 * SECOND);
	world.filter = drop_all;
	ike_delete(A->ike, child_of(A, 0)->sa, world.now_us);
	world_run_for(&world, 6 * SECOND);
	world.filter = NULL;
	world_want(&world, 0, 1, 0);
	world_run_for(&world, SECOND);
	ok(world_pairs_of(&world, 0, 0) == 1 && world_pairs_of(&world, 1, 0) == 2, "a pair that only the peer has, and a new one");
	world_run_for(&world, 100 * SECOND);
	ok(stand(2) && A->flows[0].downs == 1, "the new one stays");
	end();
}

int main(void)
{
	test_breaks(0);
	test_breaks(1);
	test_breaks_unheard();
	for (size_t by = 0; by < 2; by++) {
		for (uint64_t after_us = 1; after_us < 20 * WORLD_MS; after_us += after_us + 700) {
			test_breaks_rekeyed(by, false, after_us);
			test_breaks_rekeyed(by, true, after_us);
		}
	}
	for (unsigned i = 0; i < 4; i++)
		test_overtaken(i & 1, i & 2);
	test_replaced_too_late();
	test_lost_at_one_end();
	return tap_done();
}
