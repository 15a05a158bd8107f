/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mirror of our policies (plane.h). */
#include "xfrm/plane.h"

#include "lib/log.h"
#include "lib/mem.h"
#include "xfrm/encode.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(ENTRY_KEY_LEN == 14 + 2 * sizeof(struct prefix), "struct entry_key has no padding inside");

struct mirrored *mirror_find(const struct dataplane *dp, const struct entry_key *key)
{
	struct mirrored *found;

	HASH_FIND(hh, dp->mirror, key, ENTRY_KEY_LEN, found);
	return found;
}

static struct mirrored *note(struct dataplane *dp, const struct entry *entry)
{
	struct mirrored *mirrored = mirror_find(dp, &entry->key);

	if (!mirrored) {
		mirrored = mem_new(struct mirrored);
		mirrored->entry.key = entry->key;
		HASH_ADD(hh, dp->mirror, entry.key, ENTRY_KEY_LEN, mirrored);
	}
	mirrored->entry = *entry;
	mirrored->of_flow = false;
	mirrored->part = 0;
	mirrored->stale = false;
	return mirrored;
}

static void own(struct mirrored *mirrored, const struct dp_flow *owner)
{
	mirrored->of_flow = owner != NULL;
	mirrored->part = owner ? owner->part : 0;
}

/* It may have been carried out all the same, with the answer lost: what the kernel has is not known. */
static int note_refusal(struct dataplane *dp, struct mirrored *mirrored, int error)
{
	mirrored->stale = true;
	plane_repair_later(dp);
	return error;
}

int mirror_put(struct dataplane *dp, const struct entry *entry, const struct dp_flow *owner)
{
	int error = netlink_request(dp->nl, encode_policy(entry));
	struct mirrored *mirrored = error ? mirror_find(dp, &entry->key) : NULL;

	if (!mirrored) {
		mirrored = note(dp, entry);
		own(mirrored, owner);
	}
	return error ? note_refusal(dp, mirrored, error) : 0;
}

void mirror_restore(struct dataplane *dp, struct mirrored *mirrored)
{
	int error = netlink_request(dp->nl, encode_policy(&mirrored->entry));

	if (error)
		note_refusal(dp, mirrored, error);
}

int mirror_keep(struct dataplane *dp, const struct entry *entry, const struct dp_flow *owner)
{
	struct mirrored *mirrored = mirror_find(dp, &entry->key);

	if (!mirrored || mirrored->stale || !entry_same(&mirrored->entry, entry))
		return mirror_put(dp, entry, owner);
	own(mirrored, owner);
	return 0;
}

void mirror_forget(struct dataplane *dp, struct mirrored *mirrored)
{
	HASH_DEL(dp->mirror, mirrored);
	free(mirrored);
}

int mirror_del(struct dataplane *dp, const struct entry_key *key, bool *heal)
{
	struct mirrored *mirrored = mirror_find(dp, key);
	int error = netlink_request(dp->nl, encode_policy_delete(key));

	if (error == -ENOENT)
		error = 0;
	if (mirrored && heal && mirrored->entry.action == ENTRY_ALLOW)
		*heal = true;
	if (mirrored && error) {
		own(mirrored, NULL); /* and so nobody wants it */
		return note_refusal(dp, mirrored, error);
	}
	if (mirrored)
		mirror_forget(dp, mirrored);
	return error;
}

static void ignore(void *arg, const struct nlmsghdr *message)
{
	(void)arg;
	(void)message;
}

bool mirror_stands(struct dataplane *dp, const struct entry_key *key)
{
	return netlink_query(dp->nl, encode_policy_get(key), ignore, NULL) == 0;
}

void mirror_touch(struct dataplane *dp, const struct entry_key *key)
{
	struct mirrored *mirrored = mirror_find(dp, key);

	if (mirrored && !mirrored->stale)
		netlink_request(dp->nl, encode_policy(&mirrored->entry));
}

/*
 * Any insertion does: where nothing of ours is left, a policy that matches no
 * packet (protocol 255 to ourselves) comes and goes.
 */
void mirror_heal(struct dataplane *dp, uint8_t family)
{
	struct entry passing = {.key = {.tag = entry_tag(0, false), .dir = ENTRY_OUT, .proto = 255},
		.priority = ENTRY_EXEMPT};

	passing.key.src.addr.family = passing.key.dst.addr.family = family;
	passing.key.src.len = passing.key.dst.len = addr_bits(&passing.key.src.addr);
	dp->heal_due[family == ADDR_IPV6] = mirror_put(dp, &passing, NULL) != 0;
	mirror_del(dp, &passing.key, NULL);
}

void mirror_heal_due(struct dataplane *dp)
{
	if (dp->heal_due[0])
		mirror_heal(dp, ADDR_IPV4);
	if (dp->heal_due[1])
		mirror_heal(dp, ADDR_IPV6);
}

/* --- take-over ------------------------------------------------------------------------------- */

static bool is_ours(const struct entry *entry)
{
	return entry_tag_is_ours(entry->key.tag) && entry->priority >= ENTRY_BAND &&
	       entry->priority < ENTRY_BAND_END;
}

static void take_policy(void *arg, const struct nlmsghdr *message)
{
	struct dataplane *dp = arg;
	struct mirrored *mirrored;
	struct entry entry;

	if (message->nlmsg_type != XFRM_MSG_NEWPOLICY || !decode_policy(message, &entry) ||
		!is_ours(&entry))
		return;
	mirrored = note(dp, &entry);
	mirrored->stale = !encode_is_policy(&entry, message);
	mirrored->of_flow =
		entry_priority_is_host(entry.priority) && entry_tag_line(entry.key.tag) != 0;
}

int mirror_adopt(struct dataplane *dp)
{
	return netlink_query(dp->nl, encode_policy_dump(), take_policy, dp);
}

void mirror_clear(struct dataplane *dp)
{
	struct mirrored *mirrored, *next;

	HASH_ITER (hh, dp->mirror, mirrored, next)
		mirror_forget(dp, mirrored);
}
