/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a request gets from an end that has something of its own under way (RFC 7296 2.25.1, 2.25.2),
 * and what that end does when its own request is refused so. Host 1 never sees what host 0 asks:
 * its part is forged.
 */
#include "t/sim/flows.h"
#include "t/sim/forge.h"
#include "t/tap.h"

#include "ike/sa.h"
#include "lib/mem.h"

/* What host 0 is at, and what it is asked for meanwhile. */
enum state { IDLE, CREATES_CHILD, REKEYS_CHILD, CLOSES_CHILD, REKEYS_IKE, CLOSES_IKE, STATES };
enum request { CHILD, REKEY_CHILD, REKEY_UNKNOWN, REKEY_IKE, REQUESTS };

static const char *const state_names[STATES] = {[IDLE] = "nothing",
	[CREATES_CHILD] = "a further CHILD SA",
	[REKEYS_CHILD] = "a CHILD SA's rekey",
	[CLOSES_CHILD] = "a CHILD SA's end",
	[REKEYS_IKE] = "the IKE SA's rekey",
	[CLOSES_IKE] = "the IKE SA's end"};
static const char *const request_names[REQUESTS] = {[CHILD] = "a further CHILD SA",
	[REKEY_CHILD] = "a rekey of that CHILD SA",
	[REKEY_UNKNOWN] = "a rekey of one that is none",
	[REKEY_IKE] = "a rekey of the IKE SA"};

#define GRANTED 0
#define BUSY IKE_NOTIFY_TEMPORARY_FAILURE
#define NOT_FOUND IKE_NOTIFY_CHILD_SA_NOT_FOUND

static const uint16_t answers[STATES][REQUESTS] = {
	[IDLE] = {GRANTED, GRANTED, NOT_FOUND, GRANTED},
	[CREATES_CHILD] = {GRANTED, GRANTED, NOT_FOUND, BUSY},
	[REKEYS_CHILD] = {GRANTED, GRANTED, NOT_FOUND, BUSY},
	[CLOSES_CHILD] = {GRANTED, BUSY, NOT_FOUND, BUSY},
	[REKEYS_IKE] = {BUSY, BUSY, BUSY, GRANTED},
	[CLOSES_IKE] = {BUSY, BUSY, BUSY, BUSY},
};

static bool lose_requests(struct world *w, struct packet *packet)
{
	return forge_look(w, packet) && (packet->from == 1 || packet->answer);
}

static void bring_into(enum state state)
{
	struct ike_sa *sa = A->ike->by_id;

	switch (state) {
	case IDLE:
	case STATES:
		return;
	case CREATES_CHILD:
		want(0, 1);
		break;
	case REKEYS_CHILD:
		ike_rekey(A->ike, sa->children->pub.id, world.now_us);
		break;
	case CLOSES_CHILD:
		sa->children->delete_us = world.now_us;
		break;
	case REKEYS_IKE:
		sa->rekey_us = world.now_us;
		break;
	case CLOSES_IKE:
		ike_delete(A->ike, sa->id, world.now_us);
		break;
	}
	ike_sa_schedule(sa);
	ike_tick(A->ike, world.now_us);
}

/* Up for long enough that the IKE SA may be replaced, too. */
static void begin_in(enum state state, uint64_t seed)
{
	begin(seed);
	want(0, 0);
	world_run_for(&world, 1500 * WORLD_MS);
	forge_seen.count = 0;
	world.filter = lose_requests;
	bring_into(state);
	world_run_for(&world, WORLD_MS);
}

