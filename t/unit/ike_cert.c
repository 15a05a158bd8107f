/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificates: what is accepted and what is refused, each with its own
 * reason; signatures by every method; names.
 */
#include "ike/const.h"
#include "ike/crypto/cert.h"
#include "ike/crypto/cert_sign.h"
#include "lib/mem.h"
#include "t/pki.h"
#include "t/tap.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct pki_cert *ca, *other_ca;
static struct cert_trust *trust;

static const char octets[] = "what is signed";
static const char fqdn[] = "host.example";

static struct cert_trust *trust_in(const struct pki_cert *cert)
{
	struct cert_trust *set = cert_trust_new();
	char *why = NULL;

	is_int((int)cert_trust_add(set, cert->cert_pem, strlen(cert->cert_pem), &why), 1, "a CA");
	free(why);
	return set;
}

static bool verify(const struct cert_chain *chain, uint8_t type, const void *id, size_t len,
	char why[CERT_WHY])
{
	why[0] = '\0';
	return cert_verify(trust, chain, type, id, len, NULL, why);
}

static bool verify_one(const struct pki_cert *cert, char why[CERT_WHY])
{
	struct cert_chain chain = {.certs = {cert->der}, .count = 1};

	return verify(&chain, IKE_ID_FQDN, fqdn, strlen(fqdn), why);
}

/* --- refusals ------------------------------------------------------------------------------ */

#define TLS_SERVER "1.3.6.1.5.5.7.3.1"
#define IPSEC_IKE "1.3.6.1.5.5.7.3.17"
#define CODE_SIGNING "1.3.6.1.5.5.7.3.3"
#define KEY_ENCIPHERMENT 32
#define KEY_AGREEMENT 8

static const struct {
	const char *what;
	struct pki_spec spec;
	const char *why; /* NULL: it is good */
} table[] = {
	{"ECDSA P-256", {.key = PKI_P256}, NULL},
	{"ECDSA P-384", {.key = PKI_P384}, NULL},
	{"ECDSA P-521", {.key = PKI_P521}, NULL},
	{"RSA-2048", {.key = PKI_RSA_2048}, NULL},
	{"RSA-3072", {.key = PKI_RSA_3072}, NULL},
	{"Ed25519", {.key = PKI_ED25519}, NULL},
	{"for TLS servers", {.key = PKI_P256, .purpose = TLS_SERVER}, NULL},
	{"for IKE", {.key = PKI_P256, .purpose = IPSEC_IKE}, NULL},
	{"expired", {.key = PKI_P256, .from_days = -9, .until_days = -1}, "expired"},
	{"not valid yet", {.key = PKI_P256, .from_days = 2}, "not valid yet"},
	{"for signing programs", {.key = PKI_P256, .purpose = CODE_SIGNING}, "extended key usage"},
	{"for encryption only", {.key = PKI_P256, .usage = KEY_ENCIPHERMENT}, "key usage"},
	{"for key agreement only", {.key = PKI_P256, .usage = KEY_AGREEMENT}, "key usage"},
	{"without names", {.key = PKI_P256, .no_names = true}, "does not carry the identity"},
	{"with a wildcard", {.key = PKI_P256, .wildcard = true}, "does not carry the identity"},
	{"an RSA key of 1024 bits", {.key = PKI_RSA_1024}, "weak algorithm"},
	{"an Ed448 key", {.key = PKI_ED448}, "cannot sign here"},
	{"signed with SHA-1", {.key = PKI_P256, .sha1 = true}, "weak algorithm"},
	{"with an unknown critical extension", {.key = PKI_P256, .critical_unknown = true},
		"critical extension"},
};

static void test_table(void)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct pki_cert *cert = pki_make(&table[i].spec, ca);
		char why[CERT_WHY];
		bool good = verify_one(cert, why);

		if (table[i].why)
			ok(!good && strstr(why, table[i].why), "refused: %s (%s)", table[i].what, why);
		else
			ok(good, "taken: %s %s", table[i].what, why);
		pki_free(cert);
	}
}

