/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tags and priorities (entry.h). */
#include "xfrm/entry.h"

#define LINE_BITS 20
#define STAYS_BIT (1u << LINE_BITS)
#define MAGIC_SHIFT (LINE_BITS + 1)

uint32_t entry_tag(uint32_t line, bool stays)
{
	return ENTRY_MAGIC << MAGIC_SHIFT | (stays ? STAYS_BIT : 0) | (line & DP_LINE_MAX);
}

bool entry_tag_is_ours(uint32_t tag)
{
	return tag >> MAGIC_SHIFT == ENTRY_MAGIC;
}

uint32_t entry_tag_line(uint32_t tag)
{
	return tag & DP_LINE_MAX;
}

bool entry_tag_stays(uint32_t tag)
{
	return tag & STAYS_BIT;
}

uint32_t entry_priority(uint32_t slot, enum entry_sub sub)
{
	return ENTRY_BAND + 0x1000u + slot * 16u + (uint32_t)sub;
}

bool entry_priority_is_host(uint32_t priority)
{
	return (priority & 0xf) < ENTRY_LINE;
}

bool entry_same(const struct entry *a, const struct entry *b)
{
	return a->priority == b->priority && a->action == b->action && a->optional == b->optional &&
	       a->mode == b->mode && a->reqid == b->reqid && a->spi == b->spi &&
	       a->lifetime_s == b->lifetime_s && addr_equal(&a->tmpl_src, &b->tmpl_src) &&
	       addr_equal(&a->tmpl_dst, &b->tmpl_dst);
}
