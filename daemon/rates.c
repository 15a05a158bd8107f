/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Token buckets (rates.h), each as the time at which it is full again. */
#include "daemon/rates.h"

#include "lib/hash.h"
#include "lib/mem.h"

#include <stdlib.h>

#define BUCKETS 4096u

struct rates {
	uint64_t interval_us;
	uint64_t depth_us; /* of a bucket that has just been emptied */
	uint64_t full_us[BUCKETS];
};

struct rates *rates_new(unsigned burst, uint64_t interval_us)
{
	struct rates *rates = mem_new(struct rates);

	rates->interval_us = interval_us;
	rates->depth_us = burst * interval_us;
	return rates;
}

void rates_free(struct rates *rates)
{
	free(rates);
}

static unsigned bucket_of(const void *key, size_t len)
{
	return (unsigned)(hash_keyed(key, len) % BUCKETS);
}

/* When the bucket would be full again after one more was taken; false when none is left. */
static bool look(const struct rates *rates, unsigned bucket, uint64_t now_us, uint64_t *full_us)
{
	uint64_t from_us = rates->full_us[bucket] > now_us ? rates->full_us[bucket] : now_us;

	*full_us = from_us + rates->interval_us;
	return *full_us <= now_us + rates->depth_us;
}

bool rates_left(const struct rates *rates, const void *key, size_t len, uint64_t now_us)
{
	uint64_t full_us;

	return look(rates, bucket_of(key, len), now_us, &full_us);
}

bool rates_take(struct rates *rates, const void *key, size_t len, uint64_t now_us)
{
	unsigned bucket = bucket_of(key, len);
	uint64_t full_us;

	if (!look(rates, bucket, now_us, &full_us))
		return false;
	rates->full_us[bucket] = full_us;
	return true;
}
