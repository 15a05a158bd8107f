/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Post-quantum pre-shared keys (RFC 8784): every pair of ppk= and of PPKs that
 * two ends may have, what each tells of a failure, and what a hostile peer or
 * somebody on the way changes.
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

enum has { NOTHING, SAME, OTHER_NAME, OTHER_KEY };

static const char *const has_names[] = {"none", "the same", "one of another name", "another key"};
static const char *const use_names[] = {"no", "propose", "insist"};

static void give(struct world_host *host, enum ike_ppk_use use, enum has has)
{
	static uint8_t other[] = "other";

	host->conns[0].ppk = use;
	host->config.ppks = &host->ppk;
	host->config.ppk_count = has != NOTHING;
	if (has == OTHER_NAME)
		host->ppk.name = other;
	if (has == OTHER_KEY)
		host->ppk.secret.data[0] ^= 1;
}

static void begin(uint64_t seed, enum ike_auth auth, enum ike_ppk_use a, enum has a_has,
	enum ike_ppk_use b, enum has b_has)
{
	world_init(&world, seed, auth);
	give(A, a, a_has);
	give(B, b, b_has);
	world_reload(&world, 0);
	world_reload(&world, 1);
}

static bool uses_ppk(struct world_host *host)
{
	struct ike_sa_info info;

	return host->child_count && ike_sa_info(host->ike, host->children[0].child.sa, &info) && info.has_ppk;
}

/* --- RFC 8784's tables ------------------------------------------------------------------------ */

enum outcome { WITHOUT, WITH, FAILS, SENDS_NOTHING };

/* What comes of it, by the text of sections 3 to 5 and nothing of the engine. */
static enum outcome expected(enum ike_ppk_use a, enum has a_has, enum ike_ppk_use b, enum has b_has)
{
	bool offered = a != IKE_PPK_NEVER && a_has != NOTHING;
	bool agreed = offered && b != IKE_PPK_NEVER && b_has != NOTHING;

	if (a == IKE_PPK_INSIST && a_has == NOTHING)
		return SENDS_NOTHING;
	if (!agreed)
		return a == IKE_PPK_INSIST || b == IKE_PPK_INSIST ? FAILS : WITHOUT;
	/* The same name with another key is no unknown name: there is no way back. */
	if ((a_has == OTHER_KEY) != (b_has == OTHER_KEY) && (a_has == OTHER_NAME) == (b_has == OTHER_NAME))
		return FAILS;
	if ((a_has == OTHER_NAME) != (b_has == OTHER_NAME))
		return a == IKE_PPK_INSIST || b == IKE_PPK_INSIST ? FAILS : WITHOUT;
	return WITH;
}

static enum outcome outcome_of(void)
{
	if (A->ups == 1 && B->ups == 1 && world_agrees(&world) && uses_ppk(A) == uses_ppk(B))
		return uses_ppk(A) ? WITH : WITHOUT;
	if (A->faileds != 1 || A->child_count || B->child_count)
		return -1;
	return world.wire_count ? FAILS : SENDS_NOTHING;
}

static void test_tables(enum ike_auth auth)
{
	unsigned wrong = 0, runs = 0;

	for (unsigned n = 0; n < 3 * 4 * 3 * 4; n++) {
		enum ike_ppk_use a = n % 3, b = n / 3 % 3;
		enum has a_has = n / 9 % 4, b_has = n / 36 % 4;
		enum outcome want = expected(a, a_has, b, b_has), got;

		begin(1 + n, auth, a, a_has, b, b_has);
		world_initiate(&world, 0);
		world_run_for(&world, 8000 * WORLD_MS);
		got = outcome_of();
		if (got != want && wrong++ < 5)
			diag("ppk=%s with %s, ppk=%s with %s: %d, not %d", use_names[a], has_names[a_has],
				use_names[b], has_names[b_has], got, want);
		runs++;
		world_clear(&world);
	}
	ok(wrong == 0, "%s: %u pairs of ends, %u wrong", ike_auth_name(auth), runs, wrong);
}

/* --- what is told ------------------------------------------------------------------------------- */

