/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several flows on one IKE SA (RFC 7296 1.3.1): whoever began it, each end asks for further
 * CHILD SAs there, at the same moment or later, in all weathers. At the end both hosts hold
 * one pair for each flow, each wish has ended once, and nothing is left over.
 */
#include "t/sim/flows.h"
#include "t/tap.h"

#include "ike/const.h"
#include "ike/sa.h"
#include "ike/sk.h"

#include <stdlib.h>
#include <string.h>

#define SECOND (1000 * WORLD_MS)

/* --- one after the other ------------------------------------------------------------------------- */

static void test_at_once(void)
{
	begin(1);
	for (size_t flow = 0; flow < 3; flow++)
		want(0, flow);
	world_run_for(&world, SECOND);
	ok(stand(3) && have_sas(1), "three flows at one moment: three pairs on one IKE SA");
	ok(inits(0) == 1 && creates(0) == 2, "one IKE_SA_INIT, two CREATE_CHILD_SA");
	end();
}

static void test_later(size_t from, bool transport, bool no_pfs)
{
	begin(2);
	for (size_t i = 0; i < 2; i++) {
		world.hosts[i].conns[0].mode = transport ? IPSEC_TRANSPORT : IPSEC_TUNNEL;
		world.hosts[i].conns[0].no_pfs = no_pfs;
		world_reload(&world, i);
	}
	want(0, 0);
	world_run_for(&world, 30 * SECOND);
	want(from, 1);
	world_run_for(&world, SECOND);
	ok(stand(2) && have_sas(1) && inits(0) + inits(1) == 1 && creates(from) == 1,
		"later, by the %s of the IKE SA%s%s", from ? "responder" : "initiator",
		transport ? ", transport mode" : "", no_pfs ? ", without a key exchange" : "");
	ok(child_of(A, 1)->pair.mode == (transport ? IPSEC_TRANSPORT : IPSEC_TUNNEL) &&
			child_of(A, 1)->role == (from ? IKE_RESPONDER : IKE_INITIATOR),
		"in that mode, and with that role");
	end();
}

static void test_ends(void)
{
	begin(3);
	want(0, 0);
	want(0, 1);
	world_run_for(&world, SECOND);
	ike_close_idle(A->ike, child_of(A, 0)->id, world.now_us);
	world_run_for(&world, 5 * SECOND);
	ok(A->child_count == 1 && world_pairs_of(&world, 1, 1) == 1 && have_sas(1) && A->downs == 1 &&
			A->down_reason == IKE_REASON_IDLE,
		"one of two flows is idle: its pair goes, the other stays");
	want(1, 0);
	world_run_for(&world, SECOND);
	ok(stand(2) && inits(0) + inits(1) == 1, "and comes back on the same IKE SA, by the other end");
	ike_close_idle(A->ike, child_of(A, 0)->id, world.now_us);
	ike_close_idle(A->ike, child_of(A, 1)->id, world.now_us);
	world_run_for(&world, 10 * SECOND);
	ok(A->child_count == 0 && B->child_count == 0 && have_sas(0), "the last ones take the IKE SA with them");
	end();
}

static void test_bound(void)
{
	begin(4);
	for (size_t flow = 0; flow < 40; flow++)
		want(0, flow);
	world_run_for(&world, 5 * SECOND);
	ok(stand(40) && have_sas(2) && inits(0) == 2, "forty flows: two IKE SAs");
	end();
}

/* What replaces another is not one more: who has as many as there may be keeps them fresh. */
static void test_bound_rekeyed(enum ike_auth auth, const char *name)
{
	uint64_t first[40];
	size_t fresh = 0;

	begin_by(6, auth);
	A->conns[0].child_lifetime_s = 20;
	A->conns[0].rekey_margin_s = 5;
	B->conns[0].no_rekey = true;
	world_reload(&world, 0);
	world_reload(&world, 1);
	for (size_t flow = 0; flow < 40; flow++)
		want(0, flow);
	world_run_for(&world, 5 * SECOND);
	ok(stand(40), "forty flows of %s", name);
	for (size_t flow = 0; flow < 40; flow++)
		first[flow] = child_of(A, flow)->id;
	world_run_for(&world, 60 * SECOND);
	for (size_t flow = 0; flow < 40; flow++)
		fresh += child_of(A, flow) && child_of(A, flow)->id != first[flow];
	is_int((int)fresh, 40, "all of them are replaced in time");
	end();
}

