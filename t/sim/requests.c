/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a peer may send beyond the plain exchanges, with and without the keys
 * of a live SA: each is answered or ignored as RFC 7296 says, and changes
 * nothing else. Requests are forged with the keys of the other engine.
 */
#include "t/sim/forge.h"
#include "t/tap.h"

#include "ike/sa.h"
#include "lib/mem.h"

#include <stdlib.h>

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

static void establish(uint64_t seed)
{
	world_init(&world, seed, IKE_AUTH_NULL);
	world_initiate(&world, 0);
	world_run_for(&world, 100 * WORLD_MS);
	forge_seen.count = 0;
	world.filter = forge_look;
}

/* The next request of host 1 on its first SA. */
static void forge(uint8_t exchange, struct ike_builder *chain, uint32_t ahead)
{
	forge_request(&world, B->ike->by_id, exchange, chain, ahead);
}

static void test_empty(void)
{
	uint8_t room[8];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));

	establish(1);
	forge(IKE_EXCHANGE_INFORMATIONAL, &chain, 0);
	ok(forge_seen.count == 1 && forge_seen.inner.count == 0, "an empty request is answered with nothing");
	forge(IKE_EXCHANGE_INFORMATIONAL, &chain, 0);
	ok(A->downs == 0 && world.wire[world.wire_count - 1].hash ==
				   world.wire[world.wire_count - 2].hash,
		"and again with the same bytes");
	world_clear(&world);

	establish(2);
	forge(IKE_EXCHANGE_INFORMATIONAL, &chain, 1);
	is_int(forge_seen.count, 0, "a request from ahead of the window is not answered");
	world_clear(&world);
}

static void test_create_child(void)
{
	uint8_t room[256];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));

	establish(3);
	ike_notify_build(&chain, IKE_NOTIFY_REKEY_SA, NULL, 0);
	forge(IKE_EXCHANGE_CREATE_CHILD_SA, &chain, 0);
	ok(forge_answered_with(IKE_NOTIFY_INVALID_SYNTAX) && A->child_count == 1,
		"CREATE_CHILD_SA with nothing in it: INVALID_SYNTAX");
	world_clear(&world);
}

static void forge_successor(uint32_t old, uint32_t fresh, uint16_t group, uint32_t ahead)
{
	static const uint8_t zero[32] = {1};
	uint8_t room[512];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));
	struct ike_suite suite = {.encr = {{IKE_ENCR_AES_GCM_16, 256}}, .encr_count = 1};
	struct ike_scope scope = {.selector = world_selector(&world, 1)};

	suite.ke[0] = group;
	suite.ke_count = group ? 1 : 0;
	ike_notify_build_esp(&chain, IKE_NOTIFY_REKEY_SA, old);
	ike_proposal_offer(&chain, IKE_PROTOCOL_ESP, &suite, fresh, 4);
	ike_build_payload(&chain, IKE_PAYLOAD_NONCE, zero, sizeof(zero));
	ike_build_selectors(&chain, &scope, true);
	forge_seen.count = 0;
	forge(IKE_EXCHANGE_CREATE_CHILD_SA, &chain, ahead);
}

static void forge_rekey(uint32_t spi, uint16_t group)
{
	forge_successor(spi, 0x12345678, group, 0);
}

/* A further CHILD SA on an IKE SA whose only one the peer has deleted: the IKE SA stays. */
static void test_further_child(void)
{
	static const uint8_t nonce[32] = {1};
	uint8_t room[512];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));
	struct ike_suite suite = {.encr = {{IKE_ENCR_AES_GCM_16, 256}}, .encr_count = 1};
	struct ike_scope scope = {0};

	establish(33);
	scope.selector = world_selector(&world, 1);
	ike_delete_build_esp(&chain, B->children[0].child.pair.in.spi);
	forge(IKE_EXCHANGE_INFORMATIONAL, &chain, 0);
	is_int((int)A->child_count, 0, "the peer deletes the only CHILD SA");
	chain = ike_build_chain(room, sizeof(room));
	ike_proposal_offer(&chain, IKE_PROTOCOL_ESP, &suite, 0x12345678, 4);
	ike_build_payload(&chain, IKE_PAYLOAD_NONCE, nonce, sizeof(nonce));
	ike_build_selectors(&chain, &scope, true);
	forge(IKE_EXCHANGE_CREATE_CHILD_SA, &chain, 1);
	is_int((int)A->child_count, 1, "and asks for another");
	world_run_for(&world, 5000 * WORLD_MS);
	is_int((int)A->child_count, 1, "which stays");
	world_clear(&world);
}