static void test_reasons(void)
{
	begin(200, IKE_AUTH_NULL, IKE_PPK_INSIST, SAME, IKE_PPK_INSIST, OTHER_KEY);
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
	ok(A->failed_reason == IKE_REASON_AUTHENTICATION, "another key of the same name: AUTHENTICATION_FAILED");
	is_str(A->failed_detail, "the peer may have another PPK", "the initiator says");
	is_str(B->refused_detail, "the peer has another PPK", "and the responder");
	world_clear(&world);

	begin(201, IKE_AUTH_PSK, IKE_PPK_INSIST, SAME, IKE_PPK_INSIST, OTHER_KEY);
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
	is_str(B->refused_detail, "the peer does not know the secret, or has another PPK", "with a PSK it may be either");
	world_clear(&world);

	begin(202, IKE_AUTH_NULL, IKE_PPK_INSIST, SAME, IKE_PPK_INSIST, OTHER_NAME);
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
	is_str(B->refused_detail, "there is no PPK fleet for this peer", "a name that is not known");
	world_clear(&world);

	begin(203, IKE_AUTH_NULL, IKE_PPK_INSIST, SAME, IKE_PPK_NEVER, SAME);
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
	ok(A->failed_reason == IKE_REASON_AUTHENTICATION && world_sent(&world, 0, IKE_EXCHANGE_IKE_AUTH, false) == 0,
		"a peer without: it ends before IKE_AUTH");
	is_str(A->failed_detail, "the peer uses no PPK, and ppk=insist", "and says so");
	world_clear(&world);

	begin(204, IKE_AUTH_NULL, IKE_PPK_NEVER, SAME, IKE_PPK_INSIST, SAME);
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
	ok(A->failed_reason == IKE_REASON_AUTHENTICATION && B->refusals == 1, "a responder that insists");
	is_str(B->refused_detail, "the peer uses no PPK, and ppk=insist", "says why");
	world_clear(&world);

	begin(205, IKE_AUTH_NULL, IKE_PPK_INSIST, SAME, IKE_PPK_PROPOSE, OTHER_NAME);
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
	ok(A->faileds == 1 && B->refusals == 1, "an initiator that insists sends no proof without it");
	world_clear(&world);
}

/* --- several, and for whom ------------------------------------------------------------------------- */

static void test_choice(void)
{
	static char first[] = "none, other fleet", only[] = "other";
	static uint8_t other[] = "other";
	struct ike_psk both[2];

	world_init(&world, 210, IKE_AUTH_NULL);
	both[0] = both[1] = A->ppk;
	both[1].name = other;
	both[1].secret.data[0] ^= 1;
	for (size_t i = 0; i < 2; i++) {
		world.hosts[i].config.ppks = both;
		world.hosts[i].config.ppk_count = 2;
		world.hosts[i].conns[0].ppk = IKE_PPK_INSIST;
	}
	A->conns[0].ppk_ids = first;
	B->conns[0].ppk_ids = only;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(outcome_of() == WITH, "ppk-ids: the first of the initiator's that there is");
	B->conns[0].ppk_ids = &only[5]; /* "" */
	world_reload(&world, 1);
	A->faileds = A->ups = B->ups = 0;
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
	ok(A->faileds == 1 && B->ups == 0, "and no other of the responder's");
	world_clear(&world);
}

static void test_identities(void)
{
	struct ike_id somebody = {.type = IKE_ID_FQDN, .len = 4, .data = "else"};

	begin(211, IKE_AUTH_PSK, IKE_PPK_PROPOSE, SAME, IKE_PPK_PROPOSE, SAME);
	B->ppk.ids = &somebody;
	B->ppk.id_count = 1;
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(outcome_of() == WITHOUT, "a PPK that is for somebody else is not known for this peer");
	world_clear(&world);
}

/* --- certificates ------------------------------------------------------------------------------------- */

static void test_certs(void)
{
	struct pki_spec root = {.key = PKI_ED25519, .is_ca = true}, host = {.key = PKI_ED25519};
	struct pki_cert *ca = pki_make(&root, NULL), *cert = pki_make(&host, ca);
	struct cert_identity *identities[1];
	struct cert_trust *trusts[1] = {cert_trust_new()};
	char *why = NULL;

	identities[0] = cert_identity_new(cert->cert_pem, strlen(cert->cert_pem), cert->key_pem,
		strlen(cert->key_pem), time(NULL), &why);
	cert_trust_add(trusts[0], ca->cert_pem, strlen(ca->cert_pem), &why);
	for (enum has has = NOTHING; has <= OTHER_KEY; has++) {
		begin(220, IKE_AUTH_CERT, IKE_PPK_PROPOSE, SAME, IKE_PPK_PROPOSE, has);
		for (size_t i = 0; i < 2; i++) {
			world.hosts[i].config.identities = identities;
			world.hosts[i].config.trusts = trusts;
			world.hosts[i].config.identity_count = world.hosts[i].config.trust_count = 1;
			world.hosts[i].conns[0].remote_keys = CERT_KEY_ANY;
			world_reload(&world, i);
		}
		world_initiate(&world, 0);
		world_run_for(&world, 8000 * WORLD_MS);
		ok(outcome_of() == expected(IKE_PPK_PROPOSE, SAME, IKE_PPK_PROPOSE, has),
			"certificates, the responder has %s", has_names[has]);
		if (has == OTHER_KEY)
			is_str(B->refused_detail, "its AUTH signature is wrong, or it has another PPK", "it says");
		world_clear(&world);
	}
	cert_identity_free(identities[0]);
	cert_trust_free(trusts[0]);
	pki_free(cert);
	pki_free(ca);
}

