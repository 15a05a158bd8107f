/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One method of key exchange is one row of kex_methods[]. Included by
 * ike/crypto only, and by tests, which may have a table of their own.
 *
 * Diffie-Hellman: both ends `generate`, each derives with the other's value.
 * A KEM: the initiator generates a pair of keys and sends the public one; the
 * responder encapsulates a secret to it, whose ciphertext it sends; the
 * initiator derives (decapsulates). All sizes are the method's own.
 */
#ifndef IKE_CRYPTO_KEX_METHOD_H
#define IKE_CRYPTO_KEX_METHOD_H

#include "ike/crypto/kex.h"

#include <nettle/ecc-curve.h>

struct kex_method {
	uint16_t id;
	size_t coordinate; /* bytes of a coordinate, of a private number too; MODP: modp.h knows */
	const struct ecc_curve *(*curve)(void);
	/* Makes kex->public and kex->private, by kex_make_room(). */
	void (*generate)(const struct kex_method *method, struct kex *kex,
		const struct crypto_random *random);
	/*
	 * KEM: kex->public is the ciphertext, kex->private the secret; false for a
	 * value of the peer's that is no public key. NULL: Diffie-Hellman.
	 */
	bool (*encapsulate)(const struct kex_method *method, struct kex *kex, const uint8_t *peer,
		size_t len, const struct crypto_random *random);
	/* The secret, of our private half and the peer's value; lengths are to be checked. */
	bool (*derive)(const struct kex_method *method, const struct kex *kex, const uint8_t *peer,
		size_t len, struct secret *shared);
};

extern const struct kex_method kex_methods[];
extern const size_t kex_method_count;

void kex_make_room(struct kex *kex, size_t private_len, size_t public_len);

void kex_x25519_generate(
	const struct kex_method *method, struct kex *kex, const struct crypto_random *random);
bool kex_x25519_derive(const struct kex_method *method, const struct kex *kex, const uint8_t *peer,
	size_t len, struct secret *shared);
void kex_ecp_generate(
	const struct kex_method *method, struct kex *kex, const struct crypto_random *random);
bool kex_ecp_derive(const struct kex_method *method, const struct kex *kex, const uint8_t *peer,
	size_t len, struct secret *shared);
void kex_modp_generate(
	const struct kex_method *method, struct kex *kex, const struct crypto_random *random);
bool kex_modp_derive(const struct kex_method *method, const struct kex *kex, const uint8_t *peer,
	size_t len, struct secret *shared);

#endif