/* Asks for so many CHILD SAs; gives how many there were at most. */
static unsigned ask_for_children(struct ike_sa *sa, uint32_t count)
{
	static const uint8_t nonce[32] = {1};
	struct ike_suite suite = {.encr = {{IKE_ENCR_AES_GCM_16, 256}}, .encr_count = 1};
	unsigned most = 0;

	for (uint32_t n = 0; n < count; n++) {
		uint8_t room[512];
		struct ike_builder chain = ike_build_chain(room, sizeof(room));
		struct ike_scope scope = {.selector = world_selector(&world, 1)};

		ike_proposal_offer(&chain, IKE_PROTOCOL_ESP, &suite, 0x10000 + n, 4);
		ike_build_payload(&chain, IKE_PAYLOAD_NONCE, nonce, sizeof(nonce));
		ike_build_selectors(&chain, &scope, true);
		forge_request(&world, sa, IKE_EXCHANGE_CREATE_CHILD_SA, &chain, n);
		most = A->child_count > most ? (unsigned)A->child_count : most;
	}
	return most;
}

/* A peer that asks for more and more of them fills no memory and no kernel. */
static void test_many_children(void)
{
	struct ike_sa *first;

	establish(34);
	first = B->ike->by_id;
	is_int((int)ask_for_children(first, 60), 32, "an IKE SA has 32 CHILD SAs at most");
	world_initiate(&world, 0);
	world_run_for(&world, 100 * WORLD_MS);
	is_int((int)ask_for_children(first->by_id.next, 10), 33,
		"who is nobody gets no more on another than IKE_AUTH's");
	world_clear(&world);
}

/* Nor does one that replaces what it has, and deletes nothing. */
static void test_many_successors(void)
{
	uint32_t first;

	establish(37);
	first = B->children[0].child.pair.in.spi;
	forge_successor(first, 0x10000, 0, 0);
	is_int((int)A->child_count, 2, "a pair has a successor");
	forge_successor(first, 0x20000, 0, 1);
	ok(forge_answered_with(IKE_NOTIFY_TEMPORARY_FAILURE) && A->child_count == 2, "and no second one");
	for (uint32_t n = 0; n < 63; n++)
		forge_successor(0x10000 + n, 0x10001 + n, 0, n + 2);
	ok(forge_answered_with(IKE_NOTIFY_TEMPORARY_FAILURE), "one after the other, there is an end of them");
	is_int((int)A->child_count, 64, "at twice as many as there may be otherwise");
	world_clear(&world);
}

/* By the IKE SA that is being replaced the last CHILD SA of its successor is deleted: that has no use any more. */
static void test_delete_by_old(void)
{
	uint8_t room[64];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));

	establish(36);
	world_run_for(&world, 1500 * WORLD_MS);
	world_replace_sa(&world, 0);
	world_run_for(&world, 500 * WORLD_MS);
	is_int((int)ike_counters(A->ike).sas, 2, "an IKE SA that is being replaced");
	ike_delete_build_esp(&chain, B->children[0].child.pair.in.spi);
	forge(IKE_EXCHANGE_INFORMATIONAL, &chain, 0);
	is_int((int)A->child_count, 0, "deletes what its successor has");
	world_run_for(&world, 10000 * WORLD_MS);
	is_int((int)ike_counters(A->ike).sas, 0, "and the successor goes, too");
	world_clear(&world);
}

static void test_rekey_refused(void)
{
	establish(30);
	forge_rekey(0x99999999, 0);
	ok(forge_answered_with(IKE_NOTIFY_CHILD_SA_NOT_FOUND) && A->child_count == 1,
		"a CHILD SA that we do not have: CHILD_SA_NOT_FOUND");
	world_clear(&world);
	establish(31);
	forge_rekey(B->children[0].child.pair.in.spi, IKE_GROUP_CURVE25519);
	ok(forge_answered_with(IKE_NOTIFY_INVALID_KE_PAYLOAD) && A->child_count == 1,
		"a group without its KE payload: INVALID_KE_PAYLOAD");
	world_clear(&world);
	establish(32);
	forge_rekey(B->children[0].child.pair.in.spi, IKE_GROUP_ECP_521);
	ok(forge_answered_with(IKE_NOTIFY_NO_PROPOSAL_CHOSEN), "a group that is not ours: NO_PROPOSAL_CHOSEN");
	world_clear(&world);
}

