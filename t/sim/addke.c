/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Additional key exchanges (RFC 9370) in IKE_INTERMEDIATE (RFC 9242): what two
 * ends agree on, in all weathers, and what hostile ones try, with the keys of
 * the exchange before in hand: that these may be broken is what it is for.
 */
#include "ike/crypto/cert.h"
#include "ike/sa.h"
#include "t/pki.h"
#include "t/sim/world.h"
#include "t/tap.h"

#include <stdlib.h>
#include <time.h>

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

#define X25519 IKE_GROUP_CURVE25519
#define P256 IKE_GROUP_ECP_256
#define P384 IKE_GROUP_ECP_384
#define P521 IKE_GROUP_ECP_521
#define M2048 IKE_GROUP_MODP_2048
#define M3072 IKE_GROUP_MODP_3072
#define M4096 IKE_GROUP_MODP_4096

/* Lists of each type, ended by 0; LAST 0 within means: none. */
#define NONE 9999

struct lists {
	uint16_t of[IKE_ADDKE_MAX][4];
};

static void give(struct ike_conn *conn, const struct lists *lists)
{
	for (size_t i = 0; i < IKE_ADDKE_MAX; i++) {
		size_t *count = &conn->ike.addke_count[i];

		for (size_t j = 0; j < 4 && lists->of[i][j]; j++)
			conn->ike.addke[i][(*count)++] = lists->of[i][j] == NONE ? IKE_KE_NONE : lists->of[i][j];
	}
}

static void begin(uint64_t seed, enum ike_auth auth, const struct lists *a, const struct lists *b)
{
	world_init(&world, seed, auth);
	give(&A->conns[0], a);
	give(&B->conns[0], b);
	world_reload(&world, 0);
	world_reload(&world, 1);
}

static const char *proposal_of(struct world_host *host)
{
	static struct ike_sa_info info;

	return host->child_count && ike_sa_info(host->ike, host->children[0].child.sa, &info) ? info.proposal
											       : "none";
}

static bool is_up(void)
{
	return A->ups == 1 && B->ups == 1 && A->child_count == 1 && world_agrees(&world);
}

static size_t exchanges(void)
{
	return world_sent(&world, 0, IKE_EXCHANGE_IKE_INTERMEDIATE, false);
}

/* --- what is agreed on -------------------------------------------------------------------- */

#define DEFAULT "AES_GCM_16_256/HMAC_SHA2_256/CURVE25519"

static const struct agreement {
	struct lists a, b;
	const char *want;
	size_t exchanges;
} agreements[] = {
	{{{{P384}}}, {{{P384}}}, DEFAULT "/KE1_ECP_384", 1},
	{{{{P384}, {M2048}, {M3072}}}, {{{P384}, {M2048}, {M3072}}}, DEFAULT "/KE1_ECP_384/KE2_MODP_2048/KE3_MODP_3072", 3},
	{{{{P256}, {P384}, {P521}, {M2048}, {M3072}, {M4096}, {NONE}}},
		{{{P256}, {P384}, {P521}, {M2048}, {M3072}, {M4096}, {NONE}}},
		DEFAULT "/KE1_ECP_256/KE2_ECP_384/KE3_ECP_521/KE4_MODP_2048/KE5_MODP_3072/KE6_MODP_4096", 6},
	/* Types with numbers left out. */
	{{{{0}, {0}, {P384}}}, {{{0}, {0}, {P384}}}, DEFAULT "/KE3_ECP_384", 1},
	/* Our preference counts, among what is offered. */
	{{{{P384, P256, M2048}}}, {{{M2048, P256}}}, DEFAULT "/KE1_MODP_2048", 1},
	/* No method twice: what IKE_SA_INIT uses, what another type has. */
	{{{{X25519, P384}}}, {{{X25519, P384}}}, DEFAULT "/KE1_ECP_384", 1},
	{{{{P384, P256}, {P384}}}, {{{P384, P256}, {P384}}}, DEFAULT "/KE1_ECP_256/KE2_ECP_384", 2},
	{{{{X25519}}}, {{{X25519}}}, "none", 0},
	{{{{P384}, {P384}}}, {{{P384}, {P384}}}, "none", 0},
	{{{{P384}, {P384, NONE}}}, {{{P384}, {P384, NONE}}}, DEFAULT "/KE1_ECP_384", 1},
	/* One end has none. */
	{{{{P384}}}, {{{0}}}, "none", 0},
	{{{{0}}}, {{{P384}}}, "none", 0},
	{{{{P384, NONE}}}, {{{0}}}, DEFAULT, 0},
	{{{{0}}}, {{{P384, NONE}}}, DEFAULT, 0},
	{{{{P384, NONE}}}, {{{P384, NONE}}}, DEFAULT "/KE1_ECP_384", 1},
	{{{{P384, NONE}}}, {{{M2048, NONE}}}, DEFAULT, 1},
	{{{{P384, NONE}}}, {{{M2048}}}, "none", 0},
	{{{{P384}}}, {{{M2048, NONE}}}, "none", 0},
	{{{{P384}, {M2048, NONE}}}, {{{P384}}}, DEFAULT "/KE1_ECP_384", 1},
	{{{{P384}}}, {{{P384}, {M2048, NONE}}}, DEFAULT "/KE1_ECP_384", 1},
	{{{{P384}}}, {{{P384}, {M2048}}}, "none", 0},
};

