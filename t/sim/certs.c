/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two engines that authenticate by certificate: each side its own way, every
 * kind of key, and what happens when one of them cannot be believed.
 */
#include "ike/crypto/cert.h"
#include "ike/id.h"
#include "lib/mem.h"
#include "t/pki.h"
#include "t/sim/world.h"
#include "t/tap.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

static struct pki_cert *ca, *other_ca;

/* What a host has; freed when the run is over. */
struct owned {
	struct cert_identity *identity;
	struct cert_trust *trust;
};

static struct cert_identity *identity_of(const struct pki_cert *cert)
{
	char *why = NULL;
	struct cert_identity *identity = cert_identity_new(cert->cert_pem, strlen(cert->cert_pem),
		cert->key_pem, strlen(cert->key_pem), time(NULL), &why);

	free(why);
	return identity;
}

static struct cert_identity *issue(enum pki_key key, const struct pki_cert *issuer)
{
	struct pki_spec spec = {.key = key};
	struct pki_cert *cert = pki_make(&spec, issuer);
	struct cert_identity *identity = identity_of(cert);

	pki_free(cert);
	return identity;
}

static struct cert_trust *believe(const struct pki_cert *issuer)
{
	struct cert_trust *trust = cert_trust_new();
	char *why = NULL;

	cert_trust_add(trust, issuer->cert_pem, strlen(issuer->cert_pem), &why);
	free(why);
	return trust;
}

/* Certificates for both, of one CA; then each host's conn says whether they are used. */
static void give(struct world_host *host, struct owned *owned, enum pki_key key,
	const struct pki_cert *issuer, const struct pki_cert *believed)
{
	owned->identity = issue(key, issuer);
	owned->trust = believe(believed);
	host->config.identities = &owned->identity;
	host->config.identity_count = 1;
	host->config.trusts = &owned->trust;
	host->config.trust_count = 1;
	host->conns[0].remote_keys = CERT_KEY_ANY;
}

static void take_back(struct owned *owned)
{
	cert_identity_free(owned->identity);
	cert_trust_free(owned->trust);
}

static struct owned a, b;

static void begin(uint64_t seed, enum pki_key key, enum ike_auth auth_a, enum ike_auth auth_b)
{
	world_init(&world, seed, IKE_AUTH_CERT);
	give(A, &a, key, ca, ca);
	give(B, &b, key, ca, ca);
	A->conns[0].local_auth = B->conns[0].remote_auth = auth_a;
	B->conns[0].local_auth = A->conns[0].remote_auth = auth_b;
}

static void go(void)
{
	world_reload(&world, 0);
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
}

static void finish(void)
{
	world_clear(&world);
	take_back(&a);
	take_back(&b);
}

static bool is_up(void)
{
	return A->ups == 1 && B->ups == 1 && A->child_count == 1 && world_agrees(&world);
}

/* Neither end has anything; the initiator was told once. */
static bool has_failed(void)
{
	return A->faileds == 1 && A->child_count == 0 && B->child_count == 0 &&
	       ike_counters(A->ike).sas == 0 && ike_counters(B->ike).sas == 0;
}

/* --- each way -------------------------------------------------------------------------- */

static void test_keys(void)
{
	static const struct {
		enum pki_key key;
		const char *name;
	} keys[] = {{PKI_RSA_2048, "RSA-2048"}, {PKI_P256, "P-256"}, {PKI_P384, "P-384"},
		{PKI_P521, "P-521"}, {PKI_ED25519, "Ed25519"}};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		begin(1 + i, keys[i].key, IKE_AUTH_CERT, IKE_AUTH_CERT);
		go();
		ok(is_up(), "certificates of %s on both sides", keys[i].name);
		finish();
	}
}

static void test_ways(void)
{
	static const enum ike_auth ways[] = {IKE_AUTH_NULL, IKE_AUTH_PSK, IKE_AUTH_CERT};

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		for (size_t r = 0; r < ARRAY_LEN(ways); r++) {
			begin(20 + 3 * i + r, PKI_P256, ways[i], ways[r]);
			go();
			ok(is_up(), "initiator %s, responder %s", ike_auth_name(ways[i]),
				ike_auth_name(ways[r]));
			finish();
		}
	}
}

static void test_loss(void)
{
	unsigned bad = 0;

	for (uint64_t seed = 0; seed < 60; seed++) {
		begin(1000 + seed, PKI_ED25519, IKE_AUTH_CERT, IKE_AUTH_CERT);
		world.loss_percent = 20;
		world.duplicate_percent = 10;
		world.jitter_us = 20 * WORLD_MS;
		A->job_us = B->job_us = 3 * WORLD_MS;
		go();
		world.loss_percent = 0;
		world_run_for(&world, 60000 * WORLD_MS);
		bad += !(is_up() || has_failed());
		finish();
	}
	ok(bad == 0, "60 seeds of loss, reordering and duplication");
}