static void (*true_random)(void *arg, void *out, size_t len);
static unsigned randoms;

static void count_random(void *arg, void *out, size_t len)
{
	randoms++;
	true_random(arg, out, len);
}

/* What is refused for something else costs no key exchange, and no random bytes for one. */
static void test_refused_first(void)
{
	static const uint8_t nonce[32] = {1}, point[32] = {9};
	uint8_t room[512];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));
	struct ike_suite suite = {.encr = {{IKE_ENCR_AES_GCM_16, 256}}, .encr_count = 1};
	struct ike_scope foreign = {0};

	establish(38);
	foreign.selector = world_selector(&world, 1);
	foreign.selector.local.addr.bytes[0] ^= 1;
	suite.ke[0] = IKE_GROUP_CURVE25519;
	suite.ke_count = 1;
	true_random = A->ike->ops.random;
	A->ike->ops.random = count_random;
	randoms = 0;
	ike_proposal_offer(&chain, IKE_PROTOCOL_ESP, &suite, 0x12345678, 4);
	ike_build_payload(&chain, IKE_PAYLOAD_NONCE, nonce, sizeof(nonce));
	ike_ke_build(&chain, IKE_GROUP_CURVE25519, point, sizeof(point));
	ike_build_selectors(&chain, &foreign, true);
	forge(IKE_EXCHANGE_CREATE_CHILD_SA, &chain, 0);
	ok(forge_answered_with(IKE_NOTIFY_TS_UNACCEPTABLE) && A->child_count == 1,
		"selectors of another host, with a key exchange: TS_UNACCEPTABLE");
	is_int((int)randoms, 0, "without an answer to the key exchange");
	A->ike->ops.random = true_random;
	world_clear(&world);
}

static void test_critical(void)
{
	uint8_t room[] = {0, 0x80, 0, 4};
	struct ike_builder chain = ike_build_chain(room, sizeof(room));

	establish(4);
	chain.first = 200;
	chain.w.len = sizeof(room);
	forge(IKE_EXCHANGE_INFORMATIONAL, &chain, 0);
	ok(forge_answered_with(IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD) && A->downs == 0,
		"an unknown critical payload is refused");
	world_clear(&world);

	establish(5);
	room[1] = 0;
	chain.first = 200;
	forge(IKE_EXCHANGE_INFORMATIONAL, &chain, 0);
	ok(forge_seen.count == 1 && forge_seen.inner.count == 0, "one that is not critical is skipped");
	world_clear(&world);
}

static bool is_known(unsigned type)
{
	return (type >= IKE_PAYLOAD_SA && type <= IKE_PAYLOAD_EAP) || type == IKE_PAYLOAD_SKF;
}

/* An empty payload of each type there is: IKEv1's, reserved ones, those that belong elsewhere (CVE-2015-3991). */
static void test_types(void)
{
	unsigned refused = 0, taken = 0, wrong = 0;

	for (unsigned i = 2; i < 512; i++) {
		bool critical = i % 2, unsupported = critical && !is_known(i / 2);
		uint8_t room[] = {0, critical ? 0x80 : 0, 0, 4};
		struct ike_builder chain = ike_build_chain(room, sizeof(room));

		establish(5);
		chain.first = (uint8_t)(i / 2);
		chain.w.len = sizeof(room);
		forge(IKE_EXCHANGE_INFORMATIONAL, &chain, 0);
		if (unsupported)
			refused += forge_answered_with(IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD);
		else
			taken += forge_seen.count == 1 && forge_seen.inner.count == 0;
		wrong += A->downs;
		world_clear(&world);
	}
	ok(refused == 255 - 17 && taken == 255 + 17 && !wrong,
		"255 types of payload: %u taken, %u refused as critical", taken, refused);
}