/* A CHILD SA that the peer deletes while we replace it is no reason to replace the IKE SA. */
static void test_rekey_of_deleted(void)
{
	begin(7);
	A->conns[0].no_rekey = B->conns[0].no_rekey = true;
	world_reload(&world, 0);
	world_reload(&world, 1);
	want(0, 0);
	want(0, 1);
	world_run_for(&world, 2 * SECOND);
	ike_rekey(A->ike, child_of(A, 0)->id, world.now_us);
	ike_close_idle(B->ike, child_of(B, 0)->id, world.now_us);
	world_run_for(&world, 10 * SECOND);
	ok(ike_counters(A->ike).established == 1 && creates(0) == 2 && have_sas(1),
		"a rekey that crosses the DELETE of its CHILD SA ends with it: %zu exchanges", creates(0));
	end();
}

static void test_other_conn(void)
{
	static char name[] = "other";

	begin(5);
	A->conns[1] = A->conns[0];
	A->conns[1].name = name;
	A->config.conn_count = 2;
	world_reload(&world, 0);
	want(0, 0);
	world_want(&world, 0, 1, 1);
	world_run_for(&world, SECOND);
	world_want(&world, 0, 1, 2);
	world_run_for(&world, SECOND);
	ok(stand(3) && have_sas(2) && inits(0) == 2 && creates(0) == 1,
		"another connection has an IKE SA of its own, for its flows");
	end();
}

/* --- what fails ------------------------------------------------------------------------------------- */

static void test_refused(void)
{
	begin(10);
	want(0, 0);
	world_run_for(&world, SECOND);
	B->refuses_narrow = true;
	want(0, 1);
	world_run_for(&world, SECOND);
	ok(A->flows[1].faileds == 1 && A->flows[1].reason == IKE_REASON_TS_UNACCEPTABLE && inits(0) == 1,
		"TS_UNACCEPTABLE: it fails, and is not tried on another IKE SA");
	ok(world_pairs_of(&world, 0, 0) == 1 && have_sas(1), "the first flow stays");
	B->refuses_narrow = false;
	A->refuses_install = true;
	want(0, 1);
	world_run_for(&world, SECOND);
	ok(A->flows[1].faileds == 2 && A->flows[1].reason == IKE_REASON_INSTALL && A->child_count == 1 &&
			B->child_count == 1,
		"our data plane refuses: it fails, and the peer is told");
	A->refuses_install = false;
	B->refuses_install = true;
	want(0, 1);
	world_run_for(&world, 100 * WORLD_MS);
	B->refuses_install = false;
	world_run_for(&world, SECOND);
	ok(stand(2) && inits(0) == 1, "the peer's refuses: TEMPORARY_FAILURE, and it is tried again");
	end();
}

static void test_first_fails(void)
{
	begin(11);
	B->silent = true;
	want(0, 0);
	world_run_for(&world, 100 * WORLD_MS);
	want(0, 1);
	world_run_for(&world, 10 * SECOND);
	ok(A->flows[1].faileds == 1 && A->flows[1].reason == IKE_REASON_TIMEOUT && A->flows[0].faileds == 1,
		"who waits for an IKE SA that nobody answers fails with it");
	end();
	begin(12);
	B->lines = 2;
	B->allows = (struct traffic){.proto = 17, .local_port = 53, .local_mask = 0xffff};
	want(0, 2);
	want(0, 0);
	want(0, 1);
	world_run_for(&world, SECOND);
	ok(A->flows[2].faileds == 1 && A->flows[2].reason == IKE_REASON_TS_UNACCEPTABLE && stand(0) == false &&
			world_pairs_of(&world, 0, 0) == 1 && world_pairs_of(&world, 0, 1) == 1 &&
			A->child_count == 2 && ended_once() && inits(0) == 2,
		"a first flow that is refused for its selectors does not take the others with it");
	end();
}

static void test_shutdown(void)
{
	begin(13);
	want(0, 0);
	world_run_for(&world, SECOND);
	for (size_t flow = 1; flow < 4; flow++)
		want(0, flow);
	world_run_for(&world, 1);
	ike_shutdown(A->ike, world.now_us);
	ok(ended_once() && A->flows[1].reason == IKE_REASON_DELETED, "a stop ends what waits");
	end();
}

