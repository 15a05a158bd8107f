/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a new configuration leaves standing (C4): an SA whose connection is
 * still there and would still give it to this peer, and to nobody else, in the
 * same way. Authentication, identities, keys, CAs, secrets and algorithms all
 * count: what one of them no longer admits must not be rekeyed for ever. Timers
 * and lifetimes do not; they hold from the next time on that they are asked.
 */
#include "ike/engine_config.h"
#include "ike/id.h"
#include "ike/crypto/cert.h"
#include "ike/proposal.h"
#include "ike/sa.h"
#include "ike/wish.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* A negotiation of ours that begins anew: who waits for it is told of its end once. */
struct restart {
	size_t conn;
	struct path path;
	struct selector selector;
	uint64_t user;
};

struct change {
	const struct ike_config *old, *fresh;
	size_t *kept; /* new index of each old connection; SIZE_MAX: changed, or gone */
	bool same_psks, keeps_ppks;
	struct restart *restarts;
	size_t restart_count;
};

/* --- connections ---------------------------------------------------------------------------- */

/* What we would offer says all, whichever way it was written. */
static bool same_suite(const struct ike_suite *a, const struct ike_suite *b, uint8_t protocol)
{
	const struct ike_suite suites[2] = {
		ike_suite_defaults(a, protocol), ike_suite_defaults(b, protocol)};
	uint8_t bytes[2][IKE_MESSAGE_MAX];
	size_t lens[2];

	for (size_t i = 0; i < 2; i++) {
		struct ike_builder chain = ike_build_chain(bytes[i], sizeof(bytes[i]));

		ike_proposal_offer(&chain, protocol, &suites[i], 0, 0);
		lens[i] = ike_build_finish(&chain);
	}
	return lens[0] && lens[0] == lens[1] && memcmp(bytes[0], bytes[1], lens[0]) == 0;
}

static bool same_id(const struct ike_id_spec *a, const struct ike_id_spec *b)
{
	return a->kind == b->kind && (a->kind != IKE_ID_KIND_EXACT || ike_id_equal(&a->id, &b->id));
}

static bool same_identity(const struct change *change, const struct ike_conn *a, const struct ike_conn *b)
{
	if (a->local_auth != IKE_AUTH_CERT)
		return true;
	return a->identity < change->old->identity_count &&
	       b->identity < change->fresh->identity_count &&
	       cert_identity_equal(change->old->identities[a->identity],
		       change->fresh->identities[b->identity]);
}

