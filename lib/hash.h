/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uthash with a keyed hash; included instead of <uthash.h>. Addresses, names
 * and SPIs in our tables are chosen by others: who knew the hash could put
 * them all into one bucket. SipHash-2-4 (Aumasson, Bernstein) with a key of
 * this process does not tell.
 */
#ifndef LIB_HASH_H
#define LIB_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_KEY_LEN 16

/* Before the first table is made, once; without it the key is zero, for tests that repeat. */
void hash_set_key(const uint8_t key[HASH_KEY_LEN]);
uint64_t hash_siphash(const uint8_t key[HASH_KEY_LEN], const void *data, size_t len);
/* With the key of this process. */
uint64_t hash_keyed(const void *data, size_t len);

#define HASH_FUNCTION(data, len, value) ((value) = (unsigned)hash_keyed((data), (len)))
#include <uthash.h>

#endif
