/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INITIAL_CONTACT (RFC 7296 2.4): who says it has forgotten all that was before
 * finds its established SAs by the identity that it has proved, without a walk
 * over those of others. A peer that is anonymous has no such identity, and its
 * word ends nothing. By its identity a peer is also kept from making SAs for one
 * flow without end: each new one is compared with the older ones, and asks after them.
 *
 * An ike_peer is owned by its SAs: the first of them makes it, the last frees it.
 */
#include "ike/anonymous.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct ike_peer {
	struct ike_sa *sas;
	UT_hash_handle hh;
	uint8_t id[]; /* packed (id.h) */
};

static struct ike_peer *peer_new(struct ike *ike, const struct ike_kept *id)
{
	struct ike_peer *peer = mem_zalloc(sizeof(*peer) + id->len);

	memcpy(peer->id, id->data, id->len);
	HASH_ADD_KEYPTR(hh, ike->peers, peer->id, id->len, peer);
	return peer;
}

void ike_contact_add(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;
	struct ike_peer *peer;

	if (!sa->peer_id.len || sa->remote_auth == IKE_AUTH_NULL)
		return;
	HASH_FIND(hh, ike->peers, sa->peer_id.data, sa->peer_id.len, peer);
	if (!peer)
		peer = peer_new(ike, &sa->peer_id);
	sa->peer = peer;
	DL_APPEND2(peer->sas, sa, peer_prev, peer_next);
}

/* NULL: it is not established yet, or the peer is nobody. */
static struct ike_peer *peer_of(const struct ike_sa *sa)
{
	return sa->established_us && sa->remote_auth != IKE_AUTH_NULL ? sa->peer : NULL;
}

void ike_contact_remove(struct ike_sa *sa)
{
	struct ike_peer *peer = peer_of(sa);

	if (!peer)
		return;
	sa->peer = NULL;
	DL_DELETE2(peer->sas, sa, peer_prev, peer_next);
	if (peer->sas)
		return;
	HASH_DEL(sa->ike->peers, peer);
	free(peer);
}

/* What we have begun just now crosses the new one and is not forgotten. */
static bool is_forgotten(const struct ike_sa *sa, const struct ike_sa *fresh)
{
	bool crosses = !sa->came_to_us && sa->ike->now_us - sa->created_us < IKE_CROSSING_US;

	return sa != fresh && sa->state == IKE_SA_ESTABLISHED && !crosses &&
	       addr_equal(&sa->path.remote.addr, &fresh->path.remote.addr);
}

void ike_contact_obey(struct ike_sa *fresh)
{
	struct ike_sa *sa, *next;
	struct ike_peer *peer;

	if (fresh->remote_auth == IKE_AUTH_NULL)
		return;
	HASH_FIND(hh, fresh->ike->peers, fresh->peer_id.data, fresh->peer_id.len, peer);
	for (sa = peer ? peer->sas : NULL; sa; sa = next) {
		/* The last SA takes the peer with it, but not before `next` is known. */
		next = sa->peer_next;
		if (is_forgotten(sa, fresh))
			ike_sa_end(sa, IKE_REASON_PEER_DELETED);
	}
}

void ike_contact_admit(struct ike_sa *fresh)
{
	const struct ike_peer *peer = peer_of(fresh);
	struct ike_sa *sa, *oldest = NULL;
	unsigned count = 0;

	for (sa = peer ? peer->sas : NULL; sa; sa = sa->peer_next) {
		if (sa == fresh || sa->state != IKE_SA_ESTABLISHED || !sa->children ||
			!ike_sa_is_covered(sa, fresh))
			continue;
		if (!oldest)
			oldest = sa;
		count++;
	}
	if (count >= IKE_FLOW_SAS_MAX)
		ike_sa_delete(oldest, IKE_REASON_LIMIT);
}
