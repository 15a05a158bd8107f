/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rates of names and targets (N3): the burst, what comes after it, and that keys do not spend each other's. */
#include "daemon/rates.h"
#include "t/tap.h"

#define SECOND UINT64_C(1000000)

static unsigned take(struct rates *rates, const char *key, unsigned tries, uint64_t now_us)
{
	unsigned taken = 0;

	while (tries-- > 0)
		taken += rates_take(rates, key, strlen(key), now_us);
	return taken;
}

int main(void)
{
	struct rates *rates = rates_new(10, SECOND);
	unsigned starved = 0;

	is_int(take(rates, "a", 100, 50 * SECOND), 10, "a burst");
	is_int(take(rates, "b", 5, 50 * SECOND), 5, "another key has its own");
	is_int(take(rates, "a", 100, 50 * SECOND + SECOND / 2), 0, "nothing before its time");
	is_int(take(rates, "a", 100, 53 * SECOND), 3, "three after three intervals");
	is_int(take(rates, "a", 100, 1000 * SECOND), 10, "never more than the burst");
	ok(!rates_left(rates, "a", 1, 1000 * SECOND) && rates_left(rates, "a", 1, 1001 * SECOND),
		"what is left can be seen");
	is_int(take(rates, "a", 100, 1001 * SECOND), 1, "which takes nothing");
	/* A thousand busy keys leave most others alone. */
	for (unsigned i = 0; i < 1000; i++) {
		char key[16];

		snprintf(key, sizeof(key), "busy%u", i);
		take(rates, key, 20, 2000 * SECOND);
	}
	for (unsigned i = 0; i < 1000; i++) {
		char key[16];

		snprintf(key, sizeof(key), "calm%u", i);
		starved += take(rates, key, 1, 2000 * SECOND) == 0;
	}
	ok(starved < 350, "of 1000 others %u share a bucket with one of 1000 busy ones", starved);
	rates_free(rates);
	return tap_done();
}
