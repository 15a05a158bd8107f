/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IKE_FOLLOWUP_KE (RFC 9370 2.2.4): what stops half way, what is forged with
 * the keys of a live SA, and ends that do not agree on it. t/sim/rekey has the
 * plain cases, and those where both ends begin at once.
 */
#include "ike/create.h"
#include "ike/sa.h"
#include "t/sim/world.h"
#include "t/tap.h"

#include <stdlib.h>

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])
#define FOLLOWUP IKE_EXCHANGE_IKE_FOLLOWUP_KE
#define CREATE IKE_EXCHANGE_CREATE_CHILD_SA

static void set_addke(struct world_host *host, uint16_t first, uint16_t second)
{
	struct ike_suite *suite = &host->conns[0].ike;

	suite->addke[0][0] = first;
	suite->addke_count[0] = first != 0;
	suite->addke[1][0] = second;
	suite->addke_count[1] = second != 0;
}

static void begin(uint64_t seed)
{
	world_init(&world, seed, IKE_AUTH_PSK);
	for (size_t i = 0; i < 2; i++) {
		struct ike_conn *conn = &world.hosts[i].conns[0];

		set_addke(&world.hosts[i], IKE_GROUP_ECP_384, IKE_GROUP_ECP_256);
		conn->child_lifetime_s = conn->ike_lifetime_s = 1000000;
		conn->dpd_delay_ms = 0;
		world_reload(&world, i);
	}
	world_initiate(&world, 0);
	world_run_for(&world, 2000 * WORLD_MS);
}

static struct ike_sa *sa_of(struct world_host *host)
{
	return host->ike->by_id;
}

static void rekey_child(void)
{
	ike_rekey(A->ike, A->children[0].child.id, world.now_us);
}

static void rekey_sa(void)
{
	sa_of(A)->rekey_us = world.now_us;
	ike_sa_schedule(sa_of(A));
	ike_tick(A->ike, world.now_us);
}

static const char *proposal_of(struct world_host *host)
{
	static struct ike_sa_info info;

	return host->child_count && ike_sa_info(host->ike, host->children[0].child.sa, &info) ? info.proposal
											       : "none";
}

static bool is_whole(void)
{
	return A->child_count == 1 && world_agrees(&world) && ike_counters(A->ike).sas == 1 &&
	       ike_counters(B->ike).sas == 1;
}

#define FULL "AES_GCM_16_256/HMAC_SHA2_256/CURVE25519/KE1_ECP_384/KE2_ECP_256"

static void test_plain(void)
{
	uint64_t first;

	begin(1);
	rekey_child();
	world_run_for(&world, 10000 * WORLD_MS);
	ok(world_sent(&world, 0, CREATE, false) == 1 && world_sent(&world, 0, FOLLOWUP, false) == 2 &&
			world_sent(&world, 1, FOLLOWUP, true) == 2,
		"a CHILD SA: one exchange and two behind it");
	ok(A->ups == 2 && B->ups == 2 && is_whole(), "and one is left");
	first = A->children[0].child.sa;
	rekey_sa();
	world_run_for(&world, 10000 * WORLD_MS);
	ok(world_sent(&world, 0, FOLLOWUP, false) == 4 && A->children[0].child.sa != first && is_whole(),
		"an IKE SA: the same");
	is_str(proposal_of(A), FULL, "it has what the first had");
	world_clear(&world);
}

/* The responder has another mind of it than in the beginning. */
static void test_mismatch(void)
{
	begin(10);
	set_addke(B, 0, 0);
	B->ike->config.conns[0].ike = B->conns[0].ike;
	rekey_child();
	world_run_for(&world, 10000 * WORLD_MS);
	ok(A->ups == 2 && is_whole() && !world_sent(&world, 0, FOLLOWUP, false),
		"a CHILD SA goes without, where the peer has none any more");
	rekey_sa();
	world_run_for(&world, 10000 * WORLD_MS);
	ok(A->downs == 1 && is_whole() && ike_counters(A->ike).established == 1, "an IKE SA does not, and stays as it is");
	world_clear(&world);
	begin(11);
	set_addke(B, IKE_GROUP_ECP_384, 0);
	B->ike->config.conns[0].ike = B->conns[0].ike;
	rekey_child();
	world_run_for(&world, 10000 * WORLD_MS);
	ok(A->ups == 2 && is_whole() && world_sent(&world, 0, FOLLOWUP, false) == 1, "or takes what both have");
	world_clear(&world);
}

/* --- half way ------------------------------------------------------------------------------ */

static bool lose_followups(struct world *w, struct packet *packet)
{
	return packet->exchange != FOLLOWUP || packet->answer || w->now_us >= *(uint64_t *)w->filter_arg;
}