static void test_agreements(void)
{
	for (size_t i = 0; i < sizeof(agreements) / sizeof(agreements[0]); i++) {
		const struct agreement *row = &agreements[i];
		bool up = strcmp(row->want, "none") != 0;

		begin(1 + i, IKE_AUTH_PSK, &row->a, &row->b);
		world_initiate(&world, 0);
		world_run_for(&world, 8000 * WORLD_MS);
		is_str(proposal_of(A), row->want, "agreed on");
		ok(up ? is_up() && exchanges() == row->exchanges && world.wire_count == 4 + 2 * row->exchanges
		      : A->faileds == 1 && A->failed_reason == IKE_REASON_NO_PROPOSAL && !exchanges(),
			"row %zu: %s", i, up ? "a round trip for each, and up" : "NO_PROPOSAL_CHOSEN");
		world_clear(&world);
	}
}

/* An end without RFC 9242 that is offered what it does not know (3.3.6), and one that has it alone. */
static void test_support(void)
{
	static const struct lists one = {{{P384}}}, optional = {{{P384, NONE}}}, none = {{{0}}};

	begin(40, IKE_AUTH_PSK, &none, &none);
	A->conns[0].intermediate = B->conns[0].intermediate = true;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(is_up() && exchanges() == 1 && world.wire_count == 6, "intermediate=yes alone: one exchange, for nothing");
	world_clear(&world);
	begin(41, IKE_AUTH_PSK, &one, &none);
	B->conns[0].intermediate = true;
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
	ok(A->failed_reason == IKE_REASON_NO_PROPOSAL, "and agrees on no key exchange");
	world_clear(&world);
	begin(42, IKE_AUTH_PSK, &optional, &optional);
	A->conns[0].retransmit_timeout_ms = 3000;
	world_reload(&world, 0);
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(is_up() && exchanges() == 1, "what may be left out is not, where both have it");
	world_clear(&world);
}

/* Whoever has the keys of IKE_SA_INIT takes the notify out: nobody goes on without. */
static bool strip(struct world *w, struct packet *packet)
{
	if (packet->from == *(size_t *)w->filter_arg)
		world_spoil_notify(packet, IKE_NOTIFY_INTERMEDIATE_EXCHANGE_SUPPORTED);
	return true;
}

static void test_stripped(void)
{
	static const struct lists optional = {{{P384, NONE}}}, one = {{{P384}}};
	size_t from = 0;

	begin(44, IKE_AUTH_PSK, &one, &one);
	world.filter = strip;
	world.filter_arg = &from;
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
	ok(A->failed_reason == IKE_REASON_NO_PROPOSAL && ike_counters(B->ike).responded == 0,
		"a demand without the notify is refused");
	world_clear(&world);
	for (; from < 2; from++) {
		begin(45 + from, IKE_AUTH_PSK, &optional, &optional);
		world.filter = strip;
		world.filter_arg = &from;
		world_initiate(&world, 0);
		world_run_for(&world, 8000 * WORLD_MS);
		ok(A->faileds == 1 && A->ups == 0 && B->ups == 0, "the notify taken out of the %s: no tunnel",
			from ? "answer" : "request");
		world_clear(&world);
	}
}

/* --- authentication ------------------------------------------------------------------------ */

