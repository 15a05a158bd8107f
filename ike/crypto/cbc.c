/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AES-CBC and HMAC over GnuTLS (cbc.h). */
#include "ike/crypto/cbc.h"

#include "ike/const.h"
#include "lib/secret.h"

#include <gnutls/crypto.h>
#include <string.h>

/* RFC 4868 2.1: the key is as long as the hash, the ICV half of it. */
static gnutls_mac_algorithm_t algorithm(uint16_t integ)
{
	switch (integ) {
	case IKE_INTEG_HMAC_SHA2_256_128:
		return GNUTLS_MAC_SHA256;
	case IKE_INTEG_HMAC_SHA2_384_192:
		return GNUTLS_MAC_SHA384;
	case IKE_INTEG_HMAC_SHA2_512_256:
		return GNUTLS_MAC_SHA512;
	}
	return GNUTLS_MAC_UNKNOWN;
}

size_t cbc_key_len(uint16_t encr, uint16_t key_bits)
{
	return encr == IKE_ENCR_AES_CBC && (key_bits == 128 || key_bits == 256) ? key_bits / 8u : 0;
}

size_t cbc_integ_key_len(uint16_t integ)
{
	gnutls_mac_algorithm_t mac = algorithm(integ);

	return mac == GNUTLS_MAC_UNKNOWN ? 0 : gnutls_hmac_get_len(mac);
}

size_t cbc_icv_len(uint16_t integ)
{
	return cbc_integ_key_len(integ) / 2;
}

static bool open_cipher(gnutls_cipher_hd_t *handle, const uint8_t *key, size_t key_len,
	const uint8_t iv[CBC_BLOCK_LEN])
{
	gnutls_datum_t key_datum = {.data = (unsigned char *)key, .size = (unsigned)key_len};
	gnutls_datum_t iv_datum = {.data = (unsigned char *)iv, .size = CBC_BLOCK_LEN};

	return gnutls_cipher_init(handle,
		       key_len == 16 ? GNUTLS_CIPHER_AES_128_CBC : GNUTLS_CIPHER_AES_256_CBC,
		       &key_datum, &iv_datum) == 0;
}

bool cbc_make_iv(const uint8_t *key, size_t key_len, uint64_t counter, uint8_t iv[CBC_BLOCK_LEN])
{
	static const uint8_t zero[CBC_BLOCK_LEN];
	uint8_t block[CBC_BLOCK_LEN] = {0};

	for (size_t i = 0; i < sizeof(counter); i++)
		block[CBC_BLOCK_LEN - 1 - i] = (uint8_t)(counter >> (8 * i));
	/* One block of CBC with IV zero is the bare cipher. */
	return cbc_encrypt(key, key_len, zero, block, sizeof(block), iv);
}

bool cbc_encrypt(const uint8_t *key, size_t key_len, const uint8_t iv[CBC_BLOCK_LEN],
	const uint8_t *in, size_t len, uint8_t *out)
{
	gnutls_cipher_hd_t handle;
	bool good;

	if (!open_cipher(&handle, key, key_len, iv))
		return false;
	good = gnutls_cipher_encrypt2(handle, in, len, out, len) == 0;
	gnutls_cipher_deinit(handle);
	return good;
}

bool cbc_decrypt(const uint8_t *key, size_t key_len, const uint8_t iv[CBC_BLOCK_LEN],
	const uint8_t *in, size_t len, uint8_t *out)
{
	gnutls_cipher_hd_t handle;
	bool good;

	if (!open_cipher(&handle, key, key_len, iv))
		return false;
	good = gnutls_cipher_decrypt2(handle, in, len, out, len) == 0;
	gnutls_cipher_deinit(handle);
	return good;
}

bool cbc_sign(uint16_t integ, const uint8_t *key, const uint8_t *data, size_t len, uint8_t *icv)
{
	uint8_t mac[CBC_INTEG_KEY_MAX];
	size_t key_len = cbc_integ_key_len(integ);

	if (!key_len || gnutls_hmac_fast(algorithm(integ), key, key_len, data, len, mac) != 0)
		return false;
	memcpy(icv, mac, cbc_icv_len(integ));
	secret_wipe(mac, sizeof(mac));
	return true;
}

bool cbc_check(uint16_t integ, const uint8_t *key, const uint8_t *data, size_t len,
	const uint8_t *icv)
{
	uint8_t want[CBC_ICV_MAX];

	return cbc_sign(integ, key, data, len, want) && secret_equal(want, icv, cbc_icv_len(integ));
}