static size_t children_of(struct world_host *host)
{
	size_t count = 0;

	for (const struct ike_child_sa *child = sa_of(host)->children; child; child = child->next)
		count++;
	return count;
}

static void test_forgotten(bool child)
{
	uint64_t until_us;

	begin(20);
	A->conns[0].retransmit_timeout_ms = 200000;
	ike_reconfigure(A->ike, &A->config, world.now_us);
	until_us = world.now_us + 25000 * WORLD_MS;
	world.filter = lose_followups;
	world.filter_arg = &until_us;
	if (child)
		rekey_child();
	else
		rekey_sa();
	world_run_for(&world, 19000 * WORLD_MS);
	ok(sa_of(B)->theirs && children_of(B) == (child ? 2 : 1), "the responder waits for 20 s");
	world_run_for(&world, 2000 * WORLD_MS);
	ok(!sa_of(B)->theirs && children_of(B) == 1 && B->child_count == 1, "and not for longer");
	world_run_for(&world, 200000 * WORLD_MS);
	ok(A->ups == (child ? 2 : 1) && is_whole() && ike_counters(A->ike).established == (child ? 1 : 2),
		"STATE_NOT_FOUND is told, and it is begun anew");
	world_clear(&world);
}

/* Each exchange comes too late. */
static bool delay_followups(struct world *w, struct packet *packet)
{
	if (packet->exchange == CREATE && !packet->answer)
		*(uint64_t *)w->filter_arg = w->now_us + 25000 * WORLD_MS;
	return lose_followups(w, packet);
}

static void test_always_forgotten(void)
{
	uint64_t until_us = 0;

	begin(21);
	A->conns[0].retransmit_timeout_ms = 200000;
	ike_reconfigure(A->ike, &A->config, world.now_us);
	world.filter = delay_followups;
	world.filter_arg = &until_us;
	rekey_child();
	world_run_for(&world, 600000 * WORLD_MS);
	ok(world_sent(&world, 0, CREATE, false) == 3 && A->downs == 1 && A->child_count == 0 &&
			ike_counters(A->ike).sas == 0,
		"three times in a row are enough: the IKE SA is deleted");
	world_clear(&world);
}

/* --- forged requests ---------------------------------------------------------------------------- */

static struct ike_message answer;
static bool answered;

static bool look(struct world *w, struct packet *packet)
{
	static uint8_t plain[IKE_MESSAGE_MAX];
	struct ike_sa *sa = sa_of(&w->hosts[0]);
	struct ike_message outer;

	if (packet->from == 0 && sa && ike_message_parse(packet->data, packet->len, &outer) &&
		ike_sk_open(sa->keys, packet->data, packet->len, &outer, plain, &answer) == IKE_SK_OPENED)
		answered = true;
	return true;
}

static void begin_forging(uint64_t seed)
{
	begin(seed);
	world.filter = look;
	sa_of(B)->next_request = sa_of(A)->expected;
}

/* Under host 1's keys, as its next request. */
static void forge(uint8_t exchange, struct ike_builder *chain)
{
	struct ike_sa *sa = sa_of(B);
	struct ike_header header = {.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.exchange = exchange,
		.id = sa->next_request++};
	uint8_t out[4096];
	size_t len = ike_build_finish(chain);

	len = ike_sk_seal(sa->keys, &header, ++sa->iv, chain->first, NULL, chain->w.data, len, out, sizeof(out));
	answered = false;
	world_inject(&world, 1, out, len, 0);
	world_run_for(&world, 5 * WORLD_MS);
}

static bool answered_with(uint16_t type)
{
	struct ike_notify notify;

	return answered && ike_notify_find(&answer, type, &notify);
}

static struct kex half;

static void fill(void *arg, void *out, size_t len)
{
	memset(out, ++*(uint8_t *)arg, len);
}

static void make_half(uint16_t group)
{
	static uint8_t count = 10;
	struct crypto_random random = {.fill = fill, .arg = &count};

	kex_generate(&half, group, &random);
}

/* A further CHILD SA, or another IKE SA, with two more key exchanges. */
static void forge_create(bool child)
{
	static const uint8_t nonce[32] = {7};
	uint8_t room[2048];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));
	struct ike_suite suite = {.encr = {{IKE_ENCR_AES_GCM_16, 256}},
		.encr_count = 1,
		.prf = {IKE_PRF_HMAC_SHA2_256},
		.prf_count = 1,
		.ke = {IKE_GROUP_CURVE25519},
		.ke_count = 1,
		.addke = {{IKE_GROUP_ECP_384}, {IKE_GROUP_ECP_256}},
		.addke_count = {1, 1},
		.esn_count = 1};
	struct ike_scope scope = {.selector = world_selector(&world, 1)};

	if (child)
		suite.prf_count = 0;
	make_half(IKE_GROUP_CURVE25519);
	ike_proposal_offer(&chain, child ? IKE_PROTOCOL_ESP : IKE_PROTOCOL_IKE, &suite, 0x12345678, child ? 4 : 8);
	ike_build_payload(&chain, IKE_PAYLOAD_NONCE, nonce, sizeof(nonce));
	ike_ke_build(&chain, half.group, half.public, half.public_len);
	if (child)
		ike_build_selectors(&chain, &scope, true);
	forge(CREATE, &chain);
}

