/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * X.509 for IKE: what we are (a private key with its certificates), whom we
 * believe (a set of CAs), and whether a peer's chain is good for the identity
 * that the peer claims (RFC 7296 3.6, RFC 4945).
 *
 * Opaque values over GnuTLS. Nothing here changes after it is made, so jobs
 * on other threads may read. Texts that say why are made of printable
 * characters, whoever wrote the certificate. Files are read elsewhere (conf/).
 */
#ifndef IKE_CRYPTO_CERT_H
#define IKE_CRYPTO_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kinds of keys, as bits: a connection accepts some of them. */
enum cert_key { CERT_KEY_RSA = 1, CERT_KEY_ECDSA = 2, CERT_KEY_EDDSA = 4 };
#define CERT_KEY_ANY (CERT_KEY_RSA | CERT_KEY_ECDSA | CERT_KEY_EDDSA)

/* Certificates in DER, the end's own first. Bytes owned: cert_chain_clear(). */
#define CERT_CHAIN_MAX 8
struct cert_chain {
	struct cert_der {
		uint8_t *data;
		size_t len;
	} certs[CERT_CHAIN_MAX];
	size_t count;
};
/* Appends a copy; false when it is full. */
bool cert_chain_add(struct cert_chain *chain, const uint8_t *data, size_t len);
void cert_chain_clear(struct cert_chain *chain);

/* --- what we are ------------------------------------------------------------------------- */

struct cert_identity;

/*
 * From certificates (PEM, several, or one in DER) and the private key (PEM,
 * PKCS#8 or DER, without passphrase) of one of them. `now` in seconds since
 * 1970 decides about validity. NULL when it cannot serve: *why (caller frees)
 * then says the reason.
 */
struct cert_identity *cert_identity_new(const void *certs, size_t certs_len, const void *key,
	size_t key_len, int64_t now, char **why);
struct cert_identity *cert_identity_copy(const struct cert_identity *identity);
void cert_identity_free(struct cert_identity *identity);
/* Same key and same certificates. */
bool cert_identity_equal(const struct cert_identity *a, const struct cert_identity *b);
enum cert_key cert_identity_key(const struct cert_identity *identity);
/* "RSA-3072", "ECDSA-256", "Ed25519". */
const char *cert_identity_key_text(const struct cert_identity *identity);
/* The subject's name in DER, as cert_subject() of our own certificate; its length. */
size_t cert_identity_subject(const struct cert_identity *identity, uint8_t *out, size_t room);
/* What is sent in CERT payloads; no self-signed root. */
const struct cert_chain *cert_identity_chain(const struct cert_identity *identity);
/* True when key and certificates belong together; for finding a key's file. Errors are false. */
bool cert_key_fits(const void *certs, size_t certs_len, const void *key, size_t key_len);

/* --- names ----------------------------------------------------------------------------------- */

