/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pseudorandom functions and hashes (RFC 7296 2.13, RFC 4868). */
#ifndef IKE_CRYPTO_PRF_H
#define IKE_CRYPTO_PRF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRF_MAX 64
#define SHA1_LEN 20

/* A piece of a message that need not be in one place. */
struct chunk {
	const void *data;
	size_t len;
};

/* Output (and preferred key) length in bytes; 0 for a PRF that we do not have. */
size_t prf_len(uint16_t prf);
/* prf(key, chunks in order) -> prf_len() bytes. */
bool prf_compute(uint16_t prf, const void *key, size_t key_len, const struct chunk *chunks,
	size_t count, uint8_t *out);
/* prf+ (2.13): at most 255 blocks. */
bool prf_plus(uint16_t prf, const void *key, size_t key_len, const void *seed, size_t seed_len,
	uint8_t *out, size_t len);
/* SHA-1, for NAT detection only (2.23). */
bool sha1_compute(const struct chunk *chunks, size_t count, uint8_t out[SHA1_LEN]);

#endif
