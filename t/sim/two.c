/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two engines under a virtual clock: whole negotiations, each with one thing
 * that goes wrong. The names of rules are those of the daemon's (K1, N2, N5 …).
 */
#include "t/sim/world.h"
#include "t/tap.h"

#include "ike/message.h"
#include "ike/payload.h"

#include <stdlib.h>

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

/* --- the plain case --------------------------------------------------------------------------- */

static void test_handshake(enum ike_auth auth, const char *name)
{
	struct ike_sa_info info;
	uint64_t sa;

	world_init(&world, 1, auth);
	sa = world_initiate(&world, 0);
	world_run_for(&world, 100 * WORLD_MS);
	ok(A->ups == 1 && B->ups == 1 && A->faileds == 0, "%s: both are up", name);
	ok(world_agrees(&world) && A->child_count == 1, "%s: pairs mirror each other", name);
	is_int((intmax_t)world.wire_count, 4, "two round trips");
	is_int((intmax_t)(A->up_us - 1000000), 4000, "which is what it takes");
	ok(ike_sa_info(A->ike, sa, &info) && info.established, "the SA is shown as established");
	ok(ike_counters(A->ike).sas == 1 && ike_counters(B->ike).sas == 1 &&
			ike_counters(B->ike).half_open == 0,
		"it is counted");
	world_clear(&world);
}

static void test_transport(enum ipsec_mode a, enum ipsec_mode b, enum ipsec_mode want, const char *name)
{
	world_init(&world, 2, IKE_AUTH_NULL);
	A->conns[0].mode = a;
	B->conns[0].mode = b;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 100 * WORLD_MS);
	ok(world_agrees(&world) && A->child_count == 1 && A->children[0].child.pair.mode == want, "%s",
		name);
	world_clear(&world);
}

static void test_mixed_auth(void)
{
	world_init(&world, 3, IKE_AUTH_PSK);
	A->conns[0].local_auth = IKE_AUTH_NULL;
	B->conns[0].remote_auth = IKE_AUTH_NULL;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 100 * WORLD_MS);
	ok(world_agrees(&world) && A->ups == 1, "NULL on one side, PSK on the other");
	world_clear(&world);
}

/* --- loss, duplication -------------------------------------------------------------------------- */

/* Drops the nth datagram of the world, once. */
static bool drop_nth(struct world *w, struct packet *packet)
{
	(void)packet;
	return w->filter_count++ != *(unsigned *)w->filter_arg;
}

static void test_single_loss(void)
{
	for (unsigned n = 0; n < 4; n++) {
		unsigned jobs;

		world_init(&world, 10 + n, IKE_AUTH_NULL);
		world.filter = drop_nth;
		world.filter_arg = &n;
		world_initiate(&world, 0);
		world_run_for(&world, 1000 * WORLD_MS);
		jobs = A->jobs + B->jobs;
		ok(A->ups == 1 && B->ups == 1 && world_agrees(&world) && A->child_count == 1,
			"message %u lost: it comes up", n);
		ok(A->retransmissions == 1 && jobs == 7, "one retransmission, no work twice");
		ok(A->up_us >= 1250000 && A->up_us < 1260000, "after 250 ms");
		world_clear(&world);
	}
}

static void test_identical_answers(void)
{
	unsigned n = 1;
	uint64_t first = 0, second = 0;

	world_init(&world, 20, IKE_AUTH_NULL);
	world.filter = drop_nth;
	world.filter_arg = &n;
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	for (size_t i = 0; i < world.wire_count; i++) {
		if (world.wire[i].from == 1 && world.wire[i].exchange == IKE_EXCHANGE_IKE_SA_INIT) {
			first = first ? first : world.wire[i].hash;
			second = world.wire[i].hash;
		}
	}
	ok(first && first == second && world_sent(&world, 1, IKE_EXCHANGE_IKE_SA_INIT, true) == 2,
		"the answer is repeated byte for byte");
	world_clear(&world);
}