static void test_certs(void)
{
	static const struct lists two = {{{P384}, {P256}}};
	struct pki_spec root = {.key = PKI_ED25519, .is_ca = true}, host = {.key = PKI_ED25519};
	struct pki_cert *ca = pki_make(&root, NULL), *cert = pki_make(&host, ca);
	struct cert_identity *identities[1];
	struct cert_trust *trusts[1] = {cert_trust_new()};
	char *why = NULL;

	identities[0] = cert_identity_new(cert->cert_pem, strlen(cert->cert_pem), cert->key_pem,
		strlen(cert->key_pem), time(NULL), &why);
	cert_trust_add(trusts[0], ca->cert_pem, strlen(ca->cert_pem), &why);
	begin(50, IKE_AUTH_CERT, &two, &two);
	for (size_t i = 0; i < 2; i++) {
		struct world_host *end = &world.hosts[i];

		end->config.identities = identities;
		end->config.trusts = trusts;
		end->config.identity_count = end->config.trust_count = 1;
		end->conns[0].remote_keys = CERT_KEY_ANY;
		end->conns[0].ppk = IKE_PPK_INSIST;
		end->config.ppks = &end->ppk;
		end->config.ppk_count = 1;
		world_reload(&world, i);
	}
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(is_up() && exchanges() == 2, "with certificates, and a PPK beside");
	world_clear(&world);
	cert_identity_free(identities[0]);
	cert_trust_free(trusts[0]);
	pki_free(cert);
	pki_free(ca);
}

/* --- weather ----------------------------------------------------------------------------------- */

static const struct lists three = {{{P384}, {P256}, {M2048}}};

static bool drop_nth(struct world *w, struct packet *packet)
{
	(void)packet;
	return w->filter_count++ != *(unsigned *)w->filter_arg;
}

static void test_each_lost(void)
{
	for (unsigned n = 0; n < 10; n++) {
		begin(60 + n, IKE_AUTH_NULL, &three, &three);
		world.filter = drop_nth;
		world.filter_arg = &n;
		world_initiate(&world, 0);
		world_run_for(&world, 2000 * WORLD_MS);
		ok(is_up() && A->retransmissions == 1, "message %u lost: one retransmission", n);
		world_clear(&world);
	}
}

static void test_weather(void)
{
	unsigned up = 0;

	for (uint64_t seed = 0; seed < 60; seed++) {
		begin(100 + seed, IKE_AUTH_PSK, &three, &three);
		up += world_weather(&world, (unsigned)(seed % 3) * 10, 50, 60);
		if (ike_counters(B->ike).half_open || (seed % 3 == 0 && A->child_count != 1))
			up = 0;
		world_clear(&world);
	}
	is_int(up, 60, "60 seeds of loss, doubles and disorder");
}

static bool lose_after(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->exchange != IKE_EXCHANGE_IKE_INTERMEDIATE || packet->id < 2;
}

static void test_stranger_stops(void)
{
	begin(200, IKE_AUTH_NULL, &three, &three);
	world.filter = lose_after;
	world_initiate(&world, 0);
	world_run_for(&world, 5000 * WORLD_MS);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_TIMEOUT && ike_counters(B->ike).half_open == 1,
		"one who stops half way is half-open");
	world_run_for(&world, 8000 * WORLD_MS);
	is_int((int)ike_counters(B->ike).half_open, 0, "and is forgotten as others are");
	world_clear(&world);
}

/* --- with the keys in hand ------------------------------------------------------------------------ */

/* Changes a message inside its encryption, as somebody can who has broken the first key exchange. */
enum change { ADDS_PAYLOAD, DROPS_KE, OTHER_GROUP, OTHER_VALUE, SHORT_VALUE };

struct changer {
	size_t from;
	enum change change;
};

static struct ike_sa *sa_of(struct world_host *host)
{
	return host->ike->by_id;
}

static void build_changed(struct ike_builder *chain, const struct ike_ke *ke, enum change change)
{
	uint8_t value[KEX_PUBLIC_MAX];

	memcpy(value, ke->data, ke->len);
	if (change == OTHER_VALUE) {
		memset(value, 0, ke->len);
		value[ke->len - 1] = 1;
	}
	if (change != DROPS_KE)
		ike_ke_build(chain, change == OTHER_GROUP ? M3072 : ke->group, value,
			change == SHORT_VALUE ? ke->len - 1 : ke->len);
	if (change == ADDS_PAYLOAD)
		ike_build_payload(chain, IKE_PAYLOAD_VENDOR, "nobody sees me", 14);
}

