/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AES-CBC (RFC 3602) with HMAC-SHA2 (RFC 4868), encrypt-then-MAC as the
 * Encrypted payload has it (RFC 7296 3.14): for peers without a combined-mode
 * cipher. Encryption and integrity have a key each.
 */
#ifndef IKE_CRYPTO_CBC_H
#define IKE_CRYPTO_CBC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CBC_BLOCK_LEN 16 /* and of the IV */
#define CBC_ICV_MAX 32
#define CBC_INTEG_KEY_MAX 64

/* Length of the cipher's key in bytes; 0 for a cipher that we do not have. */
size_t cbc_key_len(uint16_t encr, uint16_t key_bits);
/* Of an integrity algorithm (transform type 3), in bytes; 0 for one that we do not have. */
size_t cbc_integ_key_len(uint16_t integ);
size_t cbc_icv_len(uint16_t integ);

/*
 * An IV that nobody without the key can predict: the counter, enciphered under
 * the key of the messages (NIST SP 800-38A appendix C, first method). The
 * counter must be new for each message under a key.
 */
bool cbc_make_iv(const uint8_t *key, size_t key_len, uint64_t counter, uint8_t iv[CBC_BLOCK_LEN]);
/* Whole blocks from `in` to `out`, which may be the same. */
bool cbc_encrypt(const uint8_t *key, size_t key_len, const uint8_t iv[CBC_BLOCK_LEN],
	const uint8_t *in, size_t len, uint8_t *out);
bool cbc_decrypt(const uint8_t *key, size_t key_len, const uint8_t iv[CBC_BLOCK_LEN],
	const uint8_t *in, size_t len, uint8_t *out);

/* Writes cbc_icv_len() bytes. */
bool cbc_sign(uint16_t integ, const uint8_t *key, const uint8_t *data, size_t len, uint8_t *icv);
/* Compares in constant time. */
bool cbc_check(uint16_t integ, const uint8_t *key, const uint8_t *data, size_t len,
	const uint8_t *icv);

#endif