static void test_duplicates(void)
{
	world_init(&world, 21, IKE_AUTH_PSK);
	world.duplicate_percent = 100;
	world.jitter_us = 50 * WORLD_MS;
	world_initiate(&world, 0);
	world_run_for(&world, 20000 * WORLD_MS);
	ok(A->ups == 1 && B->ups == 1 && world_agrees(&world) && A->child_count == 1,
		"everything twice and in disorder");
	is_int((intmax_t)ike_counters(B->ike).half_open, 0, "no half-open SA is left");
	is_int(A->jobs + B->jobs, 7, "no work twice");
	world_clear(&world);
}

/* --- silence --------------------------------------------------------------------------------------- */

static void test_silent_peer(void)
{
	static const uint64_t at_ms[] = {0, 250, 750, 1750, 3750};
	bool exact = true;

	world_init(&world, 30, IKE_AUTH_NULL);
	B->silent = true;
	world_initiate(&world, 0);
	world_run_for(&world, 10000 * WORLD_MS);
	is_int((intmax_t)world.wire_count, 5, "a silent peer gets five datagrams");
	for (size_t i = 0; i < world.wire_count && i < 5; i++)
		exact = exact && world.wire[i].at_us == 1000000 + at_ms[i] * WORLD_MS;
	ok(exact, "at 0, 250, 750, 1750 and 3750 ms (N4)");
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_TIMEOUT, "then it failed: no answer");
	is_int((intmax_t)(A->failed_us - 1000000), 4000000, "at retransmit-timeout");
	is_int((intmax_t)A->timer_us, (intmax_t)IKE_NEVER, "no timer is left");
	world_clear(&world);
}

/* --- refusals ---------------------------------------------------------------------------------------- */

static void test_wrong_psk(void)
{
	world_init(&world, 40, IKE_AUTH_PSK);
	secret_set(&B->psk.secret, "close sesame", 12);
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 3000 * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_AUTHENTICATION, "wrong PSK: failed");
	ok(A->failed_us < 1010000, "at once: the answer is protected");
	ok(A->child_count == 0 && B->child_count == 0 && B->ups == 0 && B->faileds == 0,
		"and the responder has nothing to tell (N2)");
	world_run_for(&world, 10000 * WORLD_MS);
	is_int((intmax_t)ike_counters(B->ike).half_open, 0, "nothing is left at the responder");
	world_clear(&world);
}

/* The responder proves the PSK, the initiator knows another one: its word counts too. */
static void test_responder_unproved(void)
{
	world_init(&world, 41, IKE_AUTH_PSK);
	A->conns[0].local_auth = B->conns[0].remote_auth = IKE_AUTH_NULL;
	secret_set(&B->psk.secret, "close sesame", 12);
	world_reload(&world, 0);
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 3000 * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_AUTHENTICATION && A->ups == 0,
		"a responder that cannot prove itself");
	ok(B->child_count == 0 && B->downs == 1 && B->down_reason == IKE_REASON_AUTHENTICATION,
		"is told so, and removes its child");
	world_clear(&world);
}

static void test_no_psk(void)
{
	world_init(&world, 42, IKE_AUTH_PSK);
	A->config.psk_count = 0;
	world_reload(&world, 0);
	world_initiate(&world, 0);
	ok(A->faileds == 0, "without a PSK nothing is told from inside");
	world_run_for(&world, 100 * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_UNAVAILABLE && world.wire_count == 0,
		"it fails without a datagram (G7)");
	world_clear(&world);
}

static void test_suite_mismatch(void)
{
	world_init(&world, 43, IKE_AUTH_NULL);
	B->conns[0].ike.encr[0] = (struct ike_encr_choice){IKE_ENCR_AES_GCM_16, 128};
	B->conns[0].ike.encr_count = 1;
	A->conns[0].ike.encr[0] = (struct ike_encr_choice){IKE_ENCR_AES_GCM_16, 256};
	A->conns[0].ike.encr_count = 1;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->softs == 1 && A->soft_reason == IKE_REASON_NO_PROPOSAL, "no common suite: a hint (N5)");
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_NO_PROPOSAL, "then a failure");
	is_int((intmax_t)(A->failed_us - 1000000), 102000, "100 ms after the hint");
	is_int((intmax_t)world_sent(&world, 0, IKE_EXCHANGE_IKE_SA_INIT, false), 2, "one more try");
	ok(ike_counters(B->ike).half_open == 0, "a refusal keeps no state");
	world_clear(&world);
}