static void test_issuers(void)
{
	static const struct pki_spec plain = {.key = PKI_P256};
	struct pki_cert *stranger = pki_make(&plain, other_ca), *own = pki_make(&plain, NULL);
	struct pki_cert *host = pki_make(&plain, ca), *below = pki_make(&plain, host);
	struct cert_chain chain = {.certs = {below->der, host->der}, .count = 2};
	char why[CERT_WHY];

	ok(!verify_one(stranger, why) && strstr(why, "no CA that is trusted"), "another CA's: %s", why);
	ok(!verify_one(own, why) && strstr(why, "no CA that is trusted"), "self-signed: %s", why);
	ok(!verify(&chain, IKE_ID_FQDN, fqdn, strlen(fqdn), why), "issued by a host: %s", why);
	pki_free(below);
	pki_free(host);
	pki_free(own);
	pki_free(stranger);
}

/* CA -> intermediate -> host; the intermediate comes with the host's. */
static bool verify_below(const struct pki_spec *middle_spec, const struct pki_spec *leaf_spec,
	bool sent, char why[CERT_WHY])
{
	struct pki_cert *middle = pki_make(middle_spec, ca), *leaf = pki_make(leaf_spec, middle);
	struct cert_chain chain = {.certs = {leaf->der, middle->der}, .count = sent ? 2 : 1};
	bool good = verify(&chain, IKE_ID_FQDN, fqdn, strlen(fqdn), why);

	pki_free(leaf);
	pki_free(middle);
	return good;
}

static void test_chains(void)
{
	struct pki_spec middle = {.key = PKI_P256, .is_ca = true, .subject = "CN=Middle,O=Fleet,C=CH"};
	struct pki_spec leaf = {.key = PKI_P256}, bad = middle;
	char why[CERT_WHY];

	ok(verify_below(&middle, &leaf, true, why), "an intermediate that is sent %s", why);
	ok(!verify_below(&middle, &leaf, false, why) && strstr(why, "no CA that is trusted"),
		"an intermediate that is missing: %s", why);
	bad.is_ca = false;
	ok(!verify_below(&bad, &leaf, true, why), "an intermediate that is no CA: %s", why);
	bad = middle;
	bad.no_basic_constraints = true;
	ok(!verify_below(&bad, &leaf, true, why), "an intermediate without basic constraints: %s", why);
	bad = middle;
	bad.until_days = -1;
	bad.from_days = -3;
	ok(!verify_below(&bad, &leaf, true, why) && strstr(why, "expired"),
		"an intermediate that has expired: %s", why);
	bad = middle;
	bad.permitted_dns = "elsewhere.example";
	ok(!verify_below(&bad, &leaf, true, why) && strstr(why, "may not give it"),
		"a name that the CA may not give: %s", why);
	bad = middle;
	bad.usage = 128; /* digitalSignature */
	ok(!verify_below(&bad, &leaf, true, why) && strstr(why, "may not sign certificates"),
		"a CA that may not sign certificates: %s", why);
	bad = middle;
	bad.key = PKI_RSA_1024;
	ok(!verify_below(&bad, &leaf, true, why) && strstr(why, "weak"), "a weak intermediate: %s", why);
}

static void test_path_length(void)
{
	struct pki_spec narrow = {
		.key = PKI_P256, .is_ca = true, .path_len = -1, .subject = "CN=Narrow,O=Fleet,C=CH"};
	struct pki_spec deep = {.key = PKI_P256, .is_ca = true, .subject = "CN=Deep,O=Fleet,C=CH"};
	struct pki_spec plain = {.key = PKI_P256};
	struct pki_cert *first = pki_make(&narrow, ca), *second = pki_make(&deep, first);
	struct pki_cert *leaf = pki_make(&plain, second);
	struct cert_chain chain = {.certs = {leaf->der, second->der, first->der}, .count = 3};
	char why[CERT_WHY];

	ok(!verify(&chain, IKE_ID_FQDN, fqdn, strlen(fqdn), why) && strstr(why, "longer than"),
		"longer than its CA permits: %s", why);
	pki_free(leaf);
	pki_free(second);
	pki_free(first);
}

