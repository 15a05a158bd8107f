/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificates for tests (pki.h). */
#include "t/pki.h"

#include "ike/crypto/cert_gnutls.h"
#include "lib/mem.h"
#include "lib/wire.h"

#include <gnutls/x509-ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY 86400

static void must(int rc)
{
	if (rc < 0) {
		printf("Bail out! GnuTLS: %s\n", gnutls_strerror(rc));
		exit(1);
	}
}

static gnutls_x509_privkey_t make_key(enum pki_key kind)
{
	static const struct {
		gnutls_pk_algorithm_t algorithm;
		unsigned bits;
	} kinds[] = {
		[PKI_RSA_2048] = {GNUTLS_PK_RSA, 2048},
		[PKI_RSA_3072] = {GNUTLS_PK_RSA, 3072},
		[PKI_RSA_1024] = {GNUTLS_PK_RSA, 1024},
		[PKI_P256] = {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)},
		[PKI_P384] = {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1)},
		[PKI_P521] = {GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP521R1)},
		[PKI_ED25519] = {GNUTLS_PK_EDDSA_ED25519,
			GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519)},
		[PKI_ED448] = {GNUTLS_PK_EDDSA_ED448, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED448)},
	};
	gnutls_x509_privkey_t key;

	must(gnutls_x509_privkey_init(&key));
	must(gnutls_x509_privkey_generate(key, kinds[kind].algorithm, kinds[kind].bits, 0));
	return key;
}

/* By hand: GnuTLS would not write a name with a NUL in it, or a U-label. */
static void add_sans(gnutls_x509_crt_t cert, const struct pki_san *sans)
{
	uint8_t *der = mem_zalloc(65536);
	struct writer w = writer_init(der, 65536);

	writer_bytes(&w, "\x30\x82\0\0", 4);
	for (; sans->data; sans++) {
		writer_u8(&w, sans->is_address ? 0x87 : 0x82);
		writer_u8(&w, (uint8_t)sans->len);
		writer_bytes(&w, sans->data, sans->len);
	}
	writer_patch_u16(&w, 2, (uint16_t)(w.len - 4));
	must(gnutls_x509_crt_set_extension_by_oid(cert, "2.5.29.17", der, (unsigned)w.len, 0));
	free(der);
}

static void add_names(gnutls_x509_crt_t cert, const struct pki_spec *spec)
{
	static const unsigned char address[] = {192, 0, 2, 7};
	const char *name = spec->wildcard ? "*.example" : "host.example";

	if (spec->sans)
		add_sans(cert, spec->sans);
	if (spec->sans || spec->no_names)
		return;
	must(gnutls_x509_crt_set_subject_alt_name(
		cert, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_APPEND));
	must(gnutls_x509_crt_set_subject_alt_name(
		cert, GNUTLS_SAN_IPADDRESS, address, sizeof(address), GNUTLS_FSAN_APPEND));
	must(gnutls_x509_crt_set_subject_alt_name(
		cert, GNUTLS_SAN_RFC822NAME, "admin@example", 13, GNUTLS_FSAN_APPEND));
}

static void add_constraint(gnutls_x509_crt_t cert, const char *permitted)
{
	gnutls_x509_name_constraints_t constraints;
	gnutls_datum_t name = {(unsigned char *)mem_strdup(permitted), (unsigned)strlen(permitted)};

	must(gnutls_x509_name_constraints_init(&constraints));
	must(gnutls_x509_name_constraints_add_permitted(constraints, GNUTLS_SAN_DNSNAME, &name));
	must(gnutls_x509_crt_set_name_constraints(cert, constraints, 1));
	gnutls_x509_name_constraints_deinit(constraints);
	free(name.data);
}

static void add_extensions(gnutls_x509_crt_t cert, const struct pki_spec *spec)
{
	static const unsigned char nothing[] = {0x05, 0x00};
	unsigned usage = spec->usage ? spec->usage
				     : spec->is_ca ? GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN
								 : GNUTLS_KEY_DIGITAL_SIGNATURE;

	if (!spec->no_basic_constraints)
		must(gnutls_x509_crt_set_basic_constraints(cert, spec->is_ca,
			!spec->is_ca || spec->path_len == 0 ? -1 : spec->path_len < 0 ? 0 : spec->path_len));
	must(gnutls_x509_crt_set_key_usage(cert, usage));
	if (spec->purpose)
		must(gnutls_x509_crt_set_key_purpose_oid(cert, spec->purpose, 0));
	if (spec->permitted_dns)
		add_constraint(cert, spec->permitted_dns);
	if (spec->critical_unknown)
		must(gnutls_x509_crt_set_extension_by_oid(
			cert, "1.2.3.4.5", nothing, sizeof(nothing), 1));
	if (!spec->is_ca)
		add_names(cert, spec);
}

