/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PRFs over GnuTLS (prf.h). */
#include "ike/crypto/prf.h"

#include "ike/const.h"
#include "lib/secret.h"

#include <gnutls/crypto.h>

static gnutls_mac_algorithm_t algorithm(uint16_t prf)
{
	switch (prf) {
	case IKE_PRF_HMAC_SHA2_256:
		return GNUTLS_MAC_SHA256;
	case IKE_PRF_HMAC_SHA2_384:
		return GNUTLS_MAC_SHA384;
	case IKE_PRF_HMAC_SHA2_512:
		return GNUTLS_MAC_SHA512;
	}
	return GNUTLS_MAC_UNKNOWN;
}

size_t prf_len(uint16_t prf)
{
	gnutls_mac_algorithm_t mac = algorithm(prf);

	return mac == GNUTLS_MAC_UNKNOWN ? 0 : gnutls_hmac_get_len(mac);
}

bool prf_compute(uint16_t prf, const void *key, size_t key_len, const struct chunk *chunks,
	size_t count, uint8_t *out)
{
	gnutls_mac_algorithm_t mac = algorithm(prf);
	gnutls_hmac_hd_t handle;
	bool good = true;

	if (mac == GNUTLS_MAC_UNKNOWN || gnutls_hmac_init(&handle, mac, key, key_len) != 0)
		return false;
	for (size_t i = 0; i < count && good; i++)
		good = chunks[i].len == 0 || gnutls_hmac(handle, chunks[i].data, chunks[i].len) == 0;
	gnutls_hmac_deinit(handle, out);
	return good;
}

bool prf_plus(uint16_t prf, const void *key, size_t key_len, const void *seed, size_t seed_len,
	uint8_t *out, size_t len)
{
	size_t block = prf_len(prf), done = 0;
	uint8_t previous[PRF_MAX];
	bool good = block > 0 && len <= 255 * block;

	for (uint8_t counter = 1; good && done < len; counter++) {
		struct chunk chunks[] = {
			{previous, counter == 1 ? 0 : block}, {seed, seed_len}, {&counter, 1}};
		size_t take = len - done < block ? len - done : block;

		good = prf_compute(prf, key, key_len, chunks, 3, previous);
		for (size_t i = 0; i < take; i++)
			out[done + i] = previous[i];
		done += take;
	}
	secret_wipe(previous, sizeof(previous));
	return good;
}

bool sha1_compute(const struct chunk *chunks, size_t count, uint8_t out[SHA1_LEN])
{
	gnutls_hash_hd_t handle;
	bool good = true;

	if (gnutls_hash_init(&handle, GNUTLS_DIG_SHA1) != 0)
		return false;
	for (size_t i = 0; i < count && good; i++)
		good = gnutls_hash(handle, chunks[i].data, chunks[i].len) == 0;
	gnutls_hash_deinit(handle, out);
	return good;
}
