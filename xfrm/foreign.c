/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies of others that stand in our way (K2): with the selector of one of
 * ours, or above a closed line. They are left alone, and told.
 */
#include "xfrm/plane.h"

#include "lib/mem.h"
#include "lib/strbuf.h"
#include "xfrm/encode.h"

#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <stdlib.h>

/* Another daemon may have thousands; the first ones say enough. */
#define TEXTS_MAX 16

struct foreign {
	struct entry entry; /* the key without a tag: of several with one selector the one that comes first */
	bool told;
	UT_hash_handle hh;
};

/* A look at all that are there. */
struct look {
	struct foreign *found;
	char **texts;
	size_t count, more;
};

static void take_policy(void *arg, const struct nlmsghdr *message)
{
	struct look *look = arg;
	struct foreign *foreign;
	struct entry entry;

	/* Those of sockets have directions of their own. */
	if (message->nlmsg_type != XFRM_MSG_NEWPOLICY || !decode_policy(message, &entry) ||
		entry_tag_is_ours(entry.key.tag) || entry.key.dir > ENTRY_FWD)
		return;
	entry.key.tag = 0;
	/* Others may have left bits there, which the kernel does not look at. */
	prefix_mask(&entry.key.src);
	prefix_mask(&entry.key.dst);
	HASH_FIND(hh, look->found, &entry.key, ENTRY_KEY_LEN, foreign);
	if (!foreign) {
		foreign = mem_new(struct foreign);
		foreign->entry = entry;
		HASH_ADD(hh, look->found, entry.key, ENTRY_KEY_LEN, foreign);
	} else if (entry.priority < foreign->entry.priority) {
		foreign->entry = entry;
	}
}

static void tell(struct look *look, struct foreign *foreign, const char *what, const struct prefix *line)
{
	static const char *const dirs[] = {"in", "out", "fwd"};
	const struct entry *entry = &foreign->entry;
	char src[ADDR_TEXT], dst[ADDR_TEXT], remote[ADDR_TEXT];
	struct strbuf traffic = {0};

	foreign->told = true;
	if (look->count == TEXTS_MAX) {
		look->more++;
		return;
	}
	if (entry->key.proto)
		strbuf_printf(&traffic, " protocol %u ports %u %u", entry->key.proto, entry->key.sport,
			entry->key.dport);
	look->texts = mem_resize(look->texts, look->count + 2, sizeof(*look->texts));
	look->texts[look->count++] = mem_printf("a foreign policy (%s, src %s dst %s%s, priority %u) %s %s",
		dirs[entry->key.dir], prefix_format(&entry->key.src, src),
		prefix_format(&entry->key.dst, dst), traffic.text ? traffic.text : "", entry->priority, what,
		prefix_format(line, remote));
	strbuf_clear(&traffic);
}

/* The tag keeps the two apart; which one counts is a matter of priority (kernel.md 0.11). */
static const char *compare(uint32_t theirs, uint32_t ours)
{
	if (theirs == ours)
		return "has the selector and the priority of ours, and which counts is chance: line";
	return theirs < ours ? "has the selector of ours, and comes before it: line"
			     : "has the selector of ours, which comes before it: line";
}

static void tell_twins(struct look *look, const struct dataplane *dp)
{
	struct mirrored *mirrored, *next;

	HASH_ITER (hh, dp->mirror, mirrored, next) {
		struct entry_key key = mirrored->entry.key;
		const struct line *line = line_find(dp, entry_tag_line(key.tag));
		struct foreign *foreign;

		key.tag = 0;
		HASH_FIND(hh, look->found, &key, ENTRY_KEY_LEN, foreign);
		if (!foreign || foreign->told || !line)
			continue;
		tell(look, foreign, compare(foreign->entry.priority, mirrored->entry.priority),
			&line->line.remote);
	}
}

static bool overlaps(const struct prefix *a, const struct prefix *b)
{
	return prefix_contains(a, &b->addr) || prefix_contains(b, &a->addr);
}

/* What is closed is opened by it, one way or the other. */
static bool outranks(const struct entry *entry, const struct dp_line *line)
{
	const struct prefix *remote = entry->key.dir == ENTRY_OUT ? &entry->key.dst : &entry->key.src;

	return line->closed && entry->action != ENTRY_BLOCK && overlaps(&line->remote, remote) &&
	       entry->priority <= entry_priority(line->slot, ENTRY_CLOSING);
}

static void tell_if_above(struct look *look, const struct dataplane *dp, struct foreign *foreign)
{
	struct line *line, *next;

	HASH_ITER (hh, dp->lines, line, next) {
		if (!outranks(&foreign->entry, &line->line))
			continue;
		tell(look, foreign, "outranks the closed line", &line->line.remote);
		return;
	}
}

size_t dp_warnings(struct dataplane *dp, char ***texts)
{
	struct look look = {0};
	struct foreign *foreign, *next;

	netlink_query(dp->nl, encode_policy_dump(), take_policy, &look);
	tell_twins(&look, dp);
	HASH_ITER (hh, look.found, foreign, next) {
		if (!foreign->told)
			tell_if_above(&look, dp, foreign);
	}
	HASH_ITER (hh, look.found, foreign, next) {
		HASH_DEL(look.found, foreign);
		free(foreign);
	}
	if (look.more)
		look.texts[look.count++] = mem_printf("%zu more foreign policies like these", look.more);
	*texts = look.texts;
	return look.count;
}