static void test_broken(void)
{
	struct pki_spec plain = {.key = PKI_P256};
	struct pki_cert *cert = pki_make(&plain, ca);
	static uint8_t noise[65536];
	uint8_t *copy = mem_dup(cert->der.data, cert->der.len);
	struct cert_chain none = {0}, chain = {.certs = {{copy, cert->der.len}}, .count = 1};
	char why[CERT_WHY];
	size_t taken = 0;

	ok(!verify(&none, IKE_ID_FQDN, fqdn, strlen(fqdn), why) && strstr(why, "no certificate"),
		"none at all: %s", why);
	for (size_t len = 0; len < cert->der.len; len++) {
		chain.certs[0].len = len;
		taken += verify(&chain, IKE_ID_FQDN, fqdn, strlen(fqdn), why);
	}
	ok(taken == 0, "no truncation is taken (the last: %s)", why);
	chain.certs[0].len = cert->der.len;
	for (size_t i = 0; i < cert->der.len; i++) {
		copy[i] ^= 0x10;
		taken += verify(&chain, IKE_ID_FQDN, fqdn, strlen(fqdn), why);
		copy[i] ^= 0x10;
	}
	is_int((int)taken, 0, "nor one with a bit changed");
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i * 2654435761u >> 13);
	chain.certs[0] = (struct cert_der){noise, sizeof(noise)};
	ok(!verify(&chain, IKE_ID_FQDN, fqdn, strlen(fqdn), why) && strstr(why, "no X.509"),
		"64 KiB of noise: %s", why);
	chain.certs[0] = cert->der;
	chain.certs[1] = (struct cert_der){noise, 300};
	chain.count = 2;
	ok(!verify(&chain, IKE_ID_FQDN, fqdn, strlen(fqdn), why), "noise behind a good one: %s", why);
	free(copy);
	pki_free(cert);
}

/* --- names ---------------------------------------------------------------------------------- */

static bool covers(const struct pki_cert *cert, uint8_t type, const void *id, size_t len)
{
	return cert_covers(&cert->der, type, id, len);
}