static uint8_t link_bytes[64];
static size_t link_len;

static bool has_link(void)
{
	struct ike_notify link;

	if (!answered || !ike_notify_find(&answer, IKE_NOTIFY_ADDITIONAL_KEY_EXCHANGE, &link) ||
		link.len > sizeof(link_bytes))
		return false;
	memcpy(link_bytes, link.data, link.len);
	link_len = link.len;
	return true;
}

static void forge_followup(uint16_t group, bool with_link)
{
	uint8_t room[2048];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));

	if (group) {
		make_half(group);
		ike_ke_build(&chain, half.group, half.public, half.public_len);
	}
	if (with_link)
		ike_notify_build(&chain, IKE_NOTIFY_ADDITIONAL_KEY_EXCHANGE, link_bytes, link_len);
	forge(FOLLOWUP, &chain);
}

static void test_forged(bool child)
{
	const char *what = child ? "CHILD SA" : "IKE SA";

	begin_forging(30 + child);
	link_len = 8;
	forge_followup(IKE_GROUP_ECP_384, true);
	ok(answered_with(IKE_NOTIFY_STATE_NOT_FOUND), "%s: nothing that it could follow: STATE_NOT_FOUND", what);
	forge_create(child);
	ok(has_link() && !answered_with(IKE_NOTIFY_NO_PROPOSAL_CHOSEN), "%s: the answer has a link", what);
	forge_followup(IKE_GROUP_ECP_384, false);
	ok(answered_with(IKE_NOTIFY_STATE_NOT_FOUND), "%s: without it: STATE_NOT_FOUND", what);
	link_bytes[0] ^= 1;
	forge_followup(IKE_GROUP_ECP_384, true);
	ok(answered_with(IKE_NOTIFY_STATE_NOT_FOUND), "%s: with another: STATE_NOT_FOUND", what);
	link_bytes[0] ^= 1;
	forge_followup(IKE_GROUP_ECP_384, true);
	ok(answered && ike_message_find(&answer, IKE_PAYLOAD_KE) && has_link(), "%s: with it: its KE, and the next link",
		what);
	forge_followup(IKE_GROUP_ECP_384, true);
	ok(answered_with(IKE_NOTIFY_INVALID_SYNTAX) && !sa_of(A)->theirs && children_of(A) == 1,
		"%s: a method that is not agreed on ends it", what);
	forge_followup(IKE_GROUP_ECP_256, true);
	ok(answered_with(IKE_NOTIFY_STATE_NOT_FOUND), "%s: and there is no way back", what);
	forge_create(child);
	has_link();
	forge_followup(0, true);
	ok(answered_with(IKE_NOTIFY_INVALID_SYNTAX), "%s: no KE payload ends it too", what);
	forge_create(child);
	has_link();
	forge_followup(IKE_GROUP_ECP_384, true);
	has_link();
	forge_followup(IKE_GROUP_ECP_256, true);
	ok(answered && ike_message_find(&answer, IKE_PAYLOAD_KE) && !has_link() && !sa_of(A)->theirs &&
			(child ? A->child_count == 2 : ike_counters(A->ike).established == 2),
		"%s: all as it should be: it is there", what);
	world_clear(&world);
}

/* We have said goodbye: what had begun before makes nothing any more. */
static void test_goodbye(void)
{
	begin_forging(32);
	forge_create(false);
	has_link();
	forge_followup(IKE_GROUP_ECP_384, true);
	has_link();
	B->silent = true;
	ike_delete(A->ike, sa_of(A)->id, world.now_us);
	forge_followup(IKE_GROUP_ECP_256, true);
	ok(answered_with(IKE_NOTIFY_STATE_NOT_FOUND) && ike_counters(A->ike).established == 1,
		"after our DELETE the last of them makes no new IKE SA");
	world_clear(&world);
}