/* What no longer is as it was made begins anew by what is there now, with all that waits. */
static void test_reload(uint64_t after_us)
{
	begin(19);
	want(0, 0);
	world_run_for(&world, SECOND);
	want(0, 1);
	want(0, 2);
	world_run_for(&world, after_us);
	A->conns[0].mode = B->conns[0].mode = IPSEC_TRANSPORT;
	ike_reconfigure(A->ike, &A->config, world.now_us);
	ike_reconfigure(B->ike, &B->config, world.now_us);
	world_run_for(&world, SECOND);
	want(0, 0);
	world_run_for(&world, 20 * SECOND);
	ok(ended_once() && world_agrees(&world) && have_sas(1) && A->child_count == 3 &&
			child_of(A, 1)->pair.mode == IPSEC_TRANSPORT,
		"a reload while they are asked for, after %lu us", (unsigned long)after_us);
	end();
}

/* Answers of host 1 to CREATE_CHILD_SA say this instead; so many. */
static uint16_t answer;
static unsigned answers;

static bool answer_other(struct world *w, struct packet *packet)
{
	uint8_t notify[8] = {0, 0, 0, 8, 0, 0, (uint8_t)(answer >> 8), (uint8_t)answer}, out[256];
	struct ike_message outer;
	struct ike_sa *sa, *next;

	if (packet->from != 1 || packet->exchange != IKE_EXCHANGE_CREATE_CHILD_SA || !packet->answer ||
		answers == 0 || !ike_message_parse(packet->data, packet->len, &outer))
		return true;
	w->hosts[1].refuses_narrow = --answers > 0;
	HASH_ITER (by_id, w->hosts[1].ike->by_id, sa, next) {
		if (sa->spi_i == outer.header.spi_i)
			world_inject(w, 1, out,
				ike_sk_seal(sa->keys, &outer.header, ++sa->iv, IKE_PAYLOAD_NOTIFY, NULL, notify,
					sizeof(notify), out, sizeof(out)),
				0);
	}
	return false;
}

static void refuse_with(uint16_t type, unsigned count)
{
	answer = type;
	answers = count;
	B->refuses_narrow = true;
	world.filter = answer_other;
}

static void test_no_more(void)
{
	begin(14);
	want(0, 0);
	world_run_for(&world, SECOND);
	refuse_with(IKE_NOTIFY_NO_ADDITIONAL_SAS, 1);
	want(0, 1);
	want(0, 2);
	world_run_for(&world, SECOND);
	ok(stand(3) && have_sas(2) && inits(0) == 2, "NO_ADDITIONAL_SAS: a second IKE SA carries the others");
	end();
	begin(15);
	want(0, 0);
	world_run_for(&world, SECOND);
	refuse_with(IKE_NOTIFY_TEMPORARY_FAILURE, 1);
	want(0, 1);
	world_run_for(&world, SECOND);
	ok(stand(2) && have_sas(1) && inits(0) == 1, "TEMPORARY_FAILURE: tried again");
	refuse_with(IKE_NOTIFY_TEMPORARY_FAILURE, 2);
	want(0, 2);
	world_run_for(&world, 2 * SECOND);
	ok(stand(3) && have_sas(2) && inits(0) == 2, "twice: an IKE SA of its own");
	end();
	begin(16);
	want(0, 0);
	world_run_for(&world, SECOND);
	refuse_with(IKE_NOTIFY_NO_PROPOSAL_CHOSEN, 1);
	want(0, 1);
	world_run_for(&world, SECOND);
	ok(stand(2) && have_sas(2), "NO_PROPOSAL_CHOSEN to a key exchange: one of a new IKE SA");
	end();
	begin(24);
	A->conns[0].no_pfs = true;
	world_reload(&world, 0);
	want(0, 0);
	world_run_for(&world, SECOND);
	refuse_with(IKE_NOTIFY_NO_PROPOSAL_CHOSEN, 1);
	want(0, 1);
	world_run_for(&world, SECOND);
	ok(A->flows[1].faileds == 1 && A->flows[1].reason == IKE_REASON_NO_PROPOSAL && have_sas(1) && inits(0) == 1,
		"where there is none, it fails, and is not tried on another IKE SA");
	end();
}

/* Those that say that there is no such SA. */
static bool drop_unprotected(struct world *w, struct packet *packet)
{
	return packet->data[16] == IKE_PAYLOAD_SK || drop_answers(w, packet);
}