static void test_child_refused(void)
{
	world_init(&world, 44, IKE_AUTH_NULL);
	B->refuses_narrow = true;
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_TS_UNACCEPTABLE, "TS_UNACCEPTABLE");
	ok(ike_counters(A->ike).sas == 0 && ike_counters(B->ike).sas == 0,
		"the useless IKE SA is deleted on both sides");
	world_clear(&world);
}

static void test_esp_mismatch(void)
{
	world_init(&world, 45, IKE_AUTH_NULL);
	B->conns[0].esp.encr[0] = (struct ike_encr_choice){IKE_ENCR_AES_GCM_16, 128};
	B->conns[0].esp.encr_count = 1;
	A->conns[0].esp.encr[0] = (struct ike_encr_choice){IKE_ENCR_AES_GCM_16, 256};
	A->conns[0].esp.encr_count = 1;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_NO_PROPOSAL && A->softs == 0,
		"no common ESP suite: failed at once, the word is protected");
	world_clear(&world);
}

/* --- groups and cookies ---------------------------------------------------------------------------------- */

static void test_other_group(void)
{
	world_init(&world, 50, IKE_AUTH_NULL);
	B->conns[0].ike.ke[0] = IKE_GROUP_ECP_256;
	B->conns[0].ike.ke_count = 1;
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->ups == 1 && world_agrees(&world), "INVALID_KE_PAYLOAD leads to the other group");
	is_int((intmax_t)world_sent(&world, 0, IKE_EXCHANGE_IKE_SA_INIT, false), 2, "in one turn");
	ok(A->softs == 0, "which is no failure");
	world_clear(&world);
}

/* An answer of one notify to the last IKE_SA_INIT request of host 0. */
static size_t build_init_notify(
	uint64_t spi_i, uint16_t type, const void *data, size_t data_len, uint8_t out[256])
{
	struct ike_header header = {.spi_i = spi_i,
		.exchange = IKE_EXCHANGE_IKE_SA_INIT,
		.flags = IKE_FLAG_RESPONSE};
	struct ike_builder b = ike_build_message(out, 256, &header);

	ike_notify_build(&b, type, data, data_len);
	return ike_build_finish(&b);
}

/* What an attacker or a strange responder says to each IKE_SA_INIT request. */
struct answerer {
	uint16_t type;
	uint8_t data[64];
	size_t len;
	unsigned limit; /* this many requests */
	bool lets_pass;
	bool spoils_spi;
};

static bool answer_init(struct world *w, struct packet *packet)
{
	struct answerer *answerer = w->filter_arg;
	struct ike_header header;
	uint8_t out[256];

	if (packet->from != 0 || packet->answer || packet->exchange != IKE_EXCHANGE_IKE_SA_INIT ||
		w->filter_count >= answerer->limit)
		return true;
	w->filter_count++;
	ike_header_parse(packet->data, packet->len, &header);
	world_inject(w, 1, out,
		build_init_notify(header.spi_i ^ answerer->spoils_spi, answerer->type,
			answerer->data, answerer->len, out),
		0);
	return answerer->lets_pass;
}

static void test_cookie(void)
{
	struct answerer cookie = {
		.type = IKE_NOTIFY_COOKIE, .data = "biscuit", .len = 7, .limit = 1};

	world_init(&world, 51, IKE_AUTH_NULL);
	world.filter = answer_init;
	world.filter_arg = &cookie;
	world_initiate(&world, 0);
	world_run_for(&world, 200 * WORLD_MS);
	ok(A->ups == 1 && world_agrees(&world), "a cookie is brought back");
	ok(world.wire[1].len == world.wire[0].len + 8 + 7, "as one notify more");
	world_clear(&world);

	cookie.limit = 1000;
	world_init(&world, 52, IKE_AUTH_NULL);
	world.filter = answer_init;
	world.filter_arg = &cookie;
	world_initiate(&world, 0);
	world_run_for(&world, 10000 * WORLD_MS);
	ok(A->faileds == 1 && world.wire_count < 12, "cookies without end: it ends (%zu datagrams)",
		world.wire_count);
	world_clear(&world);
}