static void test_never_followed(void)
{
	uint8_t first[48];

	begin_forging(40);
	for (unsigned i = 0; i < 100; i++)
		forge_create(i & 1);
	ok(children_of(A) <= 2 && A->child_count == 1, "a hundred that nothing follows leave the last");
	world_run_for(&world, 25000 * WORLD_MS);
	ok(children_of(A) == 1 && !sa_of(A)->theirs, "and that not for long");
	forge_create(true);
	ike_delete(A->ike, sa_of(A)->id, world.now_us);
	world_run_for(&world, 10000 * WORLD_MS);
	ok(A->child_count == 0 && ike_counters(A->ike).sas == 0 && A->ike->by_id == NULL,
		"an SA that is deleted with one half way leaves nothing");
	world_clear(&world);
	begin_forging(41);
	forge_create(true);
	has_link();
	A->install_us = 1000 * WORLD_MS;
	forge_followup(IKE_GROUP_ECP_384, true);
	memcpy(first, ike_followup_secrets(sa_of(A)->theirs).data, sizeof(first));
	has_link();
	forge_followup(IKE_GROUP_ECP_256, true);
	ok(!answered && sa_of(A)->theirs, "the answer waits for the data plane (K1)");
	ok(ike_followup_secrets(sa_of(A)->theirs).len == 48 + 32 &&
			memcmp(ike_followup_secrets(sa_of(A)->theirs).data, first, sizeof(first)) == 0,
		"the secrets are one behind the other: SK(1) | SK(2)");
	sa_of(B)->next_request--;
	forge_followup(IKE_GROUP_ECP_256, true);
	ok(!answered, "so does the request once more");
	A->refuses_install = true;
	world_run_for(&world, 2000 * WORLD_MS);
	ok(answered && A->child_count == 2, "and then it comes");
	forge_create(true);
	has_link();
	forge_followup(IKE_GROUP_ECP_384, true);
	has_link();
	forge_followup(IKE_GROUP_ECP_256, true);
	world_run_for(&world, 2000 * WORLD_MS);
	ok(answered_with(IKE_NOTIFY_TEMPORARY_FAILURE) && answer.header.exchange == FOLLOWUP && A->child_count == 2,
		"a data plane that refuses is told in the exchange that waits");
	world_clear(&world);
}

/* --- answers that make no sense --------------------------------------------------------------------- */

static bool drop_type(const struct ike_message *inner, uint8_t type, struct ike_builder *chain)
{
	bool dropped = false;

	for (size_t i = 0; i < inner->count; i++) {
		if (inner->payloads[i].type == type)
			dropped = true;
		else
			ike_build_payload(chain, inner->payloads[i].type, inner->payloads[i].data, inner->payloads[i].len);
	}
	return dropped;
}

struct dropper {
	uint8_t exchange, type;
};

/* The first answer of an exchange loses a payload, under host 1's keys. */
static bool change_answer(struct world *w, struct packet *packet)
{
	static uint8_t plain[IKE_MESSAGE_MAX], room[IKE_MESSAGE_MAX], out[IKE_MESSAGE_MAX];
	const struct dropper *dropper = w->filter_arg;
	struct ike_builder chain = ike_build_chain(room, sizeof(room));
	struct ike_sa *sa = sa_of(&w->hosts[1]);
	struct ike_message outer, inner;
	size_t len;

	if (packet->exchange != dropper->exchange || !packet->answer || w->filter_count ||
		!ike_message_parse(packet->data, packet->len, &outer) ||
		ike_sk_open(sa->keys, packet->data, packet->len, &outer, plain, &inner) != IKE_SK_OPENED ||
		!drop_type(&inner, dropper->type, &chain))
		return true;
	w->filter_count++;
	len = ike_build_finish(&chain);
	len = ike_sk_seal(sa->keys, &outer.header, ++sa->iv, chain.first, NULL, room, len, out, sizeof(out));
	memcpy(packet->data, out, len);
	packet->len = len;
	return true;
}

static void test_bad_answer(uint8_t exchange, uint8_t type, bool child, const char *name)
{
	struct dropper dropper = {exchange, type};

	begin(50);
	world.filter = change_answer;
	world.filter_arg = &dropper;
	if (child)
		rekey_child();
	else
		rekey_sa();
	world_run_for(&world, 300000 * WORLD_MS);
	ok(world.filter_count == 1 && (child ? A->ups == 2 && is_whole() : A->child_count == 0 && B->child_count == 0),
		"%s: %s", name, child ? "it is begun anew" : "nobody keeps what the other has not");
	world_clear(&world);
}

int main(void)
{
	test_plain();
	test_mismatch();
	test_forgotten(true);
	test_forgotten(false);
	test_always_forgotten();
	test_forged(true);
	test_forged(false);
	test_goodbye();
	test_never_followed();
	test_bad_answer(FOLLOWUP, IKE_PAYLOAD_KE, true, "an answer without KE");
	test_bad_answer(FOLLOWUP, IKE_PAYLOAD_NOTIFY, true, "an answer without the next link");
	test_bad_answer(CREATE, IKE_PAYLOAD_NOTIFY, true, "a first answer without a link");
	test_bad_answer(FOLLOWUP, IKE_PAYLOAD_KE, false, "an IKE SA's answer without KE");
	kex_clear(&half);
	return tap_done();
}
