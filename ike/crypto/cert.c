/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our own key and certificates, and what any certificate must be to serve IKE (cert.h). */
#include "ike/crypto/cert_gnutls.h"

#include "lib/mem.h"
#include "lib/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- chains ------------------------------------------------------------------------------ */

bool cert_chain_add(struct cert_chain *chain, const uint8_t *data, size_t len)
{
	if (chain->count == CERT_CHAIN_MAX)
		return false;
	chain->certs[chain->count++] = (struct cert_der){mem_dup(data, len), len};
	return true;
}

void cert_chain_clear(struct cert_chain *chain)
{
	for (size_t i = 0; i < chain->count; i++)
		free(chain->certs[i].data);
	chain->count = 0;
}

gnutls_x509_crt_t cert_import(const struct cert_der *der)
{
	gnutls_datum_t datum = cert_datum(der->data, der->len);
	gnutls_x509_crt_t cert;

	if (gnutls_x509_crt_init(&cert) < 0)
		return NULL;
	if (gnutls_x509_crt_import(cert, &datum, GNUTLS_X509_FMT_DER) < 0) {
		gnutls_x509_crt_deinit(cert);
		return NULL;
	}
	return cert;
}

int cert_import_list(const void *data, size_t len, gnutls_x509_crt_t **out)
{
	gnutls_datum_t datum = cert_datum(data, len);
	unsigned count = 0;

	if (gnutls_x509_crt_list_import2(out, &count, &datum, GNUTLS_X509_FMT_PEM, 0) < 0 &&
		gnutls_x509_crt_list_import2(out, &count, &datum, GNUTLS_X509_FMT_DER, 0) < 0)
		return -1;
	return (int)count;
}

void cert_list_free(gnutls_x509_crt_t *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
}

/* --- what can serve ------------------------------------------------------------------------- */

/* e = 3 has a history of forged signatures; an even or tiny modulus has one of crashes. */
static bool rsa_is_sane(gnutls_pubkey_t key)
{
	gnutls_datum_t modulus, exponent;
	bool sane;

	if (gnutls_pubkey_export_rsa_raw2(key, &modulus, &exponent, GNUTLS_EXPORT_FLAG_NO_LZ) < 0)
		return false;
	sane = modulus.size > 0 && (modulus.data[modulus.size - 1] & 1) && exponent.size >= 3 &&
	       (exponent.data[exponent.size - 1] & 1);
	gnutls_free(modulus.data);
	gnutls_free(exponent.data);
	return sane;
}

static bool judge_rsa(gnutls_pubkey_t key, unsigned bits, char text[16], char why[CERT_WHY])
{
	snprintf(text, 16, "RSA-%u", bits);
	if (bits < CERT_RSA_BITS_MIN || bits > 16384)
		snprintf(why, CERT_WHY, "an RSA key of %u bits (2048 at least, 16384 at most)", bits);
	else if (!rsa_is_sane(key))
		snprintf(why, CERT_WHY, "an RSA key with a weak modulus or exponent");
	else
		return true;
	return false;
}

static bool judge_ecdsa(gnutls_pubkey_t key, gnutls_ecc_curve_t *curve, char text[16], char why[CERT_WHY])
{
	static const struct {
		gnutls_ecc_curve_t curve;
		const char *text;
	} names[] = {{GNUTLS_ECC_CURVE_SECP256R1, "ECDSA-256"},
		{GNUTLS_ECC_CURVE_SECP384R1, "ECDSA-384"}, {GNUTLS_ECC_CURVE_SECP521R1, "ECDSA-521"}};

	if (gnutls_pubkey_export_ecc_raw2(key, curve, NULL, NULL, 0) < 0) {
		snprintf(why, CERT_WHY, "an ECDSA key that cannot be read");
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (names[i].curve == *curve) {
			snprintf(text, 16, "%s", names[i].text);
			return true;
		}
	}
	snprintf(why, CERT_WHY, "an ECDSA key on %s (P-256, P-384 and P-521 serve)",
		gnutls_ecc_curve_get_name(*curve));
	return false;
}

bool cert_key_judge(gnutls_pubkey_t key, enum cert_key *kind, gnutls_ecc_curve_t *curve, char text[16],
	char why[CERT_WHY])
{
	unsigned bits = 0;
	int algorithm = gnutls_pubkey_get_pk_algorithm(key, &bits);

	switch (algorithm) {
	case GNUTLS_PK_RSA:
	case GNUTLS_PK_RSA_PSS:
		*kind = CERT_KEY_RSA;
		return judge_rsa(key, bits, text, why);
	case GNUTLS_PK_ECDSA:
		*kind = CERT_KEY_ECDSA;
		return judge_ecdsa(key, curve, text, why);
	case GNUTLS_PK_EDDSA_ED25519:
		*kind = CERT_KEY_EDDSA;
		snprintf(text, 16, "Ed25519");
		return true;
	}
	snprintf(why, CERT_WHY, "a key of the kind %s, which cannot sign here",
		algorithm < 0 ? "unknown" : gnutls_pk_algorithm_get_name((gnutls_pk_algorithm_t)algorithm));
	return false;
}

