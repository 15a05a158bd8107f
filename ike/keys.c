/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key derivation (keys.h). */
#include "ike/keys.h"

#include <string.h>

/* g^ir | Ni | Nr | SPIi | SPIr, or a part of it. */
struct seed {
	size_t len;
	uint8_t data[SECRET_MAX + 2 * IKE_NONCE_MAX + 2 * IKE_SPI_LEN];
};

static void seed_secret(struct seed *seed, const struct secret *shared)
{
	memcpy(seed->data + seed->len, shared->data, shared->len);
	seed->len += shared->len;
}

static void seed_nonces(struct seed *seed, const struct ike_nonce *ni, const struct ike_nonce *nr)
{
	struct writer w = writer_init(seed->data + seed->len, sizeof(seed->data) - seed->len);

	writer_bytes(&w, ni->data, ni->len);
	writer_bytes(&w, nr->data, nr->len);
	seed->len += w.len;
}

static void seed_spis(struct seed *seed, uint64_t spi_i, uint64_t spi_r)
{
	struct writer w = writer_init(seed->data + seed->len, sizeof(seed->data) - seed->len);

	writer_u64(&w, spi_i);
	writer_u64(&w, spi_r);
	seed->len += w.len;
}

static void take(uint8_t *out, const uint8_t **stream, size_t len)
{
	memcpy(out, *stream, len);
	*stream += len;
}

/* {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr}; SK_a* are empty with AEAD (RFC 5282). */
static bool expand(struct ike_keys *keys, const uint8_t *skeyseed, const struct seed *seed)
{
	uint8_t stream[3 * PRF_MAX + 2 * IKE_AEAD_KEY_MAX];
	const uint8_t *at = stream;
	bool good = prf_plus(keys->prf, skeyseed, keys->prf_len, seed->data, seed->len, stream,
		3 * keys->prf_len + 2 * keys->aead_len);

	take(keys->d, &at, keys->prf_len);
	take(keys->ei, &at, keys->aead_len);
	take(keys->er, &at, keys->aead_len);
	take(keys->pi, &at, keys->prf_len);
	take(keys->pr, &at, keys->prf_len);
	secret_wipe(stream, sizeof(stream));
	return good;
}

/* False when we lack one of the algorithms. */
static bool choose_algorithms(struct ike_keys *keys, const struct ike_chosen *chosen)
{
	ike_keys_clear(keys);
	keys->encr = chosen->encr;
	keys->prf = chosen->prf;
	keys->aead_len = aead_key_len(chosen->encr, chosen->key_bits);
	keys->prf_len = prf_len(chosen->prf);
	return keys->aead_len && keys->prf_len;
}

bool ike_keys_derive(struct ike_keys *keys, const struct ike_chosen *chosen,
	const struct secret *shared, const struct ike_nonce *ni, const struct ike_nonce *nr,
	uint64_t spi_i, uint64_t spi_r)
{
	struct chunk secret_chunk = {shared->data, shared->len};
	uint8_t skeyseed[PRF_MAX];
	struct seed seed = {0};
	bool good;

	if (!choose_algorithms(keys, chosen))
		return false;
	seed_nonces(&seed, ni, nr);
	good = prf_compute(keys->prf, seed.data, seed.len, &secret_chunk, 1, skeyseed);
	seed_spis(&seed, spi_i, spi_r);
	good = good && expand(keys, skeyseed, &seed);
	secret_wipe(skeyseed, sizeof(skeyseed));
	return good;
}

bool ike_keys_rekey(struct ike_keys *keys, const struct ike_keys *old,
	const struct ike_chosen *chosen, const struct secret *shared, const struct ike_nonce *ni,
	const struct ike_nonce *nr, uint64_t spi_i, uint64_t spi_r)
{
	struct seed with_secret = {0}, seed = {0};
	struct chunk chunk = {with_secret.data, 0};
	uint8_t skeyseed[PRF_MAX];
	bool good;

	if (!choose_algorithms(keys, chosen))
		return false;
	seed_secret(&with_secret, shared);
	seed_nonces(&with_secret, ni, nr);
	chunk.len = with_secret.len;
	good = prf_compute(old->prf, old->d, old->prf_len, &chunk, 1, skeyseed);
	seed_nonces(&seed, ni, nr);
	seed_spis(&seed, spi_i, spi_r);
	good = good && expand(keys, skeyseed, &seed);
	secret_wipe(skeyseed, sizeof(skeyseed));
	secret_wipe(&with_secret, sizeof(with_secret));
	return good;
}

void ike_keys_clear(struct ike_keys *keys)
{
	secret_wipe(keys, sizeof(*keys));
}

bool ike_keys_child(const struct ike_keys *keys, const struct ike_chosen *esp,
	const struct secret *shared, const struct ike_nonce *ni, const struct ike_nonce *nr, uint8_t to_responder[IPSEC_KEY_MAX],
	uint8_t to_initiator[IPSEC_KEY_MAX], size_t *key_len)
{
	uint8_t stream[2 * IPSEC_KEY_MAX];
	const uint8_t *at = stream;
	struct seed seed = {0};
	bool good;

	*key_len = aead_key_len(esp->encr, esp->key_bits);
	if (!*key_len || *key_len > IPSEC_KEY_MAX)
		return false;
	if (shared)
		seed_secret(&seed, shared);
	seed_nonces(&seed, ni, nr);
	good = prf_plus(
		keys->prf, keys->d, keys->prf_len, seed.data, seed.len, stream, 2 * *key_len);
	take(to_responder, &at, *key_len);
	take(to_initiator, &at, *key_len);
	secret_wipe(stream, sizeof(stream));
	secret_wipe(&seed, sizeof(seed));
	return good;
}