static void test_names(void)
{
	struct pki_spec plain = {.key = PKI_P256};
	struct pki_cert *cert = pki_make(&plain, ca);
	static const uint8_t address[] = {192, 0, 2, 7}, other[] = {192, 0, 2, 8};
	static const struct {
		const char *text;
		bool fits;
	} patterns[] = {{"C=CH, O=Fleet, CN=*", true}, {"C=*, O=*, CN=*", true}, {"C=CH, O=FLEET, CN=*", true},
		{"C=CH, O=Fleet, CN=host", true}, {"C=CH, O=Other, CN=*", false}, {"O=Fleet, CN=*", false},
		{"C=CH, O=Fleet, OU=*, CN=*", false}, {"C=CH, O=Fleet, OU=*", false},
		{"C=CH, O=Fleet, CN=ho*", false}};
	uint8_t dn[256], written[256];
	size_t dn_len = cert_subject(&cert->der, dn, sizeof(dn)), len;
	char text[64];

	ok(covers(cert, IKE_ID_FQDN, "HOST.example", 12), "a name in capitals");
	ok(!covers(cert, IKE_ID_FQDN, "host.example\0x", 14), "not with a NUL within");
	ok(!covers(cert, IKE_ID_FQDN, "ost.example", 11) &&
			!covers(cert, IKE_ID_FQDN, "a.host.example", 14),
		"not a part, not a longer one");
	ok(covers(cert, IKE_ID_IPV4_ADDR, address, 4), "its address");
	ok(!covers(cert, IKE_ID_IPV4_ADDR, other, 4), "not another");
	ok(covers(cert, IKE_ID_RFC822_ADDR, "admin@example", 13), "its mail address");
	ok(!covers(cert, IKE_ID_FQDN, "admin@example", 13), "which is no DNS name");
	ok(dn_len && covers(cert, IKE_ID_DER_ASN1_DN, dn, dn_len), "its subject");
	ok(!covers(cert, IKE_ID_KEY_ID, "host", 4) &&
			!covers(cert, IKE_ID_NULL, "", 0),
		"a key id and nobody are in no certificate");
	len = cert_dn_parse("CN=HOST, O=Fleet, C=CH", written, sizeof(written));
	ok(len && cert_dn_equal(dn, dn_len, written, len), "a subject written CN first");
	len = cert_dn_parse("C=CH, O=Fleet, CN=host", written, sizeof(written));
	ok(len && cert_dn_equal(dn, dn_len, written, len), "and C first");
	len = cert_dn_parse("/C=CH/O=Fleet/CN=host", written, sizeof(written));
	ok(len && cert_dn_equal(dn, dn_len, written, len), "and with slashes");
	len = cert_dn_parse("C=CH, O=Fleet, CN=hosts", written, sizeof(written));
	ok(len && !cert_dn_equal(dn, dn_len, written, len), "another subject");
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		len = cert_dn_parse(patterns[i].text, written, sizeof(written));
		ok(len && cert_dn_matches(written, len, dn, dn_len) == patterns[i].fits, "%s: %s",
			patterns[i].text, patterns[i].fits ? "fits" : "does not fit");
	}
	is_int((int)cert_dn_parse("nothing", written, sizeof(written)), 0, "no subject");
	cert_dn_format(dn, dn_len, text, sizeof(text));
	is_str(text, "CN=host,O=Fleet,C=CH", "as text");
	pki_free(cert);
}

/* --- signatures --------------------------------------------------------------------------------- */

static struct cert_identity *identity_of(const struct pki_cert *cert)
{
	char *why = NULL;
	struct cert_identity *identity = cert_identity_new(cert->cert_pem, strlen(cert->cert_pem),
		cert->key_pem, strlen(cert->key_pem), time(NULL), &why);

	free(why);
	return identity;
}

static bool check(const struct pki_cert *cert, unsigned keys, bool sha1, const struct sign_proof *proof,
	char why[CERT_WHY])
{
	return cert_check_signature(&cert->der, keys, sha1, proof->method, proof->data, proof->len,
		octets, sizeof(octets), why);
}

static const struct {
	enum pki_key key;
	enum cert_key kind;
	unsigned hashes;
	bool sha1;
	uint8_t method; /* 0: there is no way */
} ways[] = {
	{PKI_RSA_2048, CERT_KEY_RSA, SIGN_HASHES_OURS, false, IKE_METHOD_SIGNATURE},
	{PKI_RSA_2048, CERT_KEY_RSA, 1u << SIGN_SHA2_384, false, IKE_METHOD_SIGNATURE},
	{PKI_RSA_2048, CERT_KEY_RSA, 1u << SIGN_SHA2_512, false, IKE_METHOD_SIGNATURE},
	{PKI_RSA_2048, CERT_KEY_RSA, 0, true, IKE_METHOD_RSA},
	{PKI_RSA_2048, CERT_KEY_RSA, 0, false, 0},
	{PKI_RSA_2048, CERT_KEY_RSA, 1u, true, 0},
	{PKI_P256, CERT_KEY_ECDSA, SIGN_HASHES_OURS, false, IKE_METHOD_SIGNATURE},
	{PKI_P256, CERT_KEY_ECDSA, 1u << SIGN_SHA2_512, false, IKE_METHOD_SIGNATURE},
	{PKI_P256, CERT_KEY_ECDSA, 0, false, IKE_METHOD_ECDSA_256},
	{PKI_P384, CERT_KEY_ECDSA, 0, false, IKE_METHOD_ECDSA_384},
	{PKI_P521, CERT_KEY_ECDSA, 0, false, IKE_METHOD_ECDSA_521},
	{PKI_P521, CERT_KEY_ECDSA, SIGN_HASHES_OURS, false, IKE_METHOD_SIGNATURE},
	{PKI_ED25519, CERT_KEY_EDDSA, SIGN_HASHES_OURS, false, IKE_METHOD_SIGNATURE},
	{PKI_ED25519, CERT_KEY_EDDSA, 1u << SIGN_SHA2_256, false, 0},
	{PKI_ED25519, CERT_KEY_EDDSA, 0, true, 0},
};