/* REKEY_SA for what is no ESP SPI (CVE-2023-38710). */
static void test_rekey_spis(void)
{
	static const uint8_t lens[] = {0, 1, 3, 4, 5, 8, 255}, spi[255];
	unsigned refused = 0;

	for (unsigned protocol = 0; protocol < 256; protocol++) {
		establish(6);
		for (uint32_t i = 0; i < ARRAY_LEN(lens); i++) {
			uint8_t room[1024];
			struct ike_builder chain = ike_build_chain(room, sizeof(room));
			struct ike_suite suite = {.encr = {{IKE_ENCR_AES_GCM_16, 256}}, .encr_count = 1};
			struct ike_scope scope = {.selector = world_selector(&world, 1)};

			ike_build_begin(&chain, IKE_PAYLOAD_NOTIFY);
			writer_u8(&chain.w, (uint8_t)protocol);
			writer_u8(&chain.w, lens[i]);
			writer_u16(&chain.w, IKE_NOTIFY_REKEY_SA);
			writer_bytes(&chain.w, spi, lens[i]);
			ike_build_end(&chain);
			ike_proposal_offer(&chain, IKE_PROTOCOL_ESP, &suite, 0x12345678, 4);
			ike_build_payload(&chain, IKE_PAYLOAD_NONCE, spi, 32);
			ike_build_selectors(&chain, &scope, true);
			forge_seen.count = 0;
			forge(IKE_EXCHANGE_CREATE_CHILD_SA, &chain, i);
			refused += forge_answered_with(IKE_NOTIFY_CHILD_SA_NOT_FOUND) && A->child_count == 1;
		}
		world_clear(&world);
	}
	is_int((int)refused, 256 * 7, "REKEY_SA of each protocol with SPIs of all lengths: CHILD_SA_NOT_FOUND");
}

/* What stands in the clear beside an encrypted payload is not kept in a place that is full (CVE-2026-12413). */
static void test_crowded(void)
{
	static uint8_t out[2048];

	for (unsigned n = 60; n <= 100; n += 40) {
		for (uint8_t last = IKE_PAYLOAD_SK; last <= IKE_PAYLOAD_SKF; last += IKE_PAYLOAD_SKF - IKE_PAYLOAD_SK) {
			struct ike_header header = {.exchange = IKE_EXCHANGE_INFORMATIONAL};
			struct ike_builder b;

			establish(7);
			header.spi_i = B->ike->by_id->spi_i;
			header.spi_r = B->ike->by_id->spi_r;
			b = ike_build_message(out, sizeof(out), &header);
			for (unsigned i = 0; i < n; i++)
				ike_notify_build(&b, IKE_NOTIFY_INITIAL_CONTACT, NULL, 0);
			ike_build_payload(&b, last, out, 64);
			world_inject(&world, 1, out, ike_build_finish(&b), 0);
			world_run_for(&world, 10 * WORLD_MS);
			ok(forge_seen.count == 0 && A->downs == 0 && ike_counters(A->ike).sas == 1,
				"%u payloads before payload %u: ignored", n, last);
			world_clear(&world);
		}
	}
}

static void test_malformed(void)
{
	uint8_t room[] = {0, 0, 0, 3};
	struct ike_builder chain = ike_build_chain(room, sizeof(room));

	establish(6);
	chain.first = IKE_PAYLOAD_DELETE;
	chain.w.len = sizeof(room);
	forge(IKE_EXCHANGE_INFORMATIONAL, &chain, 0);
	ok(forge_answered_with(IKE_NOTIFY_INVALID_SYNTAX), "authentic nonsense: INVALID_SYNTAX");
	ok(A->downs == 1 && A->down_reason == IKE_REASON_INVALID_SYNTAX, "which ends the SA");
	world_clear(&world);
}

static void test_rejected(void)
{
	uint8_t room[64];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));

	establish(7);
	ike_notify_build(&chain, IKE_NOTIFY_AUTHENTICATION_FAILED, NULL, 0);
	forge(IKE_EXCHANGE_INFORMATIONAL, &chain, 0);
	ok(A->downs == 1 && A->down_reason == IKE_REASON_AUTHENTICATION,
		"an initiator that rejects our AUTH afterwards ends the SA");
	world_clear(&world);
}