/* Purposes that fit: any, TLS server and client (public CAs give no other), and those of IPsec. */
static bool purpose_fits(const char *oid)
{
	static const char *const fits[] = {"2.5.29.37.0", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2",
		"1.3.6.1.5.5.7.3.5", "1.3.6.1.5.5.7.3.6", "1.3.6.1.5.5.7.3.7",
		"1.3.6.1.5.5.7.3.17", "1.3.6.1.5.5.8.2.2"};

	for (size_t i = 0; i < ARRAY_LEN(fits); i++) {
		if (strcmp(oid, fits[i]) == 0)
			return true;
	}
	return false;
}

bool cert_usage_good(gnutls_x509_crt_t cert, char why[CERT_WHY])
{
	unsigned usage = 0, critical, index;
	char oid[128];

	if (gnutls_x509_crt_get_key_usage(cert, &usage, &critical) == 0 &&
		!(usage & (GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_NON_REPUDIATION))) {
		snprintf(why, CERT_WHY, "its key usage does not permit signatures");
		return false;
	}
	for (index = 0;; index++) {
		size_t len = sizeof(oid);
		int rc = gnutls_x509_crt_get_key_purpose_oid(cert, index, oid, &len, &critical);

		if (rc == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (rc >= 0 && purpose_fits(oid))
			return true;
	}
	if (index == 0)
		return true; /* no restriction */
	snprintf(why, CERT_WHY, "its extended key usage does not include IKE, TLS server or client");
	return false;
}

static bool is_valid_now(gnutls_x509_crt_t cert, int64_t now, char why[CERT_WHY])
{
	if (now > (int64_t)gnutls_x509_crt_get_expiration_time(cert))
		snprintf(why, CERT_WHY, "the certificate has expired");
	else if (now < (int64_t)gnutls_x509_crt_get_activation_time(cert))
		snprintf(why, CERT_WHY, "the certificate is not valid yet");
	else
		return true;
	return false;
}

/* --- our own --------------------------------------------------------------------------------- */

static gnutls_x509_privkey_t import_key(const void *data, size_t len, const char **why)
{
	gnutls_datum_t datum = cert_datum(data, len);
	gnutls_x509_privkey_t key;
	int rc;

	gnutls_x509_privkey_init(&key);
	rc = gnutls_x509_privkey_import2(key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (rc < 0 && rc != GNUTLS_E_DECRYPTION_FAILED)
		rc = gnutls_x509_privkey_import2(key, &datum, GNUTLS_X509_FMT_DER, NULL, 0);
	if (rc >= 0)
		return key;
	gnutls_x509_privkey_deinit(key);
	*why = rc == GNUTLS_E_DECRYPTION_FAILED ? "the key is protected by a passphrase"
						: "there is no private key in it";
	return NULL;
}

#define KEY_ID_LEN 20

static bool same_key(gnutls_x509_crt_t cert, gnutls_x509_privkey_t key)
{
	uint8_t of_cert[KEY_ID_LEN], of_key[KEY_ID_LEN];
	size_t cert_len = sizeof(of_cert), key_len = sizeof(of_key);

	return gnutls_x509_crt_get_key_id(cert, GNUTLS_KEYID_USE_SHA1, of_cert, &cert_len) == 0 &&
	       gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA1, of_key, &key_len) == 0 &&
	       cert_len == key_len && memcmp(of_cert, of_key, key_len) == 0;
}

static int find_own(gnutls_x509_crt_t *list, int count, gnutls_x509_privkey_t key)
{
	for (int i = 0; i < count; i++) {
		if (same_key(list[i], key))
			return i;
	}
	return -1;
}

bool cert_key_fits(const void *certs, size_t certs_len, const void *key, size_t key_len)
{
	gnutls_x509_crt_t *list;
	int count = cert_import_list(certs, certs_len, &list);
	const char *why;
	gnutls_x509_privkey_t private;
	bool fits;

	if (count < 0)
		return false;
	private = import_key(key, key_len, &why);
	fits = private && find_own(list, count, private) >= 0;
	if (private)
		gnutls_x509_privkey_deinit(private);
	cert_list_free(list, (size_t)count);
	return fits;
}

static void add_der(struct cert_chain *chain, gnutls_x509_crt_t cert)
{
	gnutls_datum_t der;

	if (gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_DER, &der) < 0)
		return;
	cert_chain_add(chain, der.data, der.size);
	gnutls_free(der.data);
}

/* Our own first, then whoever else is no root: a peer has the roots that it believes. */
static void fill_chain(struct cert_chain *chain, gnutls_x509_crt_t *list, int count, int own)
{
	add_der(chain, list[own]);
	for (int i = 0; i < count; i++) {
		if (i != own && !gnutls_x509_crt_check_issuer(list[i], list[i]))
			add_der(chain, list[i]);
	}
}

static void keep_subject(struct cert_identity *identity, gnutls_x509_crt_t own)
{
	gnutls_datum_t dn = {0};

	if (gnutls_x509_crt_get_raw_dn(own, &dn) == 0) {
		identity->subject = mem_dup(dn.data, dn.size);
		identity->subject_len = dn.size;
	}
	gnutls_free(dn.data);
}