static void test_signing(void)
{
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct pki_spec spec = {.key = ways[i].key};
		struct pki_cert *cert = pki_make(&spec, ca), *other = pki_make(&spec, ca);
		struct cert_identity *identity = identity_of(cert);
		struct sign_proof proof;
		char why[CERT_WHY] = "";
		bool made = cert_sign(identity, ways[i].hashes, ways[i].sha1, octets, sizeof(octets),
			&proof, why);

		ok((made ? proof.method : 0) == ways[i].method, "%s, hashes %x: %s",
			cert_identity_key_text(identity), ways[i].hashes, why);
		if (made) {
			ok(check(cert, (unsigned)ways[i].kind, ways[i].sha1, &proof, why),
				"verifies %s", why);
			ok(!check(other, CERT_KEY_ANY, true, &proof, why), "not with another key: %s", why);
			ok(!check(cert, CERT_KEY_ANY & ~(unsigned)ways[i].kind, true, &proof, why) &&
					strstr(why, "of a kind"),
				"not where another kind is asked for");
			proof.data[proof.len - 1] ^= 1;
			ok(!check(cert, CERT_KEY_ANY, true, &proof, why), "not with a bit changed");
			proof.len = 0;
			ok(!check(cert, CERT_KEY_ANY, true, &proof, why), "not empty");
		}
		cert_identity_free(identity);
		pki_free(other);
		pki_free(cert);
	}
}

/* Every byte of the AlgorithmIdentifier counts: parsed PSS parameters have been forged. */
static void test_algorithm_id(void)
{
	struct pki_spec spec = {.key = PKI_RSA_2048};
	struct pki_cert *cert = pki_make(&spec, ca);
	struct cert_identity *identity = identity_of(cert);
	struct sign_proof proof;
	char why[CERT_WHY] = "";
	size_t taken = 0;

	cert_sign(identity, SIGN_HASHES_OURS, false, octets, sizeof(octets), &proof, why);
	is_int(proof.data[0], 67, "RSASSA-PSS is named in 67 bytes (RFC 7427 A.4)");
	for (size_t i = 0; i <= proof.data[0]; i++) {
		for (unsigned bit = 1; bit < 256; bit <<= 1) {
			proof.data[i] ^= (uint8_t)bit;
			taken += check(cert, CERT_KEY_ANY, false, &proof, why);
			proof.data[i] ^= (uint8_t)bit;
		}
	}
	is_int((int)taken, 0, "no other is taken for it");
	proof.method = IKE_METHOD_RSA;
	ok(!check(cert, CERT_KEY_ANY, false, &proof, why) && strstr(why, "SHA-1"),
		"SHA-1 only where it is permitted: %s", why);
	proof.method = IKE_METHOD_PSK;
	ok(!check(cert, CERT_KEY_ANY, true, &proof, why), "a MAC is no signature: %s", why);
	cert_identity_free(identity);
	pki_free(cert);
}

/* --- our own ----------------------------------------------------------------------------------------- */

