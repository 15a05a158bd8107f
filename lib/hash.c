/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SipHash-2-4 (hash.h). */
#include "lib/hash.h"

#include <string.h>

static uint8_t process_key[HASH_KEY_LEN];

void hash_set_key(const uint8_t key[HASH_KEY_LEN])
{
	memcpy(process_key, key, HASH_KEY_LEN);
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

/* Little-endian, whatever the machine is. */
static uint64_t load(const uint8_t *bytes, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value |= (uint64_t)bytes[i] << 8 * i;
	return value;
}

static void mix(uint64_t v[4], unsigned rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

static void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	mix(v, 2);
	v[0] ^= word;
}

uint64_t hash_siphash(const uint8_t key[HASH_KEY_LEN], const void *data, size_t len)
{
	uint64_t k0 = load(key, 8), k1 = load(key + 8, 8);
	uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
	const uint8_t *bytes = data;
	size_t at = 0;

	for (; at + 8 <= len; at += 8)
		absorb(v, load(bytes + at, 8));
	absorb(v, load(bytes + at, len - at) | (uint64_t)len << 56);
	v[2] ^= 0xff;
	mix(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_keyed(const void *data, size_t len)
{
	return hash_siphash(process_key, data, len);
}
