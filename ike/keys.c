/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key derivation (keys.h). */
#include "ike/keys.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* g^ir | Ni | Nr | SK(1) … | SPIi | SPIr, or a part of it. */
struct seed {
	size_t len;
	uint8_t data[SECRET_MAX + 2 * IKE_NONCE_MAX + IKE_MORE_SECRETS_MAX + 2 * IKE_SPI_LEN];
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

static bool seed_more(struct seed *seed, const struct chunk *more)
{
	struct writer w = writer_init(seed->data + seed->len, sizeof(seed->data) - seed->len);

	if (more)
		writer_bytes(&w, more->data, more->len);
	seed->len += w.len;
	return !w.failed;
}

static void seed_spis(struct seed *seed, uint64_t spi_i, uint64_t spi_r)
{
	struct writer w = writer_init(seed->data + seed->len, sizeof(seed->data) - seed->len);

	writer_u64(&w, spi_i);
	writer_u64(&w, spi_r);
	seed->len += w.len;
}

static size_t block_len(const struct ike_keys *keys)
{
	return 3u * keys->prf_len + 2u * keys->integ_len + 2u * keys->encr_len;
}

/* {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr}; SK_a* are empty with AEAD (RFC 5282). */
static bool expand(struct ike_keys *keys, const uint8_t *skeyseed, const struct seed *seed)
{
	keys->d = mem_zalloc(block_len(keys));
	keys->ai = keys->d + keys->prf_len;
	keys->ar = keys->ai + keys->integ_len;
	keys->ei = keys->ar + keys->integ_len;
	keys->er = keys->ei + keys->encr_len;
	keys->pi = keys->er + keys->encr_len;
	keys->pr = keys->pi + keys->prf_len;
	return prf_plus(keys->prf, skeyseed, keys->prf_len, seed->data, seed->len, keys->d,
		block_len(keys));
}

/* Key lengths of a cipher with what protects its integrity; false when we lack one of them. */
static bool key_lens(const struct ike_chosen *chosen, size_t *encr, size_t *integ)
{
	*integ = 0;
	if (!chosen->integ) {
		*encr = aead_key_len(chosen->encr, chosen->key_bits);
		return *encr != 0;
	}
	*encr = cbc_key_len(chosen->encr, chosen->key_bits);
	*integ = cbc_integ_key_len(chosen->integ);
	return *encr && *integ;
}

/* False when we lack one of the algorithms. */
static bool choose_algorithms(struct ike_keys *keys, const struct ike_chosen *chosen)
{
	size_t encr_len, integ_len;

	ike_keys_clear(keys);
	if (!key_lens(chosen, &encr_len, &integ_len))
		return false;
	keys->encr = chosen->encr;
	keys->integ = chosen->integ;
	keys->prf = chosen->prf;
	keys->encr_len = (uint8_t)encr_len;
	keys->integ_len = (uint8_t)integ_len;
	keys->prf_len = (uint8_t)prf_len(chosen->prf);
	return keys->prf_len != 0;
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
	const struct ike_chosen *chosen, const struct secret *shared, const struct chunk *more,
	const struct ike_nonce *ni, const struct ike_nonce *nr, uint64_t spi_i, uint64_t spi_r)
{
	struct seed with_secret = {0}, seed = {0};
	struct chunk chunk = {with_secret.data, 0};
	uint8_t skeyseed[PRF_MAX];
	bool good;

	if (!choose_algorithms(keys, chosen))
		return false;
	seed_secret(&with_secret, shared);
	seed_nonces(&with_secret, ni, nr);
	good = seed_more(&with_secret, more);
	chunk.len = with_secret.len;
	good = good && prf_compute(old->prf, old->d, old->prf_len, &chunk, 1, skeyseed);
	seed_nonces(&seed, ni, nr);
	seed_spis(&seed, spi_i, spi_r);
	good = good && expand(keys, skeyseed, &seed);
	secret_wipe(skeyseed, sizeof(skeyseed));
	secret_wipe(&with_secret, sizeof(with_secret));
	return good;
}

/* SKEYSEED(n) = prf(SK_d(n-1), SK(n) | Ni | Nr): as if the SA were replaced, but for the SPIs. */
bool ike_keys_update(struct ike_keys *keys, const struct ike_chosen *chosen, const struct secret *shared,
	const struct ike_nonce *ni, const struct ike_nonce *nr, uint64_t spi_i, uint64_t spi_r)
{
	struct ike_keys fresh = {0};
	bool good = ike_keys_rekey(&fresh, keys, chosen, shared, NULL, ni, nr, spi_i, spi_r);

	if (good) {
		ike_keys_clear(keys);
		*keys = fresh;
	} else {
		ike_keys_clear(&fresh);
	}
	return good;
}

void ike_keys_clear(struct ike_keys *keys)
{
	if (keys->d)
		secret_wipe(keys->d, block_len(keys));
	free(keys->d);
	*keys = (struct ike_keys){0};
}

bool ike_key_with_ppk(uint16_t prf, const struct secret *ppk, uint8_t *key, size_t len)
{
	uint8_t mixed[PRF_MAX];
	bool good = len <= sizeof(mixed) && prf_plus(prf, ppk->data, ppk->len, key, len, mixed, len);

	if (good)
		memcpy(key, mixed, len);
	secret_wipe(mixed, sizeof(mixed));
	return good;
}

bool ike_keys_with_ppk(struct ike_keys *keys, const struct secret *ppk)
{
	uint8_t *pi = keys->d + (keys->pi - keys->d), *pr = keys->d + (keys->pr - keys->d);

	return ike_key_with_ppk(keys->prf, ppk, keys->d, keys->prf_len) &&
	       ike_key_with_ppk(keys->prf, ppk, pi, keys->prf_len) &&
	       ike_key_with_ppk(keys->prf, ppk, pr, keys->prf_len);
}

static void take(uint8_t *out, const uint8_t **stream, size_t len)
{
	memcpy(out, *stream, len);
	*stream += len;
}

/* 2.17: the encryption key comes before the integrity key. */
static void take_child(struct ipsec_sa *sa, const uint8_t **stream, size_t encr_len, size_t integ_len)
{
	take(sa->encr_key, stream, encr_len);
	take(sa->integ_key, stream, integ_len);
	sa->encr_key_len = (uint8_t)encr_len;
	sa->integ_key_len = (uint8_t)integ_len;
}

bool ike_keys_child(const struct ike_keys *keys, const struct ike_chosen *esp,
	const struct secret *shared, const struct chunk *more, const struct ike_nonce *ni,
	const struct ike_nonce *nr, struct ipsec_sa *to_responder, struct ipsec_sa *to_initiator)
{
	uint8_t stream[4 * IPSEC_KEY_MAX];
	const uint8_t *at = stream;
	struct seed seed = {0};
	size_t encr_len, integ_len;
	bool good;

	if (!key_lens(esp, &encr_len, &integ_len))
		return false;
	if (shared)
		seed_secret(&seed, shared);
	seed_nonces(&seed, ni, nr);
	good = seed_more(&seed, more) &&
	       prf_plus(keys->prf, keys->d, keys->prf_len, seed.data, seed.len, stream,
		2 * (encr_len + integ_len));
	take_child(to_responder, &at, encr_len, integ_len);
	take_child(to_initiator, &at, encr_len, integ_len);
	secret_wipe(stream, sizeof(stream));
	secret_wipe(&seed, sizeof(seed));
	return good;
}