/* Takes over `private`. */
static struct cert_identity *make_identity(gnutls_x509_privkey_t private)
{
	struct cert_identity *identity = mem_new(struct cert_identity);
	gnutls_datum_t der;

	if (gnutls_x509_privkey_export2_pkcs8(
		    private, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN, &der) == 0) {
		identity->key_der = mem_dup(der.data, der.size);
		identity->key_der_len = der.size;
		secret_wipe(der.data, der.size);
		gnutls_free(der.data);
	}
	gnutls_privkey_init(&identity->key);
	gnutls_privkey_import_x509(identity->key, private, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE);
	return identity;
}

static bool judge_own(struct cert_identity *identity, gnutls_x509_crt_t own, int64_t now, char why[CERT_WHY])
{
	gnutls_pubkey_t public;
	bool good;

	gnutls_pubkey_init(&public);
	good = gnutls_pubkey_import_x509(public, own, 0) == 0 &&
	       cert_key_judge(public, &identity->kind, &identity->curve, identity->text, why) &&
	       is_valid_now(own, now, why) && cert_usage_good(own, why);
	gnutls_pubkey_deinit(public);
	return good && identity->key_der;
}

/* From a list that was read; NULL with the reason. */
static struct cert_identity *identity_of(gnutls_x509_crt_t *list, int count, const void *key,
	size_t key_len, int64_t now, char why[CERT_WHY])
{
	const char *key_why = NULL;
	gnutls_x509_privkey_t private = import_key(key, key_len, &key_why);
	struct cert_identity *identity;
	int own;

	if (!private) {
		snprintf(why, CERT_WHY, "%s", key_why);
		return NULL;
	}
	own = find_own(list, count, private);
	if (own < 0) {
		snprintf(why, CERT_WHY, "the private key belongs to none of the certificates");
		gnutls_x509_privkey_deinit(private);
		return NULL;
	}
	identity = make_identity(private);
	if (!judge_own(identity, list[own], now, why)) {
		cert_identity_free(identity);
		return NULL;
	}
	fill_chain(&identity->chain, list, count, own);
	keep_subject(identity, list[own]);
	return identity;
}

struct cert_identity *cert_identity_new(const void *certs, size_t certs_len, const void *key,
	size_t key_len, int64_t now, char **why)
{
	gnutls_x509_crt_t *list;
	int count = cert_import_list(certs, certs_len, &list);
	char text[CERT_WHY] = "the key cannot be used";
	struct cert_identity *identity;

	if (count <= 0) {
		*why = mem_strdup("there is no certificate in it");
		return NULL;
	}
	identity = identity_of(list, count, key, key_len, now, text);
	cert_list_free(list, (size_t)count);
	if (!identity)
		*why = mem_strdup(text);
	return identity;
}

struct cert_identity *cert_identity_copy(const struct cert_identity *from)
{
	gnutls_datum_t der = cert_datum(from->key_der, from->key_der_len);
	gnutls_x509_privkey_t private;
	struct cert_identity *identity;

	gnutls_x509_privkey_init(&private);
	gnutls_x509_privkey_import_pkcs8(
		private, &der, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN);
	identity = make_identity(private);
	identity->kind = from->kind;
	identity->curve = from->curve;
	memcpy(identity->text, from->text, sizeof(identity->text));
	for (size_t i = 0; i < from->chain.count; i++)
		cert_chain_add(&identity->chain, from->chain.certs[i].data, from->chain.certs[i].len);
	identity->subject = mem_dup(from->subject, from->subject_len);
	identity->subject_len = from->subject_len;
	return identity;
}

/* The key belongs to the first certificate: that need not be compared. */
bool cert_identity_equal(const struct cert_identity *a, const struct cert_identity *b)
{
	if (a->chain.count != b->chain.count)
		return false;
	for (size_t i = 0; i < a->chain.count; i++) {
		const struct cert_der *x = &a->chain.certs[i], *y = &b->chain.certs[i];

		if (x->len != y->len || memcmp(x->data, y->data, x->len) != 0)
			return false;
	}
	return true;
}

void cert_identity_free(struct cert_identity *identity)
{
	if (!identity)
		return;
	cert_chain_clear(&identity->chain);
	free(identity->subject);
	gnutls_privkey_deinit(identity->key);
	if (identity->key_der)
		secret_wipe(identity->key_der, identity->key_der_len);
	free(identity->key_der);
	free(identity);
}

enum cert_key cert_identity_key(const struct cert_identity *identity)
{
	return identity->kind;
}

const char *cert_identity_key_text(const struct cert_identity *identity)
{
	return identity->text;
}

size_t cert_identity_subject(const struct cert_identity *identity, uint8_t *out, size_t room)
{
	if (!identity->subject || identity->subject_len > room)
		return 0;
	memcpy(out, identity->subject, identity->subject_len);
	return identity->subject_len;
}

const struct cert_chain *cert_identity_chain(const struct cert_identity *identity)
{
	return &identity->chain;
}
