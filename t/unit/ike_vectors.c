/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's cryptography against values that another implementation
 * computed: t/unit/ike_vectors.py, in plain Python.
 */
#include "t/tap.h"

#include "ike/const.h"
#include "ike/crypto/kex.h"
#include "ike/crypto/modp.h"
#include "t/unit/ike_vectors.h"

static size_t from_hex(const char *text, uint8_t *out)
{
	size_t len = 0;
	unsigned byte;

	for (; sscanf(text, "%2x", &byte) == 1; text += 2)
		out[len++] = (uint8_t)byte;
	return len;
}

static void is_hex(const void *got, const char *want, const char *name)
{
	uint8_t bytes[1024];
	size_t len = from_hex(want, bytes);

	is_mem(got, bytes, len, name);
}

/* --- MODP groups ---------------------------------------------------------------------------- */

/* "Random" bytes that are given. */
static void fill_given(void *arg, void *out, size_t len)
{
	memcpy(out, arg, len);
}

static void add_small(uint8_t *number, size_t len, int value)
{
	number[len - 1] = (uint8_t)(number[len - 1] + value);
}

/* Numbers that give nothing away of the prime's neighbourhood: 0, 1, p - 1, p, p + 1 … are none. */
static void test_improper(const struct kex *kex, const struct modp_vector *vector)
{
	uint8_t peer[MODP_MAX] = {0};
	size_t len = modp_len(kex->group);
	struct secret shared;

	ok(!kex_derive(kex, peer, len, &shared), "0 is refused");
	peer[len - 1] = 1;
	ok(!kex_derive(kex, peer, len, &shared), "1 is refused");
	peer[len - 1] = 2;
	ok(kex_derive(kex, peer, len, &shared) && shared.len == len, "2 is taken");
	is_mem(shared.data, kex->public, len, "and gives our public number");
	memset(peer, 0, len);
	peer[len - 9] = 1;
	ok(kex_derive(kex, peer, len, &shared), "2^64 is taken");
	from_hex(vector->prime, peer);
	ok(!kex_derive(kex, peer, len, &shared), "the prime is refused");
	add_small(peer, len, -1);
	ok(!kex_derive(kex, peer, len, &shared), "and what is one less");
	add_small(peer, len, -1);
	ok(kex_derive(kex, peer, len, &shared), "two less is taken");
	memset(peer, 0xff, len);
	ok(!kex_derive(kex, peer, len, &shared), "larger ones are refused");
}

static void test_modp(const struct modp_vector *vector)
{
	uint8_t private[64], peer[MODP_MAX];
	struct crypto_random random = {.fill = fill_given, .arg = private};
	struct kex kex = {0};
	struct secret shared;
	size_t private_len = from_hex(vector->private, private), len = from_hex(vector->peer, peer);

	ok(kex_generate(&kex, vector->group, &random) && kex.private_len == private_len &&
			kex.public_len == len && modp_len(vector->group) == len,
		"%s", ike_group_name(vector->group));
	is_hex(kex.public, vector->public, "the public number");
	ok(kex_derive(&kex, peer, len, &shared) && shared.len == len, "a secret, as long as the prime");
	ok(shared.data[0] == 0, "which begins with zero");
	is_hex(shared.data, vector->shared, "the secret");
	ok(!kex_derive(&kex, peer, len - 1, &shared) && !kex_derive(&kex, peer, 0, &shared),
		"another length is refused (RFC 7296 3.4)");
	test_improper(&kex, vector);
	kex_clear(&kex);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(modp_vectors) / sizeof(modp_vectors[0]); i++)
		test_modp(&modp_vectors[i]);
	return tap_done();
}