static void test_forgotten(bool tells)
{
	uint64_t began_us;

	begin(17);
	want(0, 0);
	world_run_for(&world, 5 * SECOND);
	world_restart(&world, 1);
	began_us = world.now_us;
	if (!tells)
		world.filter = drop_unprotected;
	want(0, 1);
	want(0, 2);
	world_run_for(&world, 1200 * WORLD_MS);
	ok(world_pairs_of(&world, 0, 1) == 1 && world_pairs_of(&world, 0, 2) == 1 && ended_once(),
		"a peer that has forgotten us%s: served after %lu ms", tells ? " and says so" : "",
		(unsigned long)(A->up_us - began_us) / 1000);
	ok(!tells || A->up_us - began_us < 200 * WORLD_MS, "as fast as can be told");
	world.filter = NULL;
	world_run_for(&world, 60 * SECOND);
	ok(A->child_count == 2 && B->child_count == 2 && world_agrees(&world) && have_sas(1) &&
			A->flows[0].downs == 1,
		"and liveness ends the old IKE SA");
	end();
}

/* Two connections, each with an IKE SA and a flow of its own; A asks nothing by itself. */
static void begin_with_two(uint64_t seed)
{
	static char name[] = "other";

	begin(seed);
	A->conns[0].dpd_delay_ms = 600000;
	A->conns[1] = A->conns[0];
	A->conns[1].name = name;
	A->config.conn_count = 2;
	world_reload(&world, 0);
	want(0, 0);
	world_want(&world, 0, 1, 1);
	world_run_for(&world, SECOND);
	ok(stand(2) && have_sas(2), "two IKE SAs with one host");
}

/* A's liveness of one of them. */
static void ask(size_t conn)
{
	struct ike_sa *sa, *next;

	ike_tick(A->ike, world.now_us); /* the time, and below the timer */
	HASH_ITER (by_id, A->ike->by_id, sa, next) {
		if (sa->conn == conn)
			ike_send_probe(sa);
	}
	ike_tick(A->ike, world.now_us);
}

/* N7: what one IKE SA finds out of the peer, the others of both hosts need not find out by themselves. */
static void test_dead_together(void)
{
	begin_with_two(26);
	world.filter = drop_all;
	ask(0);
	world_run_for(&world, A->conns[0].retransmit_timeout_ms * WORLD_MS + 10 * WORLD_MS);
	ok(A->flows[0].downs == 1 && A->flows[1].downs == 0, "one finds that its peer is dead");
	world_run_for(&world, A->conns[0].retransmit_timeout_ms * WORLD_MS);
	ok(A->flows[1].downs == 1, "so does the other, though nobody has sent on it");
	world.filter = NULL;
	world_run_for(&world, SECOND);
	B->quiet = false;
	world_run_for(&world, 60 * SECOND);
	end();
}

static bool drop_of_b(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->from != 1;
}

/*
 * Who is not heard is given up, and before long asked for the same flow on another IKE SA: it learns from
 * that that the first is gone, and not by idle-timeout. `further`: what it had made there was an answer to
 * CREATE_CHILD_SA that nobody got; else IKE_AUTH's pair, which was in use.
 */
static void test_given_up(bool further)
{
	size_t flow = further ? 2 : 1;

	begin_with_two(27);
	world.filter = drop_of_b;
	if (further)
		world_want(&world, 0, 1, flow);
	else
		ask(1);
	world_run_for(&world, A->conns[1].retransmit_timeout_ms * WORLD_MS + 1500 * WORLD_MS);
	ok(A->flows[1].downs == 1 && world_pairs_of(&world, 0, flow) == 0 && world_pairs_of(&world, 1, flow) == 1,
		"given up, the %s pair stays with the peer", further ? "further" : "first");
	world.filter = NULL;
	world_run_for(&world, 2 * SECOND);
	want(0, flow);
	world_run_for(&world, SECOND);
	ok(world_pairs_of(&world, 0, flow) == 1 && world_pairs_of(&world, 1, flow) == 2 && A->child_count == 2,
		"beside what is asked for next");
	world_run_for(&world, 10 * SECOND);
	ok(A->downs == 1 && world_pairs_of(&world, 1, flow) == 1 && B->child_count == 2 && world_agrees(&world) &&
			have_sas(1),
		"until the peer has seen that it is of no use");
	end();
}

static uint8_t held[2048];
static size_t held_len;

