/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A CA and certificates for tests, good ones and bad ones, made on the spot.
 * The host's certificate is for "host.example", 192.0.2.7, admin@example and
 * the subject "C=CH,O=Fleet,CN=host".
 */
#ifndef T_PKI_H
#define T_PKI_H

#include "ike/crypto/cert.h"

enum pki_key {
	PKI_RSA_2048,
	PKI_RSA_3072,
	PKI_RSA_1024, /* too weak */
	PKI_P256,
	PKI_P384,
	PKI_P521,
	PKI_ED25519,
	PKI_ED448, /* not for IKE here */
};

/* An entry of subjectAltName: a DNS name as it is, or the bytes of an address. */
struct pki_san {
	const char *data; /* NULL: the end of a list */
	size_t len;
	bool is_address;
};

/* How a certificate is; zero is the good one. */
struct pki_spec {
	enum pki_key key;
	int from_days, until_days; /* from now; 0: yesterday and in 30 days */
	const char *purpose; /* OID of the only extended key usage; NULL: none */
	unsigned usage; /* GnuTLS's bits of key usage; 0: digitalSignature */
	bool is_ca, no_names, sha1, critical_unknown, wildcard, no_basic_constraints;
	int path_len; /* of a CA; 0: no limit, -1: none below it may be a CA */
	const char *permitted_dns; /* name constraint of a CA */
	const char *subject; /* NULL: the good one */
	const struct pki_san *sans; /* NULL: the good ones */
	unsigned serial; /* 0: another one each time */
};

/* A certificate with its key. */
struct pki_cert {
	void *cert, *key; /* GnuTLS's */
	char *cert_pem, *key_pem;
	struct cert_der der;
};

/* Self-signed when `issuer` is NULL. */
struct pki_cert *pki_make(const struct pki_spec *spec, const struct pki_cert *issuer);
/* One that another program made: certificate and key in PEM. It can issue; `der` is empty. */
struct pki_cert *pki_load(const char *cert_pem, const char *key_pem);
/* Its key in other forms: DER, or with a `passphrase` PEM that is locked. Caller frees. */
uint8_t *pki_key(const struct pki_cert *cert, const char *passphrase, size_t *len);
/* Signs with the key of `own` and shows what `sent` has (copied), whether that fits or not. */
struct cert_identity *pki_identity(const struct pki_cert *own, const struct cert_chain *sent);
/* How a revocation list is; zero is the good one. */
struct pki_crl {
	int from_days, until_days; /* from now; 0: yesterday and in 30 days */
	bool sha1;
	uint8_t extension; /* of id-ce, in place of the list's number; its signature is wrong then. 0: none; in DER */
	bool der; /* not PEM */
	bool leading_zeros; /* as some write serial numbers */
};

/* A list of `count` certificates, signed by `issuer` in the name of `named` (NULL: its own). Caller frees. */
uint8_t *pki_revoke(const struct pki_crl *how, const struct pki_cert *issuer, const struct pki_cert *named,
	const struct pki_cert *const *revoked, size_t count, size_t *len);
/* What a TLS client of GnuTLS says about a name. */
bool pki_tls_accepts(const struct pki_cert *cert, const char *name);
void pki_free(struct pki_cert *cert);

#endif
