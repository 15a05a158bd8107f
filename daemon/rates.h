/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often something may be begun for a key (rule N3): token buckets in a
 * table of fixed size, found by a keyed hash. Two keys may share a bucket;
 * nobody outside can tell which, and memory does not grow with names.
 */
#ifndef DAEMON_RATES_H
#define DAEMON_RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rates;

/* `burst` at once, then one in `interval_us`. */
struct rates *rates_new(unsigned burst, uint64_t interval_us);
void rates_free(struct rates *rates);
/* True when a token of the key is left. */
bool rates_left(const struct rates *rates, const void *key, size_t len, uint64_t now_us);
/* Takes it; false when there is none. */
bool rates_take(struct rates *rates, const void *key, size_t len, uint64_t now_us);

#endif