static bool hold_requests(struct world *w, struct packet *packet)
{
	(void)w;
	if (packet->from != 0 || packet->exchange != IKE_EXCHANGE_CREATE_CHILD_SA || packet->len > sizeof(held))
		return true;
	memcpy(held, packet->data, packet->len);
	held_len = packet->len;
	return false;
}

/* The other way round: what is given up is on its way still, and comes when another IKE SA has the flow. */
static void test_overtaken(void)
{
	begin_with_two(28);
	world.filter = hold_requests;
	world_want(&world, 0, 1, 2);
	world_run_for(&world, A->conns[1].retransmit_timeout_ms * WORLD_MS + 10 * WORLD_MS);
	ok(A->flows[1].downs == 1 && world_pairs_of(&world, 0, 2) == 1 && world_pairs_of(&world, 1, 2) == 1,
		"a further pair on a new IKE SA, when the first one gives no answer");
	world.filter = NULL;
	world_inject(&world, 0, held, held_len, 0);
	world_run_for(&world, SECOND);
	ok(world_pairs_of(&world, 0, 2) == 1 && world_pairs_of(&world, 1, 2) == 2, "the request comes late");
	world_run_for(&world, 10 * SECOND);
	ok(A->downs == 1 && world_pairs_of(&world, 0, 2) == 1 && world_pairs_of(&world, 1, 2) == 1 &&
			B->child_count == 2 && world_agrees(&world) && have_sas(2),
		"and what it has made goes, for nobody knows of it");
	end();
}

/* Its answer comes when a new IKE SA has been begun, or is there. */
static void test_late(uint64_t late_us)
{
	begin(18);
	want(0, 0);
	world_run_for(&world, 5 * SECOND);
	world.filter = drop_answers;
	want(0, 1);
	world_run_for(&world, late_us);
	world.filter = NULL;
	world_run_for(&world, 20 * SECOND);
	ok(stand(2) && B->flows[1].downs <= 1, "an answer that comes after %lu ms: one pair stays",
		(unsigned long)late_us / 1000);
	end();
}

/* N4: who has waited for an IKE SA of another flow, and asked there in vain, fails as if it had one of its own. */
static void test_in_vain(void)
{
	begin(25);
	A->quiet = B->quiet = false;
	world.filter = drop_all;
	want(0, 0);
	world_run_for(&world, WORLD_MS);
	want(0, 1);
	world_run_for(&world, 3500 * WORLD_MS);
	world.filter = drop_answers;
	world_run_for(&world, 6 * SECOND);
	ok(A->flows[0].ups == 1 && A->flows[1].faileds == 1 && A->flows[1].reason == IKE_REASON_TIMEOUT && inits(0) == 5,
		"a wish waits no longer than a negotiation may last");
	world.filter = NULL;
	world_run_for(&world, 60 * SECOND);
	end();
}

/* --- both ends, all weathers ------------------------------------------------------------------------ */

struct weather {
	unsigned loss;
	bool rekey, addke, closes, breaks;
	const char *name;
};

static void prepare(uint64_t seed, const struct weather *weather)
{
	begin(seed);
	A->quiet = B->quiet = false;
	for (size_t i = 0; i < 2; i++) {
		struct ike_conn *conn = &world.hosts[i].conns[0];

		conn->rekey_margin_s = 2;
		conn->child_lifetime_s = weather->rekey ? 9 : 100000;
		conn->ike_lifetime_s = weather->rekey ? 7 : 100000;
		if (weather->addke) {
			conn->ike.addke[0][0] = IKE_GROUP_ECP_256;
			conn->ike.addke_count[0] = 1;
		}
		world_reload(&world, i);
		world.hosts[i].install_us = world_random(&world) % (5 * WORLD_MS);
	}
	world.jitter_us = world_random(&world) % (30 * WORLD_MS) + 1;
	world.loss_percent = weather->loss;
	world.duplicate_percent = weather->loss / 3;
}

static void calm_down(void)
{
	world.loss_percent = world.duplicate_percent = 0;
	for (size_t i = 0; i < 2; i++) {
		world.hosts[i].conns[0].no_rekey = true;
		ike_reconfigure(world.hosts[i].ike, &world.hosts[i].config, world.now_us);
	}
	/* What only one end has by then is found out by liveness; who has nothing wants it. */
	for (unsigned i = 0; i < 3; i++) {
		world_run_for(&world, 60 * SECOND);
		for (size_t flow = 0; flow < 4; flow++) {
			want_if_idle(world_random(&world) % 2, flow);
			world_run_for(&world, 100 * WORLD_MS);
		}
	}
	world_run_for(&world, 60 * SECOND);
}