/* --- somebody on the way ---------------------------------------------------------------------------- */

/* USE_PPK becomes another notify, in the messages that are not protected. */
static bool strip(struct world *w, struct packet *packet)
{
	if (packet->from == *(size_t *)w->filter_arg)
		world_spoil_notify(packet, IKE_NOTIFY_USE_PPK);
	return true;
}

static void test_stripped(void)
{
	for (size_t from = 0; from < 2; from++) {
		begin(230 + from, IKE_AUTH_PSK, IKE_PPK_PROPOSE, SAME, IKE_PPK_PROPOSE, SAME);
		world.filter = strip;
		world.filter_arg = &from;
		world_initiate(&world, 0);
		world_run_for(&world, 8000 * WORLD_MS);
		ok(A->faileds == 1 && A->ups == 0 && B->ups == 0,
			"USE_PPK taken out of the %s: no tunnel, and none without", from ? "answer" : "request");
		world_clear(&world);
	}
}

/* When the responder has gone on without, the initiator insists. */
static void tighten(void)
{
	A->conns[0].ppk = IKE_PPK_INSIST;
	ike_reconfigure(A->ike, &A->config, world.now_us);
}

static void test_tightened(void)
{
	begin(240, IKE_AUTH_PSK, IKE_PPK_PROPOSE, SAME, IKE_PPK_PROPOSE, OTHER_NAME);
	world_initiate(&world, 0);
	while (!B->ups && world.now_us < 2000000)
		world_run_for(&world, WORLD_MS / 2);
	tighten();
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->faileds == 1 && A->ups == 0 && B->child_count == 0, "an answer without it is not taken by who insists");
	is_int(B->down_reason, IKE_REASON_AUTHENTICATION, "the peer is told AUTHENTICATION_FAILED");
	is_int((int)ike_counters(A->ike).initiated, 2, "who begins again");
	is_int(B->refusals, 1, "and finds that the peer has another one");
	world_clear(&world);
}

/* Everything twice, late and now and then lost; and a rekey of the IKE SA keeps the PPK in its keys. */
static void test_weather(void)
{
	unsigned up = 0;

	for (uint64_t seed = 0; seed < 40; seed++) {
		begin(300 + seed, IKE_AUTH_NULL, IKE_PPK_INSIST, SAME, IKE_PPK_PROPOSE, SAME);
		up += world_weather(&world, 10, 30, 30) && (A->faileds || uses_ppk(A));
		world_clear(&world);
	}
	is_int(up, 40, "40 seeds of loss, doubles and disorder");
}

static void test_rekey(void)
{
	uint64_t first;

	begin(400, IKE_AUTH_PSK, IKE_PPK_INSIST, SAME, IKE_PPK_INSIST, SAME);
	A->conns[0].ike_lifetime_s = 12;
	A->conns[0].child_lifetime_s = 1000000;
	A->conns[0].rekey_margin_s = 2;
	world_reload(&world, 0);
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	first = A->children[0].child.sa;
	world_run_for(&world, 30000 * WORLD_MS);
	ok(A->children[0].child.sa != first && uses_ppk(A) && uses_ppk(B) && world_agrees(&world),
		"an IKE SA that takes its place has it too");
	world_clear(&world);
}

int main(void)
{
	test_tables(IKE_AUTH_NULL);
	test_tables(IKE_AUTH_PSK);
	test_reasons();
	test_choice();
	test_identities();
	test_certs();
	test_stripped();
	test_tightened();
	test_weather();
	test_rekey();
	return tap_done();
}