/* --- who is not believed ---------------------------------------------------------------------- */

static void test_wrong_ca(void)
{
	begin(50, PKI_P256, IKE_AUTH_NULL, IKE_AUTH_CERT);
	take_back(&b);
	give(B, &b, PKI_P256, other_ca, ca);
	go();
	ok(has_failed() && A->failed_reason == IKE_REASON_AUTHENTICATION &&
			strstr(A->failed_detail, "no CA that is trusted"),
		"a responder of another CA: %s", A->failed_detail);
	finish();
	begin(51, PKI_P256, IKE_AUTH_CERT, IKE_AUTH_NULL);
	take_back(&a);
	give(A, &a, PKI_P256, other_ca, ca);
	go();
	ok(has_failed() && A->failed_reason == IKE_REASON_AUTHENTICATION, "an initiator of another CA");
	ok(B->refusals == 1 && strstr(B->refused_detail, "no CA that is trusted") && B->ups == 0,
		"the responder says why: %s", B->refused_detail);
	finish();
}

/* Who asks for a certificate takes nothing less. */
static void test_downgrade(void)
{
	begin(52, PKI_P256, IKE_AUTH_CERT, IKE_AUTH_CERT);
	B->conns[0].local_auth = IKE_AUTH_NULL;
	B->conns[0].remote_auth = IKE_AUTH_CERT;
	go();
	ok(has_failed(), "a responder that is nobody: %s", A->failed_detail);
	finish();
	begin(53, PKI_P256, IKE_AUTH_NULL, IKE_AUTH_CERT);
	B->conns[0].remote_auth = IKE_AUTH_CERT;
	go();
	ok(has_failed() && B->refusals == 1, "an initiator that is nobody: %s", B->refused_detail);
	finish();
	begin(54, PKI_P256, IKE_AUTH_PSK, IKE_AUTH_CERT);
	B->conns[0].remote_auth = IKE_AUTH_CERT;
	go();
	ok(has_failed() && B->refusals == 1, "an initiator with a PSK: %s", B->refused_detail);
	finish();
}

static void test_identity(void)
{
	struct ike_id_spec fqdn = {.kind = IKE_ID_KIND_EXACT,
		.id = {.type = 2, .len = 12, .data = "host.example"}};
	struct ike_id_spec other = {.kind = IKE_ID_KIND_EXACT,
		.id = {.type = 2, .len = 13, .data = "other.example"}};

	begin(55, PKI_P256, IKE_AUTH_NULL, IKE_AUTH_CERT);
	B->conns[0].local_id = fqdn;
	A->conns[0].remote_id = fqdn;
	go();
	ok(is_up(), "the name that is demanded");
	finish();
	begin(56, PKI_P256, IKE_AUTH_NULL, IKE_AUTH_CERT);
	B->conns[0].local_id = fqdn;
	A->conns[0].remote_id = other;
	go();
	ok(has_failed() && strstr(A->failed_detail, "identity"), "another name: %s", A->failed_detail);
	finish();
	begin(57, PKI_P256, IKE_AUTH_NULL, IKE_AUTH_CERT);
	B->conns[0].local_id = other;
	go();
	ok(has_failed() && strstr(A->failed_detail, "does not carry the identity"),
		"a name that is not in the certificate: %s", A->failed_detail);
	finish();
	begin(58, PKI_P256, IKE_AUTH_NULL, IKE_AUTH_CERT);
	A->conns[0].remote_keys = CERT_KEY_RSA;
	go();
	ok(has_failed() && strstr(A->failed_detail, "of a kind"), "another kind of key: %s",
		A->failed_detail);
	finish();
}

/* A reload replaces keys and CAs while jobs use them: nothing is freed too early, nothing is left. */
static void test_reload(void)
{
	struct owned fresh;

	begin(60, PKI_P256, IKE_AUTH_CERT, IKE_AUTH_CERT);
	A->job_us = B->job_us = 50 * WORLD_MS;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, 20 * WORLD_MS);
	give(A, &fresh, PKI_P256, ca, ca);
	ike_reconfigure(A->ike, &A->config, world.now_us);
	ike_reconfigure(A->ike, &A->config, world.now_us);
	take_back(&a);
	a = fresh;
	world_run_for(&world, 8000 * WORLD_MS);
	ok(is_up(), "a reload while our proof is made: the negotiation begins again by the new key");
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
	ok(A->ups >= 1 && A->child_count >= 1 && world_agrees(&world), "and the next negotiation is up");
	finish();
}

