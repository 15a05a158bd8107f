/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies of others that stand above a closed line of ours (K2): left alone, and told. */
#include "xfrm/plane.h"

#include "lib/mem.h"
#include "xfrm/encode.h"

#include <linux/xfrm.h>
#include <netlink/msg.h>

static bool overlaps(const struct prefix *a, const struct prefix *b)
{
	return prefix_contains(a, &b->addr) || prefix_contains(b, &a->addr);
}

static void take_foreign(void *arg, const struct nlmsghdr *message)
{
	struct dataplane *dp = arg;
	struct line *line, *next;
	struct entry entry;
	char src[ADDR_TEXT], dst[ADDR_TEXT], remote[ADDR_TEXT];

	if (dp->foreign || message->nlmsg_type != XFRM_MSG_NEWPOLICY ||
		!decode_policy(message, &entry) || entry_tag_is_ours(entry.key.tag) ||
		entry.key.dir != ENTRY_OUT || entry.action == ENTRY_BLOCK)
		return;
	HASH_ITER (hh, dp->lines, line, next) {
		if (!line->line.closed || !overlaps(&line->line.remote, &entry.key.dst) ||
			entry.priority > entry_priority(line->line.slot, ENTRY_CLOSING))
			continue;
		dp->foreign = mem_printf("a foreign policy (src %s dst %s priority %u) outranks the "
					 "closed line %s",
			prefix_format(&entry.key.src, src), prefix_format(&entry.key.dst, dst),
			entry.priority, prefix_format(&line->line.remote, remote));
		return;
	}
}

char *dp_warnings(struct dataplane *dp)
{
	char *warning;

	netlink_query(dp->nl, encode_policy_dump(), take_foreign, dp);
	warning = dp->foreign;
	dp->foreign = NULL;
	return warning;
}