static gnutls_x509_crt_t make_cert(const struct pki_spec *spec, gnutls_x509_privkey_t key)
{
	static uint16_t made;
	unsigned number = spec->serial ? spec->serial : 0x10000u + ++made;
	uint8_t serial[3] = {(uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
	gnutls_x509_crt_t cert;
	time_t now = time(NULL);

	must(gnutls_x509_crt_init(&cert));
	must(gnutls_x509_crt_set_version(cert, 3));
	must(gnutls_x509_crt_set_serial(cert, serial, sizeof(serial)));
	must(gnutls_x509_crt_set_activation_time(
		cert, now + (spec->from_days ? spec->from_days : -1) * DAY));
	must(gnutls_x509_crt_set_expiration_time(
		cert, now + (spec->until_days ? spec->until_days : 30) * DAY));
	must(gnutls_x509_crt_set_dn(cert,
		spec->subject ? spec->subject : spec->is_ca ? "CN=CA,O=Fleet,C=CH" : "CN=host,O=Fleet,C=CH",
		NULL));
	must(gnutls_x509_crt_set_key(cert, key));
	add_extensions(cert, spec);
	return cert;
}

static gnutls_digest_algorithm_t digest_for(gnutls_x509_privkey_t key, bool sha1)
{
	int algorithm = gnutls_x509_privkey_get_pk_algorithm(key);

	if (algorithm == GNUTLS_PK_EDDSA_ED25519)
		return GNUTLS_DIG_SHA512;
	if (algorithm == GNUTLS_PK_EDDSA_ED448)
		return GNUTLS_DIG_SHAKE_256;
	return sha1 ? GNUTLS_DIG_SHA1 : GNUTLS_DIG_SHA256;
}

static void sign_cert(gnutls_x509_crt_t cert, const struct pki_cert *issuer, bool sha1)
{
	must(gnutls_x509_crt_sign2(cert, issuer->cert, issuer->key, digest_for(issuer->key, sha1), 0));
}

struct pki_cert *pki_make(const struct pki_spec *spec, const struct pki_cert *issuer)
{
	struct pki_cert *made = mem_new(struct pki_cert);
	gnutls_datum_t text;

	made->key = make_key(spec->key);
	made->cert = make_cert(spec, made->key);
	sign_cert(made->cert, issuer ? issuer : made, spec->sha1);
	must(gnutls_x509_crt_export2(made->cert, GNUTLS_X509_FMT_PEM, &text));
	made->cert_pem = mem_strndup((char *)text.data, text.size);
	gnutls_free(text.data);
	must(gnutls_x509_crt_export2(made->cert, GNUTLS_X509_FMT_DER, &text));
	made->der = (struct cert_der){mem_dup(text.data, text.size), text.size};
	gnutls_free(text.data);
	must(gnutls_x509_privkey_export2_pkcs8(
		made->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &text));
	made->key_pem = mem_strndup((char *)text.data, text.size);
	gnutls_free(text.data);
	return made;
}

struct pki_cert *pki_load(const char *cert_pem, const char *key_pem)
{
	gnutls_datum_t cert = cert_datum(cert_pem, strlen(cert_pem));
	gnutls_datum_t key = cert_datum(key_pem, strlen(key_pem));
	struct pki_cert *made = mem_new(struct pki_cert);
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t private;

	must(gnutls_x509_crt_init(&crt));
	must(gnutls_x509_crt_import(crt, &cert, GNUTLS_X509_FMT_PEM));
	must(gnutls_x509_privkey_init(&private));
	must(gnutls_x509_privkey_import2(private, &key, GNUTLS_X509_FMT_PEM, NULL, 0));
	made->cert = crt;
	made->key = private;
	return made;
}

uint8_t *pki_key(const struct pki_cert *cert, const char *passphrase, size_t *len)
{
	gnutls_datum_t out;
	uint8_t *copy;

	must(gnutls_x509_privkey_export2_pkcs8(cert->key, passphrase ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER,
		passphrase, passphrase ? GNUTLS_PKCS_PBES2_AES_256 : GNUTLS_PKCS_PLAIN, &out));
	copy = mem_dup(out.data, out.size);
	*len = out.size;
	gnutls_free(out.data);
	return copy;
}

struct cert_identity *pki_identity(const struct pki_cert *own, const struct cert_chain *sent)
{
	struct cert_identity *identity = mem_new(struct cert_identity);
	gnutls_pubkey_t public;
	gnutls_datum_t der;
	char why[CERT_WHY];

	must(gnutls_x509_privkey_export2_pkcs8(
		own->key, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN, &der));
	identity->key_der = mem_dup(der.data, der.size);
	identity->key_der_len = der.size;
	gnutls_free(der.data);
	must(gnutls_privkey_init(&identity->key));
	must(gnutls_privkey_import_x509(identity->key, own->key, GNUTLS_PRIVKEY_IMPORT_COPY));
	must(gnutls_pubkey_init(&public));
	must(gnutls_pubkey_import_x509(public, own->cert, 0));
	cert_key_judge(public, &identity->kind, &identity->curve, identity->text, why);
	gnutls_pubkey_deinit(public);
	for (size_t i = 0; i < sent->count; i++)
		cert_chain_add(&identity->chain, sent->certs[i].data, sent->certs[i].len);
	return identity;
}

/* --- revocation lists --------------------------------------------------------------------------- */

static void revoke(gnutls_x509_crl_t crl, gnutls_x509_crt_t cert, bool leading_zeros)
{
	uint8_t serial[32] = {0};
	size_t len = sizeof(serial) - 1;

	must(gnutls_x509_crt_get_serial(cert, serial + 1, &len));
	must(gnutls_x509_crl_set_crt_serial(crl, leading_zeros ? serial : serial + 1, leading_zeros ? len + 1 : len,
		time(NULL) - DAY));
}

/* GnuTLS can put no other extension into a list. */
static void rename_number(uint8_t *der, size_t len, uint8_t extension)
{
	static const uint8_t number[] = {0x06, 0x03, 0x55, 0x1d, 0x14};

	for (size_t i = 0; i + sizeof(number) < len; i++) {
		if (memcmp(der + i, number, sizeof(number)) == 0)
			der[i + sizeof(number) - 1] = extension;
	}
}

uint8_t *pki_revoke(const struct pki_crl *how, const struct pki_cert *issuer, const struct pki_cert *named,
	const struct pki_cert *const *revoked, size_t count, size_t *len)
{
	gnutls_x509_crl_t crl;
	gnutls_datum_t out;
	uint8_t *copy;

	must(gnutls_x509_crl_init(&crl));
	must(gnutls_x509_crl_set_version(crl, 2));
	must(gnutls_x509_crl_set_this_update(crl, time(NULL) + (how->from_days ? how->from_days : -1) * DAY));
	must(gnutls_x509_crl_set_next_update(crl, time(NULL) + (how->until_days ? how->until_days : 30) * DAY));
	must(gnutls_x509_crl_set_number(crl, "\x01", 1));
	for (size_t i = 0; i < count; i++)
		revoke(crl, revoked[i]->cert, how->leading_zeros);
	must(gnutls_x509_crl_sign2(
		crl, (named ? named : issuer)->cert, issuer->key, digest_for(issuer->key, how->sha1), 0));
	must(gnutls_x509_crl_export2(crl, how->der ? GNUTLS_X509_FMT_DER : GNUTLS_X509_FMT_PEM, &out));
	gnutls_x509_crl_deinit(crl);
	copy = mem_dup(out.data, out.size);
	*len = out.size;
	gnutls_free(out.data);
	if (how->extension)
		rename_number(copy, *len, how->extension);
	return copy;
}

bool pki_tls_accepts(const struct pki_cert *cert, const char *name)
{
	gnutls_x509_crt_t read = cert_import(&cert->der);
	bool good = read && gnutls_x509_crt_check_hostname2(
				    read, name, GNUTLS_VERIFY_DO_NOT_ALLOW_IP_MATCHES);

	gnutls_x509_crt_deinit(read);
	return good;
}

void pki_free(struct pki_cert *cert)
{
	if (!cert)
		return;
	gnutls_x509_crt_deinit(cert->cert);
	gnutls_x509_privkey_deinit(cert->key);
	free(cert->cert_pem);
	free(cert->key_pem);
	free(cert->der.data);
	free(cert);
}