/* C4: what a host's new configuration leaves of its tunnel. */
static bool stays(void)
{
	ike_reconfigure(A->ike, &A->config, world.now_us);
	world_run_for(&world, 100 * WORLD_MS);
	return is_up();
}

static void test_reload_trust(void)
{
	struct cert_trust *both = believe(ca), *ours = NULL;
	struct cert_identity *renewed = issue(PKI_P256, ca);
	char *why = NULL;

	cert_trust_add(both, other_ca->cert_pem, strlen(other_ca->cert_pem), &why);
	free(why);
	begin(61, PKI_P256, IKE_AUTH_CERT, IKE_AUTH_CERT);
	go();
	ours = a.trust;
	ok(stays(), "reload: the same keys and CAs keep their tunnels");
	a.trust = both;
	ok(stays(), "reload: so does one CA more");
	a.trust = ours;
	ok(!stays() && A->downs == 1 && B->downs == 1, "reload: one CA less does not");
	finish();

	begin(62, PKI_P256, IKE_AUTH_CERT, IKE_AUTH_CERT);
	go();
	cert_identity_free(a.identity);
	a.identity = renewed;
	ok(!stays() && A->downs == 1, "reload: nor does another certificate of ours");
	finish();
	cert_trust_free(both);
}

/* --- who is revoked --------------------------------------------------------------------------- */

/* Of both hosts; A gets lists later. */
static struct pki_cert *shown;

static void begin_shown(uint64_t seed)
{
	struct pki_spec spec = {.key = PKI_P256};

	begin(seed, PKI_P256, IKE_AUTH_CERT, IKE_AUTH_CERT);
	shown = pki_make(&spec, ca);
	cert_identity_free(b.identity);
	b.identity = identity_of(shown);
}

/* A list of the CA, with B's certificate or without, in a new set: the engine has a copy of the old one. */
static void give_list(bool revoked)
{
	struct cert_trust *fresh = cert_trust_copy(a.trust);
	const struct pki_cert *list[] = {shown};
	size_t len;
	uint8_t *bytes = pki_revoke(&(struct pki_crl){0}, ca, NULL, list, revoked ? 1 : 0, &len);
	char *why = NULL;

	cert_trust_add_crls(fresh, bytes, len, time(NULL), &why);
	cert_trust_free(a.trust);
	a.trust = fresh;
	free(why);
	free(bytes);
}

static void finish_shown(void)
{
	finish();
	pki_free(shown);
}

static void test_revoked(void)
{
	begin_shown(80);
	give_list(true);
	go();
	ok(has_failed() && A->failed_reason == IKE_REASON_AUTHENTICATION && strstr(A->failed_detail, "it is revoked"),
		"a responder that is revoked: %s", A->failed_detail);
	finish_shown();
	begin_shown(81);
	give_list(true);
	world_reload(&world, 0);
	world_reload(&world, 1);
	world_initiate(&world, 1);
	world_run_for(&world, 8000 * WORLD_MS);
	ok(A->refusals == 1 && A->ups == 0 && strstr(A->refused_detail, "it is revoked"), "an initiator that is: %s",
		A->refused_detail);
	finish_shown();
}

static void test_reload_revoked(void)
{
	begin_shown(82);
	A->conns[0].ike_lifetime_s = 60;
	A->conns[0].rekey_margin_s = 2;
	go();
	give_list(false);
	ok(stays(), "reload: a list that does not name the peer");
	world_run_for(&world, 90000 * WORLD_MS);
	give_list(true);
	ok(!stays() && A->downs == 1 && B->downs == 1, "reload: one that does ends its tunnel, rekeyed or not");
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
	ok(A->child_count == 0 && strstr(A->failed_detail, "it is revoked"), "and there is no other: %s",
		A->failed_detail);
	finish_shown();
}

/* The check was made with the lists of before; nobody may profit from it. */
static void test_reload_meanwhile(void)
{
	unsigned bad = 0;

	for (uint64_t ms = 1; ms < 120; ms++) {
		begin_shown(3000 + ms);
		A->job_us = B->job_us = 20 * WORLD_MS;
		world_reload(&world, 0);
		world_reload(&world, 1);
		world_initiate(&world, 0);
		world_run_for(&world, ms * WORLD_MS);
		give_list(true);
		ike_reconfigure(A->ike, &A->config, world.now_us);
		world_run_for(&world, 30000 * WORLD_MS);
		bad += world_up_count(&world, 0) + world_up_count(&world, 1) != 0;
		finish_shown();
	}
	ok(bad == 0, "reload at each moment of a negotiation: the revoked one has no tunnel");
}

/* --- for whom it is ---------------------------------------------------------------------------- */