static const char *judge(void)
{
	if (!ended_once())
		return "a wish did not end once";
	if (!world_agrees(&world))
		return "the hosts do not hold the same pairs";
	for (size_t flow = 0; flow < 4; flow++) {
		if (world_pairs_of(&world, 0, flow) != 1)
			return world_pairs_of(&world, 0, flow) ? "two pairs for a flow" : "no pair for a flow";
	}
	if (ike_counters(A->ike).sas > 4 || ike_counters(A->ike).sas != ike_counters(B->ike).sas)
		return "IKE SAs are left over";
	return ike_counters(A->ike).half_open || ike_counters(B->ike).half_open ? "a half-open SA is left" : NULL;
}

static size_t sas_seen;

static const char *run(uint64_t seed, const struct weather *weather)
{
	const char *wrong;

	prepare(seed, weather);
	for (unsigned step = 0; step < (weather->rekey || weather->closes || weather->breaks ? 40u : 8u); step++) {
		size_t from = world_random(&world) % 2, flow = world_random(&world) % 4;
		const struct ike_child *child = child_of(&world.hosts[from], flow);

		want_if_idle(from, flow);
		if (world_random(&world) % 2)
			want_if_idle(1 - from, flow);
		if (weather->closes && child && world_random(&world) % 3 == 0)
			ike_close_idle(world.hosts[from].ike, child->id, world.now_us);
		if (weather->breaks && child && world_random(&world) % 3 == 0)
			ike_end_child(world.hosts[from].ike, child->id, world.now_us);
		world_run_for(&world, world_random(&world) % (weather->rekey ? 1000 * WORLD_MS : 60 * WORLD_MS));
	}
	world_run_for(&world, 10 * SECOND);
	calm_down();
	wrong = judge();
	sas_seen += ike_counters(A->ike).sas;
	end();
	return wrong;
}

static void test_weather(const struct weather *weather, unsigned seeds)
{
	unsigned bad = 0;

	sas_seen = 0;
	for (uint64_t seed = 0; seed < seeds; seed++) {
		const char *wrong = run(1000 + seed * 7919, weather);

		if (wrong && bad++ < 5)
			diag("seed %" PRIu64 " (%s, loss %u): %s", seed, weather->name, weather->loss, wrong);
	}
	ok(bad == 0, "%s, %u %% loss: %u runs, %u bad, %zu IKE SAs", weather->name, weather->loss, seeds, bad,
		sas_seen);
}

int main(int argc, char **argv)
{
	static const struct weather weathers[] = {
		{.name = "four flows, both ends"},
		{.name = "four flows, both ends", .loss = 20},
		{.name = "with additional key exchanges", .addke = true},
		{.name = "with additional key exchanges", .addke = true, .loss = 20},
		{.name = "that come and go", .closes = true},
		{.name = "that come and go", .closes = true, .loss = 20},
		{.name = "that break", .breaks = true},
		{.name = "that break", .breaks = true, .loss = 20},
		{.name = "rekeyed", .rekey = true},
		{.name = "rekeyed, and break", .rekey = true, .breaks = true, .loss = 10},
		{.name = "rekeyed", .rekey = true, .closes = true, .loss = 10},
	};
	unsigned seeds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100;

	test_at_once();
	test_later(0, false, false);
	test_later(1, false, true);
	test_later(0, true, true);
	test_later(1, true, false);
	test_ends();
	test_bound();
	test_bound_rekeyed(IKE_AUTH_PSK, "a peer that is somebody");
	test_bound_rekeyed(IKE_AUTH_NULL, "one that is nobody");
	test_rekey_of_deleted();
	test_other_conn();
	test_refused();
	test_first_fails();
	test_shutdown();
	test_reload(1);
	test_reload(1500);
	test_reload(4 * WORLD_MS);
	test_no_more();
	test_forgotten(true);
	test_forgotten(false);
	test_in_vain();
	test_dead_together();
	test_given_up(true);
	test_given_up(false);
	test_overtaken();
	test_late(900 * WORLD_MS);
	test_late(1001 * WORLD_MS);
	test_late(1500 * WORLD_MS);
	test_late(3000 * WORLD_MS);
	for (size_t i = 0; i < sizeof(weathers) / sizeof(weathers[0]); i++)
		test_weather(&weathers[i], seeds);
	return tap_done();
}