/* More CAs admit all whom fewer did. */
static bool keeps_trust(const struct change *change, const struct ike_conn *a, const struct ike_conn *b)
{
	if (a->remote_auth != IKE_AUTH_CERT)
		return true;
	return a->trust < change->old->trust_count && b->trust < change->fresh->trust_count &&
	       cert_trust_includes(change->fresh->trusts[b->trust], change->old->trusts[a->trust]);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Whom nobody has asked for the hosts of its certificate has not shown them. */
static bool keeps_names(const struct ike_conn *a, const struct ike_conn *b)
{
	return a->verify_name || !b->verify_name;
}

static bool same_conn(const struct change *change, const struct ike_conn *a, const struct ike_conn *b)
{
	return a->local_auth == b->local_auth && a->remote_auth == b->remote_auth &&
	       a->remote_keys == b->remote_keys && a->allow_sha1 == b->allow_sha1 &&
	       a->mode == b->mode && a->ppk == b->ppk && same_text(a->ppk_ids, b->ppk_ids) &&
	       same_id(&a->local_id, &b->local_id) && same_id(&a->remote_id, &b->remote_id) &&
	       same_suite(&a->ike, &b->ike, IKE_PROTOCOL_IKE) &&
	       same_suite(&a->esp, &b->esp, IKE_PROTOCOL_ESP) && same_identity(change, a, b) &&
	       keeps_names(a, b) &&
	       keeps_trust(change, a, b);
}

static size_t place_of(const struct change *change, const struct ike_conn *old)
{
	size_t place = ike_config_find(change->fresh, old->name);

	return place != SIZE_MAX && same_conn(change, old, &change->fresh->conns[place]) ? place
											 : SIZE_MAX;
}

/* --- secrets ------------------------------------------------------------------------------------ */

static bool same_secret(const struct secret *a, const struct secret *b)
{
	return a->len == b->len && secret_equal(a->data, b->data, a->len);
}

static bool same_psk(const struct ike_psk *a, const struct ike_psk *b)
{
	if (a->id_count != b->id_count || a->name_len != b->name_len ||
		(a->name_len && memcmp(a->name, b->name, a->name_len) != 0) ||
		!same_secret(&a->secret, &b->secret))
		return false;
	for (size_t i = 0; i < a->id_count; i++) {
		if (!ike_id_equal(&a->ids[i], &b->ids[i]))
			return false;
	}
	return true;
}

/* All of the old ones are there, in their order; others may be between them. */
static bool keeps_psks(
	const struct ike_psk *old, size_t old_count, const struct ike_psk *fresh, size_t fresh_count)
{
	size_t found = 0;

	for (size_t i = 0; i < fresh_count && found < old_count; i++)
		found += same_psk(&old[found], &fresh[i]);
	return found == old_count;
}

/* Which line is the PSK's is ike_psk_find()'s word: another one may have come before it. */
static bool keeps_psk(const struct change *change, const struct ike_sa *sa, bool own)
{
	struct ike_id ours = ike_sa_own_id(sa);
	const struct secret *old = ike_sa_psk(sa, change->old, &ours, own);
	const struct secret *fresh = ike_sa_psk(sa, change->fresh, &ours, own);

	return old && fresh && same_secret(old, fresh);
}

/* A PSK counts from when it is known for whom: before that a responder has used none. */
static bool keeps_secrets(const struct change *change, const struct ike_sa *sa)
{
	bool knows_peer = sa->peer_id.len;

	if (sa->has_ppk && !change->keeps_ppks)
		return false;
	if (change->same_psks)
		return true;
	if (sa->local_auth == IKE_AUTH_PSK && (knows_peer || sa->role == IKE_INITIATOR) &&
		!keeps_psk(change, sa, true))
		return false;
	return sa->remote_auth != IKE_AUTH_PSK || !knows_peer || keeps_psk(change, sa, false);
}

/* --- SAs ---------------------------------------------------------------------------------------- */

static bool is_our_negotiation(const struct ike_sa *sa)
{
	return sa->role == IKE_INITIATOR && !sa->reported && sa->state != IKE_SA_DELETING;
}

static void note_restart(struct change *change, const struct restart *restart)
{
	change->restarts =
		mem_resize(change->restarts, change->restart_count + 1, sizeof(*change->restarts));
	change->restarts[change->restart_count++] = *restart;
}

static void restart_sa(struct change *change, struct ike_sa *sa, size_t conn)
{
	struct restart restart = {
		.conn = conn, .path = sa->path, .selector = sa->selector, .user = sa->user};

	note_restart(change, &restart);
	sa->reported = true; /* the one that takes its place will tell */
}

/* The flows that wait for it, too. */
static void restart_wishes(struct change *change, struct ike_sa *sa, size_t conn)
{
	struct ike_wish *wish, *next;

	for (wish = ike_wishes_take(sa); wish; wish = next) {
		struct restart restart = {.conn = conn,
			.path = wish->path,
			.selector = wish->selector,
			.user = wish->user};

		next = wish->next;
		note_restart(change, &restart);
		free(wish);
	}
}

/*
 * Who waits for the answer to IKE_AUTH cannot delete what the peer may have by then: it
 * waits on without a connection, by which no answer is good, and deletes it then.
 */
static void leave(struct ike_sa *sa)
{
	if (sa->state == IKE_SA_AUTH_SENT)
		ike_tell_failed(sa, IKE_REASON_DELETED);
	else
		ike_sa_delete_now(sa, IKE_REASON_DELETED);
}

static void judge(struct change *change, struct ike_sa *sa)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	bool has_conn = sa->conn < change->old->conn_count;
	size_t place = has_conn ? change->kept[sa->conn] : SIZE_MAX;
	size_t named = has_conn ? ike_config_find(change->fresh, conn->name) : SIZE_MAX;

	if (place != SIZE_MAX && (!keeps_secrets(change, sa) ||
					 !ike_peer_permitted(sa, change->fresh, &change->fresh->conns[place])))
		place = SIZE_MAX;
	if (place == SIZE_MAX && named != SIZE_MAX && is_our_negotiation(sa))
		restart_sa(change, sa, named);
	if (place == SIZE_MAX && named != SIZE_MAX)
		restart_wishes(change, sa, named);
	if (place == SIZE_MAX) {
		ike_wishes_fail(sa, IKE_REASON_DELETED);
		leave(sa);
	}
	/* Still there without a connection: it says goodbye, see ike_sa_conn(). */
	sa->conn = place;
}

static struct change compare(const struct ike_config *old, const struct ike_config *fresh)
{
	struct change change = {.old = old, .fresh = fresh};

	change.same_psks = old->psk_count == fresh->psk_count &&
			   keeps_psks(old->psks, old->psk_count, fresh->psks, fresh->psk_count);
	change.keeps_ppks = keeps_psks(old->ppks, old->ppk_count, fresh->ppks, fresh->ppk_count);
	change.kept = mem_zalloc((old->conn_count + 1) * sizeof(*change.kept));
	for (size_t i = 0; i < old->conn_count; i++)
		change.kept[i] = place_of(&change, &old->conns[i]);
	return change;
}

void ike_reconfigure(struct ike *ike, const struct ike_config *config, uint64_t now_us)
{
	struct ike_config old = ike->config, fresh;
	struct ike_sa *sa, *next;
	struct change change;

	ike->now_us = now_us;
	ike_config_copy(&fresh, config);
	change = compare(&old, &fresh);
	HASH_ITER (by_id, ike->by_id, sa, next)
		judge(&change, sa);
	ike->config = fresh;
	ike_retire(ike, &old);
	ike_config_clear(&old);
	ike_settle(ike);
	for (size_t i = 0; i < change.restart_count; i++) {
		const struct restart *restart = &change.restarts[i];

		ike_initiate(ike, restart->conn, &restart->path, &restart->selector, restart->user, now_us);
	}
	free(change.restarts);
	free(change.kept);
}