/* Both, and each costs one turn: the cookie stays in what asks with the other group. */
static void test_cookie_and_group(bool group_first)
{
	struct answerer other_group = {.type = IKE_NOTIFY_INVALID_KE_PAYLOAD,
		.data = {0, IKE_GROUP_ECP_256},
		.len = 2,
		.limit = 1};

	world_init(&world, 55, IKE_AUTH_NULL);
	B->config.ddos_mode = IKE_DDOS_BUSY;
	B->conns[0].ike.ke[0] = IKE_GROUP_ECP_256;
	B->conns[0].ike.ke_count = 1;
	world_reload(&world, 1);
	if (group_first) {
		world.filter = answer_init;
		world.filter_arg = &other_group;
	}
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->ups == 1 && A->softs == 0 && world_agrees(&world), "another group and a cookie, %s first",
		group_first ? "the group" : "the cookie");
	is_int((intmax_t)world_sent(&world, 0, IKE_EXCHANGE_IKE_SA_INIT, false), 3, "in two turns");
	world_clear(&world);
}

static void test_group_without_end(void)
{
	struct answerer strange = {.type = IKE_NOTIFY_INVALID_KE_PAYLOAD,
		.data = {0, IKE_GROUP_MODP_2048},
		.len = 2,
		.limit = 1000};

	world_init(&world, 53, IKE_AUTH_NULL);
	world.filter = answer_init;
	world.filter_arg = &strange;
	world_initiate(&world, 0);
	world_run_for(&world, 10000 * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_INVALID_KE && world.wire_count == 2,
		"a group that we did not offer");
	world_clear(&world);

	strange.data[1] = IKE_GROUP_CURVE25519;
	world_init(&world, 54, IKE_AUTH_NULL);
	world.filter = answer_init;
	world.filter_arg = &strange;
	world_initiate(&world, 0);
	world_run_for(&world, 10000 * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_INVALID_KE && world.wire_count == 2,
		"the group that we sent");
	world_clear(&world);
}

/* --- what strangers may say (N2, N5) ------------------------------------------------------------------------ */

static void test_spoofed_errors(void)
{
	struct answerer spoof = {.type = IKE_NOTIFY_NO_PROPOSAL_CHOSEN, .limit = 1, .lets_pass = true};

	world_init(&world, 60, IKE_AUTH_NULL);
	world.filter = answer_init;
	world.filter_arg = &spoof;
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->softs == 1 && A->ups == 1 && A->faileds == 0 && world_up_count(&world, 0) == 1,
		"a spoofed NO_PROPOSAL_CHOSEN with our SPI is a hint only");
	world_clear(&world);

	spoof.spoils_spi = true;
	world_init(&world, 61, IKE_AUTH_NULL);
	world.filter = answer_init;
	world.filter_arg = &spoof;
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->softs == 0 && A->ups == 1, "with another SPI it is nothing");
	world_clear(&world);
}

static void test_icmp(void)
{
	struct path path;
	uint8_t quoted[28] = {0};

	world_init(&world, 62, IKE_AUTH_NULL);
	B->silent = true;
	world_initiate(&world, 0);
	path = world_path(&world, 0);
	ike_unreachable(A->ike, &path, quoted, sizeof(quoted), world.now_us);
	ike_unreachable(A->ike, &path, quoted, 3, world.now_us);
	world_run_for(&world, 50 * WORLD_MS);
	ok(A->softs == 0, "ICMP that quotes something else is nothing");
	world_clear(&world);
}

static bool keep_whole(struct world *w, struct packet *packet)
{
	struct packet *kept = w->filter_arg;

	kept->len = packet->len;
	memcpy(kept->data, packet->data, packet->len);
	return false;
}

static bool note_whole(struct world *w, struct packet *packet)
{
	if (packet->from == 0 && packet->exchange == IKE_EXCHANGE_IKE_AUTH)
		keep_whole(w, packet);
	return true;
}

static bool keep_request(struct world *w, struct packet *packet)
{
	if (w->filter_count++ == 0)
		memcpy(w->filter_arg, packet->data, 28);
	return true;
}