static void build_request(struct ike_builder *chain, enum request request)
{
	static const uint8_t nonce[32] = {1}, ke[32] = {9};
	bool ike = request == REKEY_IKE;
	struct ike_suite suite = {.encr = {{IKE_ENCR_AES_GCM_16, 256}},
		.encr_count = 1,
		.prf = {IKE_PRF_HMAC_SHA2_256},
		.prf_count = ike,
		.ke = {IKE_GROUP_CURVE25519},
		.ke_count = 1};
	struct ike_scope scope = {.selector = world_selector(&world, 1)};

	if (request == REKEY_CHILD || request == REKEY_UNKNOWN)
		ike_notify_build_esp(chain, IKE_NOTIFY_REKEY_SA,
			request == REKEY_CHILD ? B->ike->by_id->children->pub.pair.in.spi : 0x99999999);
	ike_proposal_offer(chain, ike ? IKE_PROTOCOL_IKE : IKE_PROTOCOL_ESP, &suite, 0x12345678, ike ? 8 : 4);
	ike_build_payload(chain, IKE_PAYLOAD_NONCE, nonce, sizeof(nonce));
	ike_ke_build(chain, IKE_GROUP_CURVE25519, ke, sizeof(ke));
	if (!ike)
		ike_build_selectors(chain, &scope, true);
}

/* An SA payload and no error, or the one error. */
static bool is_answered_with(uint16_t type)
{
	struct ike_notify error;

	if (forge_seen.count != 1)
		return false;
	if (ike_notify_find_error(&forge_seen.inner, &error))
		return error.type == type;
	return type == GRANTED && ike_message_find(&forge_seen.inner, IKE_PAYLOAD_SA);
}

static const char *name_of(uint16_t type)
{
	return type == GRANTED ? "granted" : type == BUSY ? "TEMPORARY_FAILURE" : "CHILD_SA_NOT_FOUND";
}

static void test_answers(void)
{
	for (enum state state = 0; state < STATES; state++) {
		for (enum request request = 0; request < REQUESTS; request++) {
			uint8_t room[512];
			struct ike_builder chain = ike_build_chain(room, sizeof(room));
			uint16_t type = answers[state][request];

			begin_in(state, 1 + state);
			build_request(&chain, request);
			forge_request(&world, B->ike->by_id, IKE_EXCHANGE_CREATE_CHILD_SA, &chain, 0);
			ok(is_answered_with(type), "under way %s, asked for %s: %s", state_names[state],
				request_names[request], name_of(type));
			world_clear(&world);
		}
	}
}

/* --- our own, refused -------------------------------------------------------------------------- */

static void refuse_own(enum state state, uint16_t type)
{
	uint8_t room[64];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));

	begin_in(state, 20 + state);
	ike_notify_build(&chain, type, NULL, 0);
	/* As if host 1 had said so itself: it waits for the request after this one. */
	B->ike->by_id->expected++;
	forge_answer(&world, B->ike->by_id, IKE_EXCHANGE_CREATE_CHILD_SA, &chain, A->ike->by_id->request.id);
}

/* 2.25: what the peer has not is gone here, too; what it cannot do now is asked for again, and not at once. */
static void test_refused(void)
{
	static const enum state own[] = {REKEYS_CHILD, REKEYS_IKE};

	refuse_own(REKEYS_CHILD, NOT_FOUND);
	ok(A->child_count == 0 && A->downs == 1 && A->down_reason == IKE_REASON_PEER_DELETED,
		"our rekey of a CHILD SA, CHILD_SA_NOT_FOUND: it is gone");
	world_run_for(&world, 900 * WORLD_MS);
	is_int((intmax_t)creates(0), 1, "and not asked for again");
	world_clear(&world);
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		refuse_own(own[i], BUSY);
		world_run_for(&world, 900 * WORLD_MS);
		ok(A->child_count == 1 && A->downs == 0 && creates(0) == 1,
			"%s, TEMPORARY_FAILURE: all stays as it was", state_names[own[i]]);
		world.filter = NULL;
		world_run_for(&world, 5000 * WORLD_MS);
		ok(creates(0) == 2 && A->child_count >= 1 && world_agrees(&world) &&
				(own[i] == REKEYS_IKE ? ike_counters(A->ike).established == 2 : A->ups == 2),
			"and is tried again within seconds");
		world_clear(&world);
	}
}

int main(void)
{
	test_answers();
	test_refused();
	return tap_done();
}