static bool change_inside(struct world *w, struct packet *packet)
{
	static uint8_t plain[IKE_MESSAGE_MAX], out[IKE_MESSAGE_MAX], room[IKE_MESSAGE_MAX];
	const struct changer *changer = w->filter_arg;
	struct ike_builder chain = ike_build_chain(room, sizeof(room));
	struct ike_message outer, inner;
	struct ike_sa *sa = sa_of(&w->hosts[packet->from]);
	struct ike_ke ke;
	size_t len;

	if (packet->exchange != IKE_EXCHANGE_IKE_INTERMEDIATE || packet->from != changer->from || packet->id != 1 ||
		!ike_message_parse(packet->data, packet->len, &outer) ||
		ike_sk_open(sa->keys, packet->data, packet->len, &outer, plain, &inner) != IKE_SK_OPENED ||
		!ike_ke_parse(ike_message_find(&inner, IKE_PAYLOAD_KE), &ke))
		return true;
	build_changed(&chain, &ke, changer->change);
	len = ike_build_finish(&chain);
	len = ike_sk_seal(sa->keys, &outer.header, ++sa->iv, chain.first, NULL, room, len, out, sizeof(out));
	free(packet->data);
	packet->data = malloc(len);
	memcpy(packet->data, out, len);
	packet->len = len;
	w->filter_count++;
	return true;
}

static void test_changed(enum change change, size_t from, bool at_once, const char *name)
{
	struct changer changer = {from, change};

	begin(210 + change, IKE_AUTH_PSK, &three, &three);
	world.filter = change_inside;
	world.filter_arg = &changer;
	world_initiate(&world, 0);
	world_run_for(&world, 20000 * WORLD_MS);
	ok(world.filter_count > 0 && A->faileds == 1 && A->ups == 0 && B->ups == 0, "%s in %s: no tunnel", name,
		from ? "an answer" : "a request");
	is_int(world_sent(&world, 0, IKE_EXCHANGE_IKE_AUTH, false) == 0, at_once, "seen before IKE_AUTH");
	ok(ike_counters(B->ike).half_open == 0 && ike_counters(A->ike).sas == 0, "and nothing is left");
	world_clear(&world);
}

/* Anything under the initiator's keys, as its next request; B's answer is opened with B's keys of before. */
static struct ike_message answer;
static bool answered;

static bool look(struct world *w, struct packet *packet)
{
	static uint8_t plain[IKE_MESSAGE_MAX];
	struct ike_sa *sa = sa_of(&w->hosts[1]);
	struct ike_message outer;

	if (packet->from == 0)
		return packet->exchange == IKE_EXCHANGE_IKE_SA_INIT;
	if (packet->exchange != IKE_EXCHANGE_IKE_SA_INIT && sa && sa->keys &&
		ike_message_parse(packet->data, packet->len, &outer) &&
		ike_sk_open(sa->keys, packet->data, packet->len, &outer, plain, &answer) == IKE_SK_OPENED)
		answered = true;
	return true;
}

static void forge(uint8_t exchange, struct ike_builder *chain, uint32_t id)
{
	struct ike_sa *sa = sa_of(A);
	struct ike_header header = {.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.exchange = exchange,
		.flags = IKE_FLAG_INITIATOR,
		.id = id};
	uint8_t out[4096];
	size_t len = ike_build_finish(chain);

	len = ike_sk_seal(sa->keys, &header, ++sa->iv, chain->first, NULL, chain->w.data, len, out, sizeof(out));
	answered = false;
	world_inject(&world, 0, out, len, 0);
	world_run_for(&world, 10 * WORLD_MS);
}

static bool answered_with(uint16_t type)
{
	struct ike_notify notify;

	return answered && ike_notify_find(&answer, type, &notify);
}

/* A's own messages but the first are lost; what B gets is forged. */
static void begin_forging(uint64_t seed, const struct lists *lists, bool intermediate)
{
	begin(seed, IKE_AUTH_NULL, lists, lists);
	A->conns[0].intermediate = B->conns[0].intermediate = intermediate;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world.filter = look;
	world_initiate(&world, 0);
	world_run_for(&world, 10 * WORLD_MS);
}

