/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the certificate code: GnuTLS objects and small helpers. Included by ike/crypto only. */
#ifndef IKE_CRYPTO_CERT_GNUTLS_H
#define IKE_CRYPTO_CERT_GNUTLS_H

#include "ike/crypto/cert.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#define CERT_RSA_BITS_MIN 2048
/* 112 bits of security: RSA-2048, P-256, SHA-256; no MD5 and no SHA-1 (RFC 8247 4). */
#define CERT_VERIFY_FLAGS GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM)

struct cert_identity {
	struct cert_chain chain;
	uint8_t *subject; /* of the first: each handshake asks for it */
	size_t subject_len;
	gnutls_privkey_t key;
	enum cert_key kind;
	gnutls_ecc_curve_t curve; /* of an ECDSA key */
	char text[16];
	uint8_t *key_der; /* PKCS#8, for copies; wiped */
	size_t key_der_len;
};

struct cert_trust {
	gnutls_x509_trust_list_t list;
	gnutls_x509_crt_t *cas; /* owned by us; the list has copies */
	size_t count;
	struct cert_crl *crls; /* of any CA; cert_crl.c */
	size_t crl_count;
	bool strict; /* each CA must have a list that is valid now */
	uint8_t *hashes; /* of their keys, one after another: each handshake asks for them */
	size_t hashes_len;
};

static inline gnutls_datum_t cert_datum(const void *data, size_t len)
{
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)data, .size = (unsigned)len};
}

/* A certificate from DER; NULL when it is none. */
gnutls_x509_crt_t cert_import(const struct cert_der *der);
/* All certificates in PEM, or the one in DER; the count, negative on error. Caller deinits and frees. */
int cert_import_list(const void *data, size_t len, gnutls_x509_crt_t **out);
void cert_list_free(gnutls_x509_crt_t *list, size_t count);
/* The certificates of a chain, 0 when one of them is none; the caller deinits each. */
size_t cert_import_chain(const struct cert_chain *chain, gnutls_x509_crt_t certs[CERT_CHAIN_MAX]);
/* cert_hosts_of(), cert_serials_new() and cert_covers() of what was imported. */
struct cert_hosts *cert_hosts_read(gnutls_x509_crt_t cert);
struct cert_serials *cert_serials_read(const struct cert_trust *trust, gnutls_x509_crt_t *certs, size_t count);
bool cert_has_id(gnutls_x509_crt_t cert, uint8_t id_type, const uint8_t *id, size_t len);
bool cert_trust_has(const struct cert_trust *trust, gnutls_x509_crt_t ca);
/* Revocation lists: to another set, which has none; away with them. */
void cert_trust_copy_crls(struct cert_trust *trust, const struct cert_trust *from);
void cert_trust_free_crls(struct cert_trust *trust);
/* NULL, or why a chain that leads to a CA must not be used, and which certificate it is. */
const char *cert_trust_revoked(const struct cert_trust *trust, gnutls_x509_crt_t *certs, size_t count,
	gnutls_x509_crt_t *culprit);
/* The kind and strength of a public key that can be used with IKE; false with the reason. */
bool cert_key_judge(gnutls_pubkey_t key, enum cert_key *kind, gnutls_ecc_curve_t *curve, char text[16],
	char why[CERT_WHY]);
/* Whether key usage and extended key usage permit signing in IKE (RFC 4945 5.1.3.2, 5.1.3.12). */
bool cert_usage_good(gnutls_x509_crt_t cert, char why[CERT_WHY]);
/* The subject or issuer as printable text. */
void cert_name_of(gnutls_x509_crt_t cert, bool issuer, char *out, size_t room);

#endif
