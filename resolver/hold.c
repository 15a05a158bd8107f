/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts on the addresses of one answer (hold.h). */
#include "resolver/hold.h"

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

const struct hold_item *hold_first_unusable(const struct hold *hold)
{
	for (size_t i = 0; i < hold->count; i++) {
		if (!hold_is_usable(&hold->items[i]))
			return &hold->items[i];
	}
	return NULL;
}