static void test_delete_child(void)
{
	uint8_t room[64];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));
	struct ike_delete del = {0};

	establish(8);
	ike_delete_build_esp(&chain, 0x01020304);
	forge(IKE_EXCHANGE_INFORMATIONAL, &chain, 0);
	ok(A->downs == 0 && A->child_count == 1, "DELETE of a CHILD SA that is none changes nothing");
	world_clear(&world);

	establish(9);
	chain = ike_build_chain(room, sizeof(room));
	ike_delete_build_esp(&chain, A->children[0].child.pair.out.spi);
	forge(IKE_EXCHANGE_INFORMATIONAL, &chain, 0);
	ok(A->downs == 1 && A->down_reason == IKE_REASON_PEER_DELETED, "DELETE of the CHILD SA");
	ok(forge_seen.inner.count == 1 && ike_delete_parse(&forge_seen.inner.payloads[0], &del) &&
			del.count == 1 && del.spis[0] == B->children[0].child.pair.out.spi,
		"is answered with our half");
	world_run_for(&world, 10000 * WORLD_MS);
	ok(ike_counters(A->ike).sas == 0 && ike_counters(B->ike).sas == 0,
		"and the IKE SA follows");
	world_clear(&world);
}

static void test_unknown_exchange(void)
{
	uint8_t room[8];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));

	establish(10);
	forge(77, &chain, 0);
	ok(forge_seen.count == 0 && A->downs == 0, "an unknown exchange is ignored");
	world_clear(&world);
}

/* --- without keys ------------------------------------------------------------------------------- */

static bool keep(struct world *w, struct packet *packet)
{
	struct packet *kept = w->filter_arg;

	if (!kept->len && packet->exchange == IKE_EXCHANGE_IKE_SA_INIT) {
		kept->len = packet->len;
		memcpy(kept->data, packet->data, packet->len);
	}
	return true;
}

static void test_init_variants(void)
{
	uint8_t request[512];
	struct packet kept = {.data = request};
	size_t answers;

	world_init(&world, 20, IKE_AUTH_NULL);
	world.filter = keep;
	world.filter_arg = &kept;
	world_initiate(&world, 0);
	world_run_for(&world, 1500);
	for (unsigned i = 0; i < 9; i++)
		world_inject(&world, 0, request, kept.len, i);
	world_run_for(&world, 100 * WORLD_MS);
	ok(B->ups == 1 && ike_counters(B->ike).responded == 1,
		"ten copies of an IKE_SA_INIT make one SA");
	answers = world_sent(&world, 1, IKE_EXCHANGE_IKE_SA_INIT, true);
	ok(answers >= 2 && answers <= 10, "and equal answers (%zu)", answers);
	request[kept.len - 1] ^= 1;
	world_inject(&world, 0, request, kept.len, 0);
	world_run_for(&world, 100 * WORLD_MS);
	ok(world_sent(&world, 1, IKE_EXCHANGE_IKE_SA_INIT, true) == answers &&
			ike_counters(B->ike).half_open == 0,
		"another request with a known SPI is not answered");
	world_clear(&world);
}

/* Keeps host 0's IKE_AUTH request, as keep() does the first one. */
static bool keep_auth(struct world *w, struct packet *packet)
{
	struct packet *kept = w->filter_arg;

	if (packet->from == 0 && packet->exchange == IKE_EXCHANGE_IKE_AUTH) {
		kept->len = packet->len;
		memcpy(kept->data, packet->data, packet->len);
	}
	return true;
}