static void refused(const struct pki_cert *cert, const char *key_pem, int64_t now, const char *part)
{
	char *why = NULL;
	struct cert_identity *identity = cert_identity_new(
		cert->cert_pem, strlen(cert->cert_pem), key_pem, strlen(key_pem), now, &why);

	ok(!identity && why && strstr(why, part), "refused as ours: %s", why);
	cert_identity_free(identity);
	free(why);
}

static void test_own(void)
{
	struct pki_spec plain = {.key = PKI_P256}, weak = {.key = PKI_RSA_1024};
	struct pki_spec use = {.key = PKI_P256, .usage = KEY_AGREEMENT};
	struct pki_cert *cert = pki_make(&plain, ca), *other = pki_make(&plain, ca);
	struct pki_cert *short_key = pki_make(&weak, ca), *agreement = pki_make(&use, ca);
	struct cert_identity *identity = identity_of(cert), *copy = cert_identity_copy(identity);
	struct sign_proof proof;
	char why[CERT_WHY] = "";
	int64_t now = time(NULL);

	ok(identity && cert_identity_chain(identity)->count == 1, "a key and its certificate");
	ok(cert_sign(copy, SIGN_HASHES_OURS, false, octets, sizeof(octets), &proof, why) &&
			check(cert, CERT_KEY_ANY, false, &proof, why),
		"a copy signs as well");
	refused(cert, other->key_pem, now, "belongs to none");
	refused(cert, "", now, "no private key");
	refused(cert, cert->key_pem, now + 40 * 86400, "expired");
	refused(cert, cert->key_pem, now - 40 * 86400, "not valid yet");
	refused(short_key, short_key->key_pem, now, "1024 bits");
	refused(agreement, agreement->key_pem, now, "key usage");
	cert_identity_free(copy);
	cert_identity_free(identity);
	pki_free(agreement);
	pki_free(short_key);
	pki_free(other);
	pki_free(cert);
}

static void test_trust(void)
{
	struct pki_spec plain = {.key = PKI_P256};
	struct pki_cert *cert = pki_make(&plain, ca);
	struct cert_identity *identity = identity_of(cert);
	struct cert_trust *both = trust_in(ca), *some;
	uint8_t hashes[3 * CERT_KEY_HASH_LEN], dn[256];
	char *why = NULL;

	cert_trust_add(both, other_ca->cert_pem, strlen(other_ca->cert_pem), &why);
	is_int((int)cert_trust_count(both), 2, "two CAs");
	is_int((int)cert_trust_key_hashes(both, hashes, sizeof(hashes)), 2 * CERT_KEY_HASH_LEN,
		"two hashes for CERTREQ");
	some = cert_trust_of_identity(both, identity);
	is_int((int)cert_trust_count(some), 1, "the one that issued ours");
	cert_trust_free(some);
	some = cert_trust_of_subject(
		both, dn, cert_dn_parse("O=Others, CN=Other CA", dn, sizeof(dn)));
	is_int((int)cert_trust_count(some), 1, "the one of a name");
	cert_trust_free(some);
	ok(cert_trust_add(both, cert->cert_pem, strlen(cert->cert_pem), &why) == 0,
		"a host's certificate is no CA: %s", why);
	free(why);
	cert_trust_free(both);
	cert_identity_free(identity);
	pki_free(cert);
}

int main(void)
{
	struct pki_spec spec = {.key = PKI_P256, .is_ca = true};
	struct pki_spec other = {.key = PKI_P256, .is_ca = true, .subject = "CN=Other CA,O=Others"};

	ca = pki_make(&spec, NULL);
	other_ca = pki_make(&other, NULL);
	trust = trust_in(ca);
	test_table();
	test_issuers();
	test_chains();
	test_path_length();
	test_broken();
	test_names();
	test_signing();
	test_algorithm_id();
	test_own();
	test_trust();
	cert_trust_free(trust);
	pki_free(other_ca);
	pki_free(ca);
	return tap_done();
}
