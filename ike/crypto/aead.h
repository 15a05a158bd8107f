/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Combined-mode ciphers for the SK payload (RFC 5282): a key ends with a
 * 4-byte salt, the nonce is salt | 8-byte IV.
 */
#ifndef IKE_CRYPTO_AEAD_H
#define IKE_CRYPTO_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AEAD_SALT_LEN 4
#define AEAD_IV_LEN 8
#define AEAD_TAG_LEN 16

/* Key length with its salt, in bytes; 0 for a cipher that we do not have. */
size_t aead_key_len(uint16_t encr, uint16_t key_bits);
/* Writes len + AEAD_TAG_LEN bytes to `out`. */
bool aead_seal(uint16_t encr, const uint8_t *key, size_t key_len, const uint8_t iv[AEAD_IV_LEN],
	const uint8_t *aad, size_t aad_len, const uint8_t *plain, size_t len, uint8_t *out);
/* `len` with the tag; writes len - AEAD_TAG_LEN bytes. False when it does not verify. */
bool aead_open(uint16_t encr, const uint8_t *key, size_t key_len, const uint8_t iv[AEAD_IV_LEN],
	const uint8_t *aad, size_t aad_len, const uint8_t *sealed, size_t len, uint8_t *out);

#endif
