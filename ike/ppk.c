/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Post-quantum pre-shared keys (RFC 8784): a secret that both ends have beside
 * whatever they authenticate with, so that who breaks the key exchange later
 * still reads nothing.
 *
 *   IKE_SA_INIT  USE_PPK there and back
 *   IKE_AUTH     the initiator names its PPK; its AUTH has the PPK in it, and
 *                NO_PPK_AUTH is the same without, where it may go without (ppk=propose)
 *   the answer   PPK_IDENTITY, or nothing: then it is not used
 *
 * SK_d, SK_pi and SK_pr get the PPK mixed in, and with SK_d all later keys.
 */
#include "ike/ppk.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The initiator's, from its AUTH to the answer. */
struct ike_ppk_work {
	struct secret secret;
	struct ike_kept name;
	bool may_miss;		/* ppk=propose */
	struct auth_task plain; /* our AUTH without it; where it may_miss */
};

void ike_ppk_free(struct ike_ppk_work *ppk)
{
	if (!ppk)
		return;
	auth_task_clear(&ppk->plain);
	ike_kept_clear(&ppk->name);
	secret_wipe(ppk, sizeof(*ppk));
	free(ppk);
}

struct auth_task *ike_ppk_plain_auth(const struct ike_auth_work *work)
{
	return work->ppk && work->ppk->may_miss ? &work->ppk->plain : NULL;
}

bool ike_ppk_plain_good(const struct ike_sa *sa)
{
	const struct auth_task *plain = ike_ppk_plain_auth(sa->handshake->work);

	return !plain || plain->good;
}

static void note_name(struct ike_sa *sa, const char *format, const struct chunk *name)
{
	char printable[64], detail[128];

	ike_copy_printable(printable, sizeof(printable), name->data, name->len);
	snprintf(detail, sizeof(detail), format, printable);
	ike_note_detail(sa, detail);
}

/* --- the initiator ------------------------------------------------------------------------ */

const struct ike_psk *ike_ppk_own(const struct ike_sa *sa)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	const struct ike_id_spec *spec = &conn->remote_id;
	struct ike_id own = ike_sa_own_id(sa);

	if (conn->ppk == IKE_PPK_NEVER)
		return NULL;
	return ike_ppk_find(&sa->ike->config, conn, NULL, &own,
		spec->kind == IKE_ID_KIND_EXACT ? &spec->id : NULL, &sa->path.remote.addr);
}

bool ike_ppk_agreed(struct ike_sa *sa, const struct ike_message *init)
{
	struct ike_notify notify;

	sa->handshake->use_ppk =
		ike_ppk_own(sa) && ike_notify_find(init, IKE_NOTIFY_USE_PPK, &notify);
	if (sa->handshake->use_ppk || ike_sa_conn(sa)->ppk != IKE_PPK_INSIST)
		return true;
	ike_note_detail(sa, "the peer uses no PPK, and ppk=insist");
	return false;
}

bool ike_ppk_prepare(struct ike_sa *sa, struct auth_task *task)
{
	struct ike_handshake *h = sa->handshake;
	const struct ike_psk *ppk;

	if (!h->use_ppk)
		return true;
	ppk = ike_ppk_own(sa);
	if (!ppk)
		return false;
	h->work->ppk = mem_new(struct ike_ppk_work);
	h->work->ppk->secret = ppk->secret;
	h->work->ppk->may_miss = ike_sa_conn(sa)->ppk == IKE_PPK_PROPOSE;
	ike_kept_set(&h->work->ppk->name, ppk->name, ppk->name_len);
	return auth_task_with_ppk(task, &ppk->secret);
}

void ike_ppk_build_request(struct ike_sa *sa, struct ike_builder *chain)
{
	const struct ike_ppk_work *ppk = sa->handshake->work->ppk;
	uint8_t id[1 + SECRET_MAX];
	struct writer w = writer_init(id, sizeof(id));

	if (!ppk)
		return;
	writer_u8(&w, IKE_PPK_ID_FIXED);
	writer_bytes(&w, ppk->name.data, ppk->name.len);
	ike_notify_build(chain, IKE_NOTIFY_PPK_IDENTITY, id, w.len);
	if (ppk->may_miss)
		ike_notify_build(chain, IKE_NOTIFY_NO_PPK_AUTH, ppk->plain.proof, ppk->plain.proof_len);
}

