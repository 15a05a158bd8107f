/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signatures of AUTH payloads: method 14 (RFC 7427, RFC 8420) with the hash
 * negotiated by SIGNATURE_HASH_ALGORITHMS, and the older methods 1 (RSA with
 * SHA-1, only when allowed) and 9 to 11 (ECDSA, RFC 4754).
 */
#ifndef IKE_CRYPTO_CERT_SIGN_H
#define IKE_CRYPTO_CERT_SIGN_H

#include "ike/crypto/cert.h"

/* RFC 7427 7, RFC 8420: numbers of SIGNATURE_HASH_ALGORITHMS; a set has bit 1 << number. */
enum sign_hash { SIGN_SHA1 = 1, SIGN_SHA2_256, SIGN_SHA2_384, SIGN_SHA2_512, SIGN_IDENTITY };
/* What we verify, as a set: no SHA-1. */
#define SIGN_HASHES_OURS                                                                           \
	(1u << SIGN_SHA2_256 | 1u << SIGN_SHA2_384 | 1u << SIGN_SHA2_512 | 1u << SIGN_IDENTITY)

/* The largest signature: RSA of 16384 bits with its AlgorithmIdentifier. */
#define SIGN_MAX 2200

struct sign_proof {
	uint8_t method; /* RFC 7296 3.8 */
	size_t len;
	uint8_t data[SIGN_MAX]; /* the AUTH payload's data */
};

/*
 * Signs the octets. `hashes`: what the peer said it verifies, 0 when it said
 * nothing (older methods). False with the reason when there is no common way.
 */
bool cert_sign(const struct cert_identity *identity, unsigned hashes, bool allow_sha1,
	const void *octets, size_t len, struct sign_proof *out, char why[CERT_WHY]);
/* Checks a proof with the certificate's key, which must be of one of `keys` (enum cert_key). */
bool cert_check_signature(const struct cert_der *cert, unsigned keys, bool allow_sha1, uint8_t method,
	const uint8_t *proof, size_t proof_len, const void *octets, size_t len,
	char why[CERT_WHY]);

#endif
