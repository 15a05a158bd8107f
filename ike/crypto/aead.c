/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AEAD over GnuTLS (aead.h). */
#include "ike/crypto/aead.h"

#include "ike/const.h"

#include <gnutls/crypto.h>
#include <string.h>

static gnutls_cipher_algorithm_t algorithm(uint16_t encr, size_t key_len)
{
	if (encr == IKE_ENCR_AES_GCM_16 && key_len == 16 + AEAD_SALT_LEN)
		return GNUTLS_CIPHER_AES_128_GCM;
	if (encr == IKE_ENCR_AES_GCM_16 && key_len == 32 + AEAD_SALT_LEN)
		return GNUTLS_CIPHER_AES_256_GCM;
	if (encr == IKE_ENCR_CHACHA20_POLY1305 && key_len == 32 + AEAD_SALT_LEN)
		return GNUTLS_CIPHER_CHACHA20_POLY1305;
	return GNUTLS_CIPHER_UNKNOWN;
}

size_t aead_key_len(uint16_t encr, uint16_t key_bits)
{
	bool is_chacha = encr == IKE_ENCR_CHACHA20_POLY1305;
	size_t len = (is_chacha ? 32u : key_bits / 8u) + AEAD_SALT_LEN;

	/* RFC 7634: ChaCha20 has one key length and no attribute for it. */
	if (is_chacha ? key_bits != 0 : key_bits % 8 != 0)
		return 0;
	return algorithm(encr, len) == GNUTLS_CIPHER_UNKNOWN ? 0 : len;
}

static bool open_cipher(
	gnutls_aead_cipher_hd_t *handle, uint16_t encr, const uint8_t *key, size_t key_len)
{
	gnutls_cipher_algorithm_t cipher = algorithm(encr, key_len);
	gnutls_datum_t datum = {
		.data = (unsigned char *)key, .size = (unsigned)(key_len - AEAD_SALT_LEN)};

	return cipher != GNUTLS_CIPHER_UNKNOWN &&
	       gnutls_aead_cipher_init(handle, cipher, &datum) == 0;
}

static void make_nonce(uint8_t nonce[AEAD_SALT_LEN + AEAD_IV_LEN], const uint8_t *key, size_t key_len,
	const uint8_t *iv)
{
	memcpy(nonce, key + key_len - AEAD_SALT_LEN, AEAD_SALT_LEN);
	memcpy(nonce + AEAD_SALT_LEN, iv, AEAD_IV_LEN);
}

bool aead_seal(uint16_t encr, const uint8_t *key, size_t key_len, const uint8_t iv[AEAD_IV_LEN],
	const uint8_t *aad, size_t aad_len, const uint8_t *plain, size_t len, uint8_t *out)
{
	uint8_t nonce[AEAD_SALT_LEN + AEAD_IV_LEN];
	gnutls_aead_cipher_hd_t handle;
	size_t out_len = len + AEAD_TAG_LEN;
	bool good;

	if (!open_cipher(&handle, encr, key, key_len))
		return false;
	make_nonce(nonce, key, key_len, iv);
	good = gnutls_aead_cipher_encrypt(handle, nonce, sizeof(nonce), aad, aad_len, AEAD_TAG_LEN,
		       plain, len, out, &out_len) == 0;
	gnutls_aead_cipher_deinit(handle);
	return good;
}

bool aead_open(uint16_t encr, const uint8_t *key, size_t key_len, const uint8_t iv[AEAD_IV_LEN],
	const uint8_t *aad, size_t aad_len, const uint8_t *sealed, size_t len, uint8_t *out)
{
	uint8_t nonce[AEAD_SALT_LEN + AEAD_IV_LEN];
	gnutls_aead_cipher_hd_t handle;
	size_t out_len = len;
	bool good;

	if (len < AEAD_TAG_LEN || !open_cipher(&handle, encr, key, key_len))
		return false;
	make_nonce(nonce, key, key_len, iv);
	good = gnutls_aead_cipher_decrypt(handle, nonce, sizeof(nonce), aad, aad_len, AEAD_TAG_LEN,
		       sealed, len, out, &out_len) == 0;
	gnutls_aead_cipher_deinit(handle);
	return good;
}