/* What stands in the answer's PPK_IDENTITY is of no account (3). */
bool ike_ppk_take_response(struct ike_sa *sa, const struct ike_message *inner)
{
	const struct ike_ppk_work *ppk = sa->handshake->work->ppk;
	struct chunk name;
	struct ike_notify notify;

	if (!ppk)
		return true;
	name = (struct chunk){ppk->name.data, ppk->name.len};
	if (ike_notify_find(inner, IKE_NOTIFY_PPK_IDENTITY, &notify)) {
		sa->has_ppk = ike_keys_with_ppk(sa->keys, &ppk->secret);
		return sa->has_ppk;
	}
	if (ppk->may_miss)
		return true;
	note_name(sa, "the peer does not use the PPK %s, and ppk=insist", &name);
	return false;
}

/* --- the responder ------------------------------------------------------------------------- */

bool ike_ppk_any(const struct ike_sa *sa)
{
	const struct ike_conn *conn = ike_sa_conn(sa);

	/* Who the peer is we know in IKE_AUTH only. */
	return conn->ppk != IKE_PPK_NEVER && sa->ike->config.ppk_count > 0;
}

/* The PPK that the request names; NULL, and noted, when we have none of that name for this peer. */
static const struct ike_psk *named_ppk(struct ike_sa *sa, const struct ike_notify *identity)
{
	struct reader r = reader_init(identity->data, identity->len);
	struct ike_id peer_id = ike_sa_peer_id(sa);
	const struct ike_psk *ppk = NULL;
	struct chunk name;

	if (reader_u8(&r) == IKE_PPK_ID_FIXED && reader_left(&r) > 0) {
		name = (struct chunk){identity->data + 1, identity->len - 1};
		ppk = ike_ppk_find(&sa->ike->config, ike_sa_conn(sa), &name,
			&sa->handshake->work->own_id, &peer_id, &sa->path.remote.addr);
		if (!ppk)
			note_name(sa, "there is no PPK %s for this peer", &name);
	} else {
		ike_note_detail(sa, "the peer's PPK_ID is of a kind that is not known");
	}
	return ppk;
}

/* 4, 5: without a PPK, by the proof that NO_PPK_AUTH has, if neither end insists. */
static bool go_without(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_notify proof;

	if (ike_sa_conn(sa)->ppk == IKE_PPK_INSIST ||
		!ike_notify_find(inner, IKE_NOTIFY_NO_PPK_AUTH, &proof) || !proof.len)
		return false;
	ike_kept_set(&sa->handshake->work->peer_proof, proof.data, proof.len);
	/* What was noted is no reason to fail. */
	free(sa->detail);
	sa->detail = NULL;
	return true;
}

bool ike_ppk_take_request(struct ike_sa *sa, const struct ike_message *inner)
{
	const struct ike_psk *ppk;
	struct ike_notify identity;

	if (!sa->handshake->use_ppk) {
		if (ike_sa_conn(sa)->ppk == IKE_PPK_INSIST)
			ike_note_detail(sa, "the peer uses no PPK, and ppk=insist");
		return ike_sa_conn(sa)->ppk != IKE_PPK_INSIST;
	}
	if (!ike_notify_find(inner, IKE_NOTIFY_PPK_IDENTITY, &identity)) {
		ike_note_detail(sa, "the peer agreed to use a PPK and names none");
		return false;
	}
	ppk = named_ppk(sa, &identity);
	if (!ppk)
		return go_without(sa, inner);
	sa->has_ppk = ike_keys_with_ppk(sa->keys, &ppk->secret);
	return sa->has_ppk;
}

void ike_ppk_build_response(struct ike_sa *sa, struct ike_builder *chain)
{
	if (sa->has_ppk)
		ike_notify_build(chain, IKE_NOTIFY_PPK_IDENTITY, NULL, 0);
}
