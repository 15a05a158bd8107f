/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A negotiation and a rekey of both SAs with every algorithm, and what two ends
 * with different lists agree on.
 */
#include "t/sim/world.h"
#include "t/tap.h"

#include "ike/const.h"

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

#define GCM(bits) {IKE_ENCR_AES_GCM_16, bits}
#define CBC(bits) {IKE_ENCR_AES_CBC, bits}
#define CHACHA {IKE_ENCR_CHACHA20_POLY1305, 0}

struct row {
	struct ike_encr_choice encr;
	uint16_t integ, prf, ke;
	size_t esp_key_len, esp_integ_len; /* of ESP with the same cipher */
	const char *text;
};

static const struct row rows[] = {
	{GCM(256), 0, IKE_PRF_HMAC_SHA2_256, IKE_GROUP_CURVE25519, 36, 0,
		"AES_GCM_16_256/HMAC_SHA2_256/CURVE25519"},
	{GCM(128), 0, IKE_PRF_HMAC_SHA2_384, IKE_GROUP_ECP_256, 20, 0,
		"AES_GCM_16_128/HMAC_SHA2_384/ECP_256"},
	{CHACHA, 0, IKE_PRF_HMAC_SHA2_512, IKE_GROUP_ECP_384, 36, 0,
		"CHACHA20_POLY1305/HMAC_SHA2_512/ECP_384"},
	{CBC(128), IKE_INTEG_HMAC_SHA2_256_128, IKE_PRF_HMAC_SHA2_256, IKE_GROUP_ECP_521, 16, 32,
		"AES_CBC_128-HMAC_SHA2_256_128/HMAC_SHA2_256/ECP_521"},
	{CBC(256), IKE_INTEG_HMAC_SHA2_256_128, IKE_PRF_HMAC_SHA2_256, IKE_GROUP_CURVE25519, 32, 32,
		"AES_CBC_256-HMAC_SHA2_256_128/HMAC_SHA2_256/CURVE25519"},
	{CBC(256), IKE_INTEG_HMAC_SHA2_384_192, IKE_PRF_HMAC_SHA2_512, IKE_GROUP_CURVE25519, 32, 48,
		"AES_CBC_256-HMAC_SHA2_384_192/HMAC_SHA2_512/CURVE25519"},
	{CBC(256), IKE_INTEG_HMAC_SHA2_512_256, IKE_PRF_HMAC_SHA2_384, IKE_GROUP_CURVE25519, 32, 64,
		"AES_CBC_256-HMAC_SHA2_512_256/HMAC_SHA2_384/CURVE25519"},
	{GCM(256), 0, IKE_PRF_HMAC_SHA2_256, IKE_GROUP_MODP_2048, 36, 0,
		"AES_GCM_16_256/HMAC_SHA2_256/MODP_2048"},
	{GCM(256), 0, IKE_PRF_HMAC_SHA2_384, IKE_GROUP_MODP_3072, 36, 0,
		"AES_GCM_16_256/HMAC_SHA2_384/MODP_3072"},
	{CBC(128), IKE_INTEG_HMAC_SHA2_256_128, IKE_PRF_HMAC_SHA2_512, IKE_GROUP_MODP_4096, 16, 32,
		"AES_CBC_128-HMAC_SHA2_256_128/HMAC_SHA2_512/MODP_4096"},
};

static struct ike_suite suite_of(const struct row *row)
{
	return (struct ike_suite){.encr = {row->encr},
		.encr_count = 1,
		.integ = {row->integ},
		.integ_count = row->integ ? 1 : 0,
		.prf = {row->prf},
		.prf_count = 1,
		.ke = {row->ke},
		.ke_count = 1};
}

static const char *proposal_of(struct world_host *host, uint64_t sa)
{
	static struct ike_sa_info info;

	return ike_sa_info(host->ike, sa, &info) && info.established ? info.proposal : "none";
}

static void set_rekey(struct ike_conn *conn, uint32_t child_s, uint32_t ike_s)
{
	conn->child_lifetime_s = child_s;
	conn->ike_lifetime_s = ike_s;
	conn->rekey_margin_s = 2;
}