/* 2.1: a response is kept for some minutes; nothing is answered anew after that. */
static void test_late_copies(void)
{
	uint8_t request[1024];
	struct packet kept = {.data = request};

	world_init(&world, 23, IKE_AUTH_NULL);
	A->conns[0].dpd_delay_ms = B->conns[0].dpd_delay_ms = 0;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world.filter = keep_auth;
	world.filter_arg = &kept;
	world_initiate(&world, 0);
	world_run_for(&world, 170000 * WORLD_MS);
	world_inject(&world, 0, request, kept.len, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	is_int((intmax_t)world_sent(&world, 1, IKE_EXCHANGE_IKE_AUTH, true), 2,
		"a copy of IKE_AUTH after 170 s has the same answer");
	ok(B->ike->by_id->response.data, "which is kept");
	world_run_for(&world, 20000 * WORLD_MS);
	ok(!B->ike->by_id->response.data, "for three minutes");
	world_inject(&world, 0, request, kept.len, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(world_sent(&world, 1, IKE_EXCHANGE_IKE_AUTH, true) == 2 && B->ups == 1,
		"a copy after that has none");
	world_clear(&world);
}

static void test_altered_init(void)
{
	uint8_t request[512];
	struct packet kept = {.data = request};

	world_init(&world, 21, IKE_AUTH_NULL);
	world.filter = keep;
	world.filter_arg = &kept;
	world_initiate(&world, 0);
	world_run_for(&world, 0);
	A->job_us = 150 * WORLD_MS;
	world_run_for(&world, 10 * WORLD_MS);
	request[kept.len - 1] ^= 1;
	world_inject(&world, 0, request, kept.len, 0);
	world_run_for(&world, 10 * WORLD_MS);
	is_int((intmax_t)world_sent(&world, 1, IKE_EXCHANGE_IKE_SA_INIT, true), 1,
		"while half-open neither");
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->ups == 1 && world_agrees(&world), "and the true one goes on");
	world_clear(&world);
}

static void test_version(void)
{
	uint8_t request[512];
	struct packet kept = {.data = request};

	world_init(&world, 22, IKE_AUTH_NULL);
	world.filter = keep;
	world.filter_arg = &kept;
	world_initiate(&world, 0);
	world_run_for(&world, 100 * WORLD_MS);
	request[0] ^= 1;
	request[17] = 0x30;
	world_inject(&world, 0, request, kept.len, 0);
	world_inject(&world, 0, request, kept.len, 0);
	world_run_for(&world, 10 * WORLD_MS);
	is_int((intmax_t)world_sent(&world, 1, IKE_EXCHANGE_IKE_SA_INIT, true), 2,
		"a major version above 2 is answered, but not at any rate");
	request[17] = 0x10;
	world_run_for(&world, 1000 * WORLD_MS);
	world_inject(&world, 0, request, kept.len, 0);
	world_run_for(&world, 10 * WORLD_MS);
	is_int((intmax_t)world_sent(&world, 1, IKE_EXCHANGE_IKE_SA_INIT, true), 2,
		"one below is not");
	world_clear(&world);
}

/* Each byte of IKE_AUTH changed on the way: as if it had never come. */
static bool corrupt_auth(struct world *w, struct packet *packet)
{
	if (packet->exchange == IKE_EXCHANGE_IKE_AUTH && w->filter_count++ == 0)
		packet->data[28 + world_random(w) % (packet->len - 28)] ^= 0x10;
	return true;
}

static void test_forged(void)
{
	bool good = true;

	for (uint64_t seed = 100; seed < 200; seed++) {
		world_init(&world, seed, IKE_AUTH_PSK);
		world.filter = corrupt_auth;
		world_initiate(&world, 0);
		world_run_for(&world, 1000 * WORLD_MS);
		good = good && A->ups == 1 && A->faileds == 0 && world_agrees(&world) &&
		       A->retransmissions == 1;
		world_clear(&world);
	}
	ok(good, "a corrupted IKE_AUTH is as if it had never come");
}

/* An initiator that goes to port 4500 without need: host 1 must answer there. */
static bool float_ports(struct world *w, struct packet *packet)
{
	bool *followed = w->filter_arg;

	if (packet->exchange == IKE_EXCHANGE_IKE_SA_INIT)
		return true;
	if (packet->from == 0) {
		packet->path.local.port = packet->path.remote.port = 4500;
		return true;
	}
	*followed = packet->path.local.port == 4500 && packet->path.remote.port == 4500;
	packet->path.local.port = packet->path.remote.port = 500;
	return true;
}

static void test_float(void)
{
	bool followed = false;

	world_init(&world, 31, IKE_AUTH_PSK);
	world.filter = float_ports;
	world.filter_arg = &followed;
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->ups == 1 && followed && world_agrees(&world),
		"an initiator may go to port 4500 without a NAT");
	world_clear(&world);
}

int main(void)
{
	test_empty();
	test_create_child();
	test_rekey_refused();
	test_further_child();
	test_many_children();
	test_many_successors();
	test_delete_by_old();
	test_refused_first();
	test_critical();
	test_types();
	test_rekey_spis();
	test_crowded();
	test_malformed();
	test_rejected();
	test_delete_child();
	test_unknown_exchange();
	test_init_variants();
	test_late_copies();
	test_altered_init();
	test_version();
	test_forged();
	test_float();
	return tap_done();
}
