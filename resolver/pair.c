/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which queries belong together, and what one says to the other (pair.h). */
#include "resolver/pair.h"

#include "lib/hash.h"
#include "lib/loop.h"
#include "lib/mem.h"
#include "lib/wire.h"
#include "resolver/message.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define SLOTS 4096u
/* So long counts what was usable for a query that comes after it (glibc's option single-request). */
#define MOMENT_US 1000000u

enum family { FAMILY_A, FAMILY_AAAA, FAMILIES };

struct slot {
	uint64_t key;
	uint64_t counts_until_us[FAMILIES]; /* a moment after it was usable; 0: it was not */
	struct pair_half *waiting;	    /* of this key, and seldom of another one */
};

/* Owned by the resolver. */
struct pairs {
	struct slot slots[SLOTS];
};

uint64_t pair_key(const struct client *client, const char *name)
{
	uint8_t bytes[32 + MESSAGE_TEXT_NAME];
	struct writer w = writer_init(bytes, sizeof(bytes));

	writer_u64(&w, client->connection);
	writer_u16(&w, client->remote.port);
	writer_u8(&w, client->remote.addr.family);
	writer_bytes(&w, client->remote.addr.bytes, addr_len(&client->remote.addr));
	writer_bytes(&w, name, strlen(name));
	return hash_keyed(bytes, w.len);
}

struct pairs *pairs_new(void)
{
	return mem_new(struct pairs);
}

void pairs_free(struct pairs *pairs)
{
	free(pairs);
}

static enum family family_of(uint16_t type)
{
	return type == MESSAGE_TYPE_AAAA ? FAMILY_AAAA : FAMILY_A;
}

void pairs_usable(struct pairs *pairs, const struct pair_half *half, uint64_t now_us,
	void (*tell)(struct pair_half *other))
{
	struct slot *slot = &pairs->slots[half->key % SLOTS];
	uint64_t *until_us = &slot->counts_until_us[family_of(half->type)];
	struct pair_half *other;

	if (slot->key != half->key) {
		slot->key = half->key;
		memset(slot->counts_until_us, 0, sizeof(slot->counts_until_us));
	}
	/* The first time counts. Who waits has been told then, or has found it noted. */
	if (*until_us > now_us + MOMENT_US / 2)
		return;
	*until_us = now_us + MOMENT_US;
	DL_FOREACH (slot->waiting, other) {
		if (other->key == half->key && other->type != half->type)
			tell(other);
	}
}

static uint64_t usable_since(const struct slot *slot, enum family family, const struct pair_half *half)
{
	uint64_t until_us = slot->counts_until_us[family];

	return until_us > half->arrived_us ? until_us - MOMENT_US : LOOP_NEVER;
}

uint64_t pairs_other_usable(const struct pairs *pairs, const struct pair_half *half)
{
	const struct slot *slot = &pairs->slots[half->key % SLOTS];
	uint64_t first_us = LOOP_NEVER;

	for (enum family family = 0; slot->key == half->key && family < FAMILIES; family++) {
		bool is_own = half->type == (family == FAMILY_A ? MESSAGE_TYPE_A : MESSAGE_TYPE_AAAA);
		uint64_t since_us = is_own ? LOOP_NEVER : usable_since(slot, family, half);

		if (since_us < first_us)
			first_us = since_us;
	}
	return first_us;
}

void pairs_wait(struct pairs *pairs, struct pair_half *half)
{
	if (!half->waiting)
		DL_APPEND(pairs->slots[half->key % SLOTS].waiting, half);
	half->waiting = true;
}

void pairs_leave(struct pairs *pairs, struct pair_half *half)
{
	if (half->waiting)
		DL_DELETE(pairs->slots[half->key % SLOTS].waiting, half);
	half->waiting = false;
}