/* A and B both show certificates for host.example; each demands a name of the other, or none. */
static void begin_demanding(uint64_t seed, const char *of_b, const char *of_a)
{
	begin(seed, PKI_P256, IKE_AUTH_CERT, IKE_AUTH_CERT);
	A->conns[0].verify_name = of_b;
	A->demands = of_b;
	B->conns[0].verify_name = of_a;
	B->demands = of_a;
}

static const struct cert_hosts *hosts_of(const struct world_host *host)
{
	return ike_sa_hosts(host->ike, host->children[host->child_count - 1].child.sa);
}

static void test_names(void)
{
	begin_demanding(70, "host.example", "host.example");
	go();
	ok(is_up() && A->claims == 1 && B->claims == 1, "both demand the name that the other has");
	ok(cert_hosts_have_name(hosts_of(A), "host.example") && cert_hosts_have_name(hosts_of(B), "host.example"),
		"and know it from then on");
	finish();
	begin_demanding(71, "other.example", NULL);
	go();
	ok(has_failed() && A->failed_reason == IKE_REASON_AUTHENTICATION && strcmp(A->failed_detail, "the wrong name") == 0,
		"an initiator demands another name: %s", A->failed_detail);
	finish();
	begin_demanding(72, NULL, "other.example");
	go();
	ok(has_failed() && A->failed_reason == IKE_REASON_AUTHENTICATION && B->ups == 0 && B->refusals == 1 &&
			strcmp(B->refused_detail, "the wrong name") == 0,
		"a responder does: %s", B->refused_detail);
	finish();
	begin_demanding(73, NULL, NULL);
	go();
	ok(is_up() && A->claims + B->claims == 0 && !hosts_of(A) && !hosts_of(B),
		"where nobody demands one, nothing of it is kept");
	finish();
}

/* N8: who may not have an SA does not end another's by saying that he has no other. */
static void test_names_and_contact(void)
{
	begin_demanding(74, NULL, "host.example");
	go();
	B->demands = "other.example";
	world_restart(&world, 0);
	world_initiate(&world, 0);
	world_run_for(&world, 3000 * WORLD_MS);
	ok(B->refusals == 1 && B->downs == 0 && world_up_count(&world, 1) == 1,
		"a refused one's INITIAL_CONTACT ends nothing");
	finish();
}

static void test_names_rekeyed(void)
{
	begin_demanding(75, "host.example", "host.example");
	A->conns[0].ike_lifetime_s = 60;
	A->conns[0].rekey_margin_s = 2;
	go();
	world_run_for(&world, 90000 * WORLD_MS);
	ok(A->downs == 0 && ike_counters(A->ike).sas == 1 && A->claims == 1, "an IKE SA is replaced: nobody is asked again");
	ok(cert_hosts_have_name(hosts_of(A), "host.example") && cert_hosts_have_name(hosts_of(B), "host.example"),
		"and the hosts are still known");
	finish();
}

static void test_names_reload(void)
{
	begin_demanding(76, "host.example", NULL);
	go();
	A->conns[0].verify_name = false;
	ok(stays(), "reload: a name that is not demanded any more");
	A->conns[0].verify_name = true;
	ok(!stays() && A->downs == 1 && B->downs == 1, "reload: one that was not demanded before ends what was not verified");
	finish();
}

static void test_names_loss(void)
{
	unsigned bad = 0;

	for (uint64_t seed = 0; seed < 60; seed++) {
		begin_demanding(2000 + seed, seed % 3 ? "host.example" : "other.example",
			seed % 2 ? "host.example" : "other.example");
		world.loss_percent = 20;
		world.duplicate_percent = 10;
		world.jitter_us = 20 * WORLD_MS;
		A->job_us = B->job_us = 3 * WORLD_MS;
		go();
		world.loss_percent = 0;
		world_run_for(&world, 60000 * WORLD_MS);
		bad += !(seed % 3 && seed % 2 ? is_up() || has_failed()
					      : A->ups == 0 && world_up_count(&world, 0) + world_up_count(&world, 1) == 0);
		finish();
	}
	ok(bad == 0, "60 seeds of loss, reordering and duplication: no tunnel by a wrong name");
}

int main(void)
{
	struct pki_spec spec = {.key = PKI_P256, .is_ca = true};
	struct pki_spec other = {.key = PKI_P256, .is_ca = true, .subject = "CN=Other CA,O=Others"};

	ca = pki_make(&spec, NULL);
	other_ca = pki_make(&other, NULL);
	test_keys();
	test_ways();
	test_loss();
	test_wrong_ca();
	test_downgrade();
	test_identity();
	test_reload();
	test_reload_trust();
	test_revoked();
	test_reload_revoked();
	test_reload_meanwhile();
	test_names();
	test_names_and_contact();
	test_names_rekeyed();
	test_names_reload();
	test_names_loss();
	pki_free(other_ca);
	pki_free(ca);
	return tap_done();
}
