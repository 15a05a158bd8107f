/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key exchange (RFC 7296 2.14) behind one shape for all methods, those of
 * Diffie-Hellman and key encapsulation (RFC 9370): the initiator makes its
 * half, the responder the answer to it, both derive the secret. GnuTLS 3.7 has
 * no raw Diffie-Hellman, so this stands on nettle and GMP.
 */
#ifndef IKE_CRYPTO_KEX_H
#define IKE_CRYPTO_KEX_H

#include "lib/secret.h"

#include <stdint.h>

/* Fills with random bytes; the engine's (ike_ops.random). */
struct crypto_random {
	void (*fill)(void *arg, void *out, size_t len);
	void *arg;
};

/* Of the longest value on the wire: MODP-4096 has 512 bytes, ML-KEM-1024 1568. */
#define KEX_PUBLIC_MAX 1600

/*
 * One side's pair. It owns its two numbers, each as long as the group has it: a
 * half-open SA lives on memory that strangers make us spend. Zeroed: none.
 */
struct kex {
	uint16_t group;
	uint16_t public_len, private_len;
	bool has_secret; /* the answer of a KEM: `private` is the secret already */
	uint8_t *public; /* the KE payload's data */
	uint8_t *private;
};

bool kex_supported(uint16_t group);
/* The initiator's half, a fresh pair; false for a group that is not supported. */
bool kex_generate(struct kex *kex, uint16_t group, const struct crypto_random *random);
/*
 * The responder's half. Of a KEM it depends on the initiator's: false for a value
 * that is none. Of Diffie-Hellman it does not, and kex_derive() judges the value.
 */
bool kex_answer(struct kex *kex, uint16_t group, const uint8_t *peer, size_t len,
	const struct crypto_random *random);
/*
 * The shared secret, for either end, in the fixed length of the group (RFC 7296 2.14: left-padded).
 * False for a public value that is no member of the group, or one that gives the
 * secret away (RFC 7748 6.1, RFC 6989).
 */
bool kex_derive(const struct kex *kex, const uint8_t *peer, size_t len, struct secret *shared);
/* The public number has been sent and is not needed any more. */
void kex_forget_public(struct kex *kex);
/* Wipes and frees. */
void kex_clear(struct kex *kex);

#endif