/* True when the certificate carries the identity (type and data of RFC 7296 3.5). */
bool cert_covers(const struct cert_der *cert, uint8_t id_type, const uint8_t *id, size_t len);
/* The subject's distinguished name in DER; its length, 0 when it is none or too long. */
size_t cert_subject(const struct cert_der *cert, uint8_t *out, size_t room);
/* Equal as names: case and string type do not matter. */
bool cert_dn_equal(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
/* The same, but a part of `pattern` whose value is "*" is fulfilled by any value of that part. */
bool cert_dn_matches(const uint8_t *pattern, size_t pattern_len, const uint8_t *dn, size_t len);
/* "C=CH, O=Example, CN=host" in either order, to DER; its length, 0 when it is no name. */
size_t cert_dn_parse(const char *text, uint8_t *out, size_t room);
/* "CN=host,O=Example"; shortened to fit. */
void cert_dn_format(const uint8_t *dn, size_t len, char *out, size_t room);

/* --- hosts, as TLS has them ----------------------------------------------------------------- */

/* A certificate's dNSName and iPAddress entries; one block of memory, free() it. */
struct cert_hosts;

struct addr;

/* Never NULL; empty when it has none, or is none. */
struct cert_hosts *cert_hosts_of(const struct cert_der *cert);
struct cert_hosts *cert_hosts_copy(const struct cert_hosts *hosts); /* of NULL: NULL */
/*
 * RFC 9525 6.3: as a TLS client compares, a "*" is one whole label. `name` is in presentation
 * form, IDNs as A-labels. Without `hosts` (NULL) false.
 */
bool cert_hosts_have_name(const struct cert_hosts *hosts, const char *name);
bool cert_hosts_have_addr(const struct cert_hosts *hosts, const struct addr *addr);
/* "www.example, *.example, 192.0.2.7", or "no host"; caller frees. */
char *cert_hosts_format(const struct cert_hosts *hosts);

/* --- whom we believe --------------------------------------------------------------------------- */

struct cert_trust;

struct cert_trust *cert_trust_new(void);
struct cert_trust *cert_trust_copy(const struct cert_trust *trust);
void cert_trust_free(struct cert_trust *trust);
/* Adds the CAs of a file (PEM or DER). How many; 0 with *why (caller frees) when there is none. */
size_t cert_trust_add(struct cert_trust *trust, const void *data, size_t len, char **why);
size_t cert_trust_count(const struct cert_trust *trust);
/* Whether every CA of `some` is in `trust`. */
bool cert_trust_includes(const struct cert_trust *trust, const struct cert_trust *some);
/* A new set of those CAs whose subject is `dn` (DER); it may be empty. */
struct cert_trust *cert_trust_of_subject(const struct cert_trust *trust, const uint8_t *dn, size_t len);
/* A new set of the CA that our own chain ends at; it may be empty. */
struct cert_trust *cert_trust_of_identity(
	const struct cert_trust *trust, const struct cert_identity *identity);
/* SHA-1 of each CA's SubjectPublicKeyInfo, for CERTREQ (RFC 7296 3.7); the bytes written. */
#define CERT_KEY_HASH_LEN 20
size_t cert_trust_key_hashes(const struct cert_trust *trust, uint8_t *out, size_t room);

/*
 * Adds the revocation lists of a file (PEM, several, or one in DER), once the CAs are there. How
 * many; *why (caller frees) says what is wrong with one of them, else NULL. `now`: seconds since 1970.
 */
size_t cert_trust_add_crls(struct cert_trust *trust, const void *data, size_t len, int64_t now, char **why);
/* From now on no certificate is good whose CA has no list that is valid. */
void cert_trust_be_strict(struct cert_trust *trust);

/* What lists would call the certificates of a chain that is good; one block of memory, free() it. */
struct cert_serials;
struct cert_serials *cert_serials_new(const struct cert_trust *trust, const struct cert_chain *chain);
struct cert_serials *cert_serials_copy(const struct cert_serials *serials); /* of NULL: NULL */
/*
 * Whether lists that are there now, perhaps later than the check, name none of them; quick. No
 * signature is checked: a new check will tell, where this says no.
 */
bool cert_trust_permits(const struct cert_trust *trust, const struct cert_serials *serials);

/* What is kept of a chain that is good; owned by the caller. */
struct cert_kept {
	bool wants_hosts; /* said before */
	struct cert_hosts *hosts;
	struct cert_serials *serials;
};

/*
 * Whether a peer's chain leads to one of the CAs, is valid now, may be used for IKE, is on no
 * revocation list and carries the identity. True, and `kept` (may be NULL) is filled in, or
 * false with the reason in `why`.
 */
#define CERT_WHY 160
bool cert_verify(const struct cert_trust *trust, const struct cert_chain *chain, uint8_t id_type,
	const uint8_t *id, size_t id_len, struct cert_kept *kept, char why[CERT_WHY]);

#endif
