/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SipHash-2-4 against its authors' vectors, and that tables use the key. */
#include "lib/hash.h"
#include "t/tap.h"

int main(void)
{
	/* The key is 00 01 .. 0f, the input as many of the same bytes. */
	static const struct {
		size_t len;
		uint64_t want;
	} vectors[] = {{0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)},
		{8, UINT64_C(0x93f5f5799a932462)}, {15, UINT64_C(0xa129ca6149be45e5)}};
	uint8_t bytes[HASH_KEY_LEN];
	uint64_t before = hash_keyed("name", 4), after;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		ok(hash_siphash(bytes, bytes, vectors[i].len) == vectors[i].want, "%zu bytes",
			vectors[i].len);
	hash_set_key(bytes);
	after = hash_keyed("name", 4);
	ok(before != after, "another key, another hash");
	ok(after == hash_siphash(bytes, "name", 4), "that of the process");
	return tap_done();
}