static void test_row(const struct row *row)
{
	const struct sa_pair *pair = &A->children[0].child.pair;
	uint64_t sa;

	world_init(&world, row->encr.id + row->ke, IKE_AUTH_PSK);
	for (size_t i = 0; i < 2; i++) {
		world.hosts[i].conns[0].ike = world.hosts[i].conns[0].esp = suite_of(row);
		set_rekey(&world.hosts[i].conns[0], 1000000, 1000000);
	}
	set_rekey(&A->conns[0], 20, 31);
	world_reload(&world, 0);
	world_reload(&world, 1);
	sa = world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	is_str(proposal_of(A, sa), row->text, "the SA");
	ok(A->ups == 1 && B->ups == 1 && world_agrees(&world), "%s: up", row->text);
	ok(pair->in.encr_key_len == row->esp_key_len && pair->in.integ_key_len == row->esp_integ_len &&
			pair->encr == row->encr.id && pair->integ == row->integ,
		"ESP's keys have their lengths");
	world_run_for(&world, 60000 * WORLD_MS);
	ok(world_agrees(&world) && A->ups >= 3 && A->ups == B->ups && A->downs == B->downs &&
			A->faileds == 0 && world_sent(&world, 0, IKE_EXCHANGE_CREATE_CHILD_SA, false) >= 3,
		"%u times rekeyed", A->ups - 1);
	world_clear(&world);
}

/* Extended sequence numbers: what each end says (-1: nothing), and what comes of it (-1: no tunnel). */
static void test_esn(int a, int b, int want)
{
	const int said[] = {a, b};
	int got;

	world_init(&world, 200, IKE_AUTH_PSK);
	for (size_t i = 0; i < 2; i++) {
		struct ike_suite *esp = &world.hosts[i].conns[0].esp;

		esp->esn_count = said[i] >= 0;
		esp->esn[0] = said[i] > 0;
		set_rekey(&world.hosts[i].conns[0], 20, 1000000);
		world_reload(&world, i);
	}
	world_initiate(&world, 0);
	world_run_for(&world, 60000 * WORLD_MS);
	got = A->ups ? A->children[A->child_count - 1].child.pair.esn : -1;
	ok(got == want && world_agrees(&world) && (want < 0 || A->ups > 2), "ESN %d and %d: %d", a, b, got);
	world_clear(&world);
}

/* Ends with lists of both kinds. */
static void test_mixed(const struct ike_suite *a, const struct ike_suite *b, const char *want)
{
	uint64_t sa;

	world_init(&world, 100, IKE_AUTH_PSK);
	A->conns[0].ike = A->conns[0].esp = *a;
	B->conns[0].ike = B->conns[0].esp = *b;
	world_reload(&world, 0);
	world_reload(&world, 1);
	sa = world_initiate(&world, 0);
	world_run_for(&world, 100 * WORLD_MS);
	is_str(proposal_of(A, sa), want, "two lists");
	world_clear(&world);
}

int main(void)
{
	struct ike_suite gcm = {0}, cbc = {.encr = {CBC(256), CBC(128)}, .encr_count = 2};
	struct ike_suite both = {.encr = {GCM(128), CBC(128)}, .encr_count = 2};
	struct ike_suite cbc_first = {.encr = {CBC(128), GCM(128)},
		.encr_count = 2,
		.integ = {IKE_INTEG_HMAC_SHA2_512_256},
		.integ_count = 1};
	struct ike_suite other = cbc_first;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		test_row(&rows[i]);
	test_esn(-1, -1, 1);
	test_esn(1, -1, 1);
	test_esn(-1, 1, 1);
	test_esn(0, -1, 0);
	test_esn(-1, 0, 0);
	test_esn(1, 1, 1);
	test_esn(0, 0, 0);
	test_esn(0, 1, -1);
	test_esn(1, 0, -1);
	test_mixed(&gcm, &cbc, "none");
	test_mixed(&both, &gcm, "AES_GCM_16_128/HMAC_SHA2_256/CURVE25519");
	test_mixed(&both, &cbc, "AES_CBC_128-HMAC_SHA2_256_128/HMAC_SHA2_256/CURVE25519");
	test_mixed(&both, &cbc_first, "AES_GCM_16_128/HMAC_SHA2_256/CURVE25519");
	test_mixed(&cbc_first, &both, "AES_CBC_128-HMAC_SHA2_512_256/HMAC_SHA2_256/CURVE25519");
	/* An integrity algorithm that the other end has not leaves the combined cipher. */
	other.integ[0] = IKE_INTEG_HMAC_SHA2_384_192;
	test_mixed(&cbc_first, &other, "AES_GCM_16_128/HMAC_SHA2_256/CURVE25519");
	return tap_done();
}