static void test_forged(void)
{
	static const struct lists none = {{{0}}};
	static const uint8_t proof[32], id_null[] = {IKE_ID_NULL, 0, 0, 0}, critical[] = {0, 0x80, 0, 4};
	uint8_t room[256], bytes[sizeof(critical)];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));

	begin_forging(220, &three, false);
	forge(IKE_EXCHANGE_IKE_INTERMEDIATE, &chain, 1);
	ok(answered_with(IKE_NOTIFY_INVALID_SYNTAX) && B->refusals == 1, "an exchange without a KE payload is refused");
	world_clear(&world);

	begin_forging(221, &three, false);
	ike_build_payload(&chain, IKE_PAYLOAD_IDi, id_null, sizeof(id_null));
	ike_auth_build(&chain, IKE_METHOD_NULL, proof, sizeof(proof));
	forge(IKE_EXCHANGE_IKE_AUTH, &chain, 1);
	ok(answered_with(IKE_NOTIFY_AUTHENTICATION_FAILED) && B->refusals == 1, "IKE_AUTH before all is done is refused");
	is_str(B->refused_detail, "an additional key exchange is missing", "which says why");
	world_clear(&world);

	begin_forging(222, &three, false);
	memcpy(bytes, critical, sizeof(bytes));
	chain = ike_build_chain(bytes, sizeof(bytes));
	chain.first = 200;
	chain.w.len = sizeof(bytes);
	forge(IKE_EXCHANGE_IKE_INTERMEDIATE, &chain, 1);
	ok(answered_with(IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD), "an unknown critical payload too");
	world_clear(&world);

	begin_forging(223, &three, false);
	chain = ike_build_chain(room, sizeof(room));
	forge(IKE_EXCHANGE_IKE_INTERMEDIATE, &chain, 2);
	ok(!answered, "a message ID from ahead of the window is ignored");
	forge(IKE_EXCHANGE_IKE_FOLLOWUP_KE, &chain, 1);
	ok(!answered, "and so is IKE_FOLLOWUP_KE before its time");
	world_clear(&world);

	begin_forging(224, &none, false);
	forge(IKE_EXCHANGE_IKE_INTERMEDIATE, &chain, 1);
	ok(!answered, "nobody has said INTERMEDIATE_EXCHANGE_SUPPORTED: ignored");
	world_clear(&world);

	begin_forging(225, &none, true);
	for (uint32_t id = 1; id <= 16; id++)
		forge(IKE_EXCHANGE_IKE_INTERMEDIATE, &chain, id);
	ok(answered && answer.count == 0, "exchanges for nothing that we know are answered, 16");
	forge(IKE_EXCHANGE_IKE_INTERMEDIATE, &chain, 17);
	ok(answered_with(IKE_NOTIFY_INVALID_SYNTAX), "and not one more");
	world_clear(&world);
}

/* On an SA that stands: once it does, the exchange is out of place. */
static void test_after_auth(void)
{
	uint8_t room[64], garbage[] = {1, 2, 3};
	struct ike_builder chain = ike_build_chain(room, sizeof(room));
	size_t sent;

	begin(230, IKE_AUTH_NULL, &three, &three);
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	sent = world.wire_count;
	forge(IKE_EXCHANGE_IKE_INTERMEDIATE, &chain, sa_of(A)->next_request);
	ok(is_up() && world.wire_count == sent, "IKE_INTERMEDIATE on an SA that stands is ignored");
	chain = ike_build_chain(garbage, sizeof(garbage));
	chain.first = IKE_PAYLOAD_KE;
	chain.w.len = sizeof(garbage);
	forge(IKE_EXCHANGE_IKE_INTERMEDIATE, &chain, sa_of(A)->next_request);
	ok(B->downs == 1, "what does not parse ends the SA, as in any exchange");
	world_clear(&world);
}

/* Whoever kept the first answers sends them again, late. */
static uint8_t kept[8][2048];
static size_t kept_len[8], kept_count;

static bool keep(struct world *w, struct packet *packet)
{
	(void)w;
	if (packet->exchange == IKE_EXCHANGE_IKE_INTERMEDIATE && kept_count < 8 && packet->len <= sizeof(kept[0])) {
		memcpy(kept[kept_count], packet->data, packet->len);
		kept_len[kept_count++] = packet->len;
	}
	return true;
}

static void test_replayed(void)
{
	size_t sent;

	begin(240, IKE_AUTH_NULL, &three, &three);
	kept_count = 0;
	world.filter = keep;
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	sent = world.wire_count;
	for (size_t i = 0; i < kept_count; i++)
		world_inject(&world, i % 2, kept[i], kept_len[i], 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(kept_count == 6 && is_up() && world.wire_count == sent, "replays of all are ignored");
	world_clear(&world);
}

int main(void)
{
	test_agreements();
	test_support();
	test_stripped();
	test_certs();
	test_each_lost();
	test_weather();
	test_stranger_stops();
	test_changed(ADDS_PAYLOAD, 0, false, "a payload more");
	test_changed(ADDS_PAYLOAD, 1, false, "a payload more");
	test_changed(DROPS_KE, 0, true, "no KE");
	test_changed(DROPS_KE, 1, true, "no KE");
	test_changed(OTHER_GROUP, 0, true, "another group");
	test_changed(OTHER_GROUP, 1, true, "another group");
	test_changed(OTHER_VALUE, 0, true, "a value that is none");
	test_changed(OTHER_VALUE, 1, true, "a value that is none");
	test_changed(SHORT_VALUE, 0, true, "a short value");
	test_changed(SHORT_VALUE, 1, true, "a short value");
	test_forged();
	test_after_auth();
	test_replayed();
	return tap_done();
}