static void test_icmp_ours(size_t quote_len, uint64_t seed)
{
	uint8_t quoted[28];
	struct path path;

	world_init(&world, seed, IKE_AUTH_NULL);
	B->silent = true;
	world.filter = keep_request;
	world.filter_arg = quoted;
	world_initiate(&world, 0);
	world_run_for(&world, 0);
	path = world_path(&world, 0);
	ike_unreachable(A->ike, &path, quoted, quote_len, world.now_us);
	ike_unreachable(A->ike, &path, quoted, quote_len, world.now_us);
	is_int((intmax_t)world.wire_count, 2, "ICMP for our datagram: it is sent again once");
	world_run_for(&world, 99 * WORLD_MS);
	ok(A->softs == 1 && A->faileds == 0, "told as a hint");
	world_run_for(&world, 2 * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_UNREACHABLE, "and failed after 100 ms");
	world_clear(&world);
}

/* The hint came while IKE_AUTH was under way and the peer answered all the same. */
static void test_icmp_disproved(void)
{
	uint8_t quoted[1024];
	struct packet packet = {.data = quoted};
	struct path path;

	world_init(&world, 65, IKE_AUTH_NULL);
	A->install_us = 500 * WORLD_MS;
	world_initiate(&world, 0);
	world.filter = note_whole;
	world.filter_arg = &packet;
	world_run_for(&world, 2500);
	path = world_path(&world, 0);
	ike_unreachable(A->ike, &path, quoted, packet.len, world.now_us);
	world_run_for(&world, 5000 * WORLD_MS);
	is_int(A->softs, 1, "a hint against IKE_AUTH");
	ok(A->ups == 1 && A->faileds == 0 && A->downs == 0 && world_up_count(&world, 0) == 1,
		"that the answer disproves leaves nothing behind");
	world_clear(&world);
}

/* Somebody sends IKE_SA_INITs in the peer's name: the flood changes nothing of ours, and is bounded. */
static void test_spoofed_init(void)
{
	static struct world forge;
	uint8_t request[512];

	world_init(&world, 66, IKE_AUTH_NULL);
	A->config.max_half_open = 5;
	world_reload(&world, 0);
	world_initiate(&world, 0);
	/* Requests as host 1 would make them, from a world apart. */
	for (uint64_t i = 0; i < 10; i++) {
		struct packet packet = {.data = request};

		world_init(&forge, 900 + i, IKE_AUTH_NULL);
		forge.filter = keep_whole;
		forge.filter_arg = &packet;
		world_initiate(&forge, 1);
		world_run_for(&forge, 0);
		world_clear(&forge);
		world_inject(&world, 1, request, packet.len, i * 100);
	}
	world_run_for(&world, 100 * WORLD_MS);
	ok(A->ups == 1 && A->faileds == 0 && A->softs == 0, "spoofed IKE_SA_INITs change nothing (N2)");
	ok(ike_counters(A->ike).half_open == 5 && ike_counters(A->ike).half_open_limit == 5,
		"half-open SAs are bounded");
	world_run_for(&world, 11000 * WORLD_MS);
	ok(ike_counters(A->ike).half_open == 0 && world_up_count(&world, 0) == 1, "and short-lived");
	world_clear(&world);
}

int main(void)
{
	test_handshake(IKE_AUTH_NULL, "NULL");
	test_handshake(IKE_AUTH_PSK, "PSK");
	test_mixed_auth();
	test_transport(IPSEC_TRANSPORT, IPSEC_TRANSPORT, IPSEC_TRANSPORT, "transport when both want");
	test_transport(IPSEC_TUNNEL, IPSEC_TRANSPORT, IPSEC_TUNNEL, "tunnel when not asked");
	test_transport(IPSEC_TRANSPORT, IPSEC_TUNNEL, IPSEC_TUNNEL, "tunnel when not granted");
	test_single_loss();
	test_identical_answers();
	test_duplicates();
	test_silent_peer();
	test_wrong_psk();
	test_responder_unproved();
	test_no_psk();
	test_suite_mismatch();
	test_child_refused();
	test_esp_mismatch();
	test_other_group();
	test_cookie();
	test_cookie_and_group(false);
	test_cookie_and_group(true);
	test_group_without_end();
	test_spoofed_errors();
	test_icmp();
	test_icmp_ours(28, 63);
	test_icmp_ours(8, 64);
	test_icmp_disproved();
	test_spoofed_init();
	return tap_done();
}
