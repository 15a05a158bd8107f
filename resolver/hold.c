/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts on the addresses of one answer, and what follows from them (hold.h). */
#include "resolver/hold.h"

#include "lib/mem.h"

#include <stdlib.h>

void hold_init(struct hold *hold, const struct addr *addrs, size_t count, void *query)
{
	hold_clear(hold);
	if (count > HOLD_MAX)
		count = HOLD_MAX;
	hold->items = count > HOLD_FEW ? mem_zalloc(count * sizeof(*hold->items)) : hold->few;
	hold->count = count;
	for (size_t i = 0; i < count; i++)
		hold->items[i] = (struct hold_item){
			.addr = addrs[i], .decision.verdict = RESOLVER_WAIT, .query = query};
}

void hold_clear(struct hold *hold)
{
	if (hold->items != hold->few)
		free(hold->items);
	hold->items = NULL;
	hold->count = 0;
}

bool hold_is_usable(const struct hold_item *item)
{
	return item->decision.verdict == RESOLVER_PASS ||
	       item->decision.verdict == RESOLVER_TUNNELLED;
}

size_t hold_waiting(const struct hold *hold)
{
	size_t count = 0;

	for (size_t i = 0; i < hold->count; i++)
		count += hold->items[i].decision.verdict == RESOLVER_WAIT;
	return count;
}

size_t hold_usable(const struct hold *hold)
{
	size_t count = 0;

	for (size_t i = 0; i < hold->count; i++)
		count += hold_is_usable(&hold->items[i]);
	return count;
}

bool hold_only_blocked(const struct hold *hold)
{
	for (size_t i = 0; i < hold->count; i++) {
		if (hold->items[i].decision.verdict != RESOLVER_BLOCKED)
			return false;
	}
	return hold->count > 0;
}

const struct hold_item *hold_culprit(const struct hold *hold)
{
	const struct hold_item *blocked = NULL;

	for (size_t i = 0; i < hold->count; i++) {
		const struct hold_item *item = &hold->items[i];

		if (hold_is_usable(item))
			continue;
		if (item->decision.verdict != RESOLVER_BLOCKED)
			return item;
		if (!blocked)
			blocked = item;
	}
	return blocked;
}

enum hold_step hold_look(const struct hold *hold)
{
	if (hold_waiting(hold) == 0)
		return HOLD_GO;
	return hold_usable(hold) ? HOLD_GRACE : HOLD_KEEP;
}

/* A record set has addresses of one family. */
static bool has_unusable_set(const struct hold *hold)
{
	bool present[2] = {false}, usable[2] = {false};

	for (size_t i = 0; i < hold->count; i++) {
		bool is_v6 = hold->items[i].addr.family == ADDR_IPV6;

		present[is_v6] = true;
		usable[is_v6] = usable[is_v6] || hold_is_usable(&hold->items[i]);
	}
	return (present[0] && !usable[0]) || (present[1] && !usable[1]);
}

enum hold_shape hold_shape(const struct hold *hold, enum hold_kind kind)
{
	/* A hint or a mail server's address that goes leaves the other records standing. */
	if (hold->count == 0 || kind == HOLD_KIND_RECORDS)
		return HOLD_SHAPE_USABLE;
	if (kind == HOLD_KIND_SIGNED_SETS)
		return has_unusable_set(hold) ? HOLD_SHAPE_FAIL : HOLD_SHAPE_WHOLE;
	if (hold_usable(hold))
		return kind == HOLD_KIND_SIGNED ? HOLD_SHAPE_WHOLE : HOLD_SHAPE_USABLE;
	/* An unsigned NODATA would be bogus to who checks. */
	if (kind == HOLD_KIND_SIGNED)
		return HOLD_SHAPE_FAIL;
	return hold_only_blocked(hold) ? HOLD_SHAPE_NODATA : HOLD_SHAPE_OTHER;
}
