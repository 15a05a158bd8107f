/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CHILD SA: from negotiated values to a pair for the data plane, and which
 * pair stays when two negotiations have crossed.
 */
#include "ike/sa.h"

#include <string.h>

static void set_key(struct ipsec_sa *sa, const uint8_t *key, size_t len)
{
	memcpy(sa->encr_key, key, len);
	sa->encr_key_len = (uint8_t)len;
}

static bool derive_keys(struct ike_sa *sa)
{
	struct ike_handshake *h = sa->handshake;
	struct sa_pair *pair = &sa->child.pair;
	uint8_t to_responder[IPSEC_KEY_MAX], to_initiator[IPSEC_KEY_MAX];
	bool initiator = sa->role == IKE_INITIATOR;
	size_t len;
	bool good = ike_keys_child(
		&sa->keys, &h->esp, &h->ni, &h->nr, to_responder, to_initiator, &len);

	if (good) {
		set_key(&pair->out, initiator ? to_responder : to_initiator, len);
		set_key(&pair->in, initiator ? to_initiator : to_responder, len);
	}
	secret_wipe(to_responder, sizeof(to_responder));
	secret_wipe(to_initiator, sizeof(to_initiator));
	return good;
}

/*
 * A peer that initiates again has lost what it initiated before: what we send
 * on that is lost too. (Where we initiated the other, the two have crossed.)
 */
static bool replaces_lost(const struct ike_sa *sa)
{
	const struct ike_sa *other = ike_sas_of_user(sa->ike, sa->user);

	for (; other; other = other->user_next) {
		if (other != sa && other->role == IKE_RESPONDER)
			return true;
	}
	return false;
}

static void fill_pair(
	struct ike_sa *sa, const struct selector *selector, enum ipsec_mode mode, uint32_t out_spi)
{
	struct sa_pair *pair = &sa->child.pair;

	pair->mode = mode;
	pair->selector = *selector;
	pair->encr = sa->handshake->esp.encr;
	pair->integ = IPSEC_INTEG_NONE;
	pair->peer_sends_first = sa->role == IKE_RESPONDER && !replaces_lost(sa);
	pair->replay_window = ike_sa_conn(sa)->replay_window;
	pair->in.src = pair->out.dst = sa->path.remote.addr;
	pair->in.dst = pair->out.src = sa->path.local.addr;
	pair->out.spi = out_spi;
}

bool ike_child_install(struct ike_sa *sa, const struct selector *selector, enum ipsec_mode mode,
	uint32_t out_spi)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	struct ike_child *child = &sa->child;

	child->id = ++sa->ike->last_id;
	child->sa = sa->id;
	child->user = sa->user;
	child->role = sa->role;
	child->path = sa->path;
	child->local_auth = conn->local_auth;
	child->remote_auth = conn->remote_auth;
	child->conn = sa->conn;
	fill_pair(sa, selector, mode, out_spi);
	if (out_spi < 256 || !derive_keys(sa))
		return false;
	ike_sa_track_child(sa);
	ike_tell_stage(sa, IKE_STAGE_INSTALLING);
	sa->ike->ops.install(sa->ike->arg, child);
	secret_wipe(child->pair.in.encr_key, sizeof(child->pair.in.encr_key));
	secret_wipe(child->pair.out.encr_key, sizeof(child->pair.out.encr_key));
	return true;
}

void ike_child_remove(struct ike_sa *sa, enum ike_reason reason)
{
	if (!sa->has_child)
		return;
	ike_sa_untrack_child(sa);
	sa->ike->ops.remove(sa->ike->arg, &sa->child);
	if (sa->child_up)
		ike_tell_child_down(sa, reason);
	sa->child_up = false;
}

/* 2 to 5 s: long enough that what travels on the loser's SAs arrives. */
static uint64_t redundant_delay_us(struct ike *ike)
{
	uint16_t jitter;

	ike->ops.random(ike->arg, &jitter, sizeof(jitter));
	return 2000000u + jitter * UINT64_C(3000000) / UINT16_MAX;
}

static void delete_later(struct ike_sa *sa)
{
	if (sa->delete_us != IKE_NEVER)
		return;
	sa->delete_us = sa->ike->now_us + redundant_delay_us(sa->ike);
	sa->delete_reason = IKE_REASON_REDUNDANT;
	ike_sa_schedule(sa);
}

/* Each host began one before the other's was done. */
static bool have_crossed(const struct ike_sa *a, const struct ike_sa *b)
{
	uint64_t now_us = a->ike->now_us;

	return a->role != b->role && now_us - a->created_us < IKE_CROSSING_US &&
	       now_us - b->created_us < IKE_CROSSING_US;
}

/*
 * Two SAs for one flow. Of two that crossed, the one with the lower nonce loses
 * and its initiator deletes it after a quiet time; both ends compute the same.
 * The winner is then the peer's, who may have missed our IKE_AUTH response: a
 * probe makes sure of it. Of others, the older one is asked: the peer may have
 * lost its state (N7).
 */
static void settle_pair(struct ike_sa *fresh, struct ike_sa *other)
{
	struct ike_sa *loser =
		memcmp(fresh->low_nonce, other->low_nonce, sizeof(fresh->low_nonce)) < 0 ? fresh
											 : other;

	if (!have_crossed(fresh, other)) {
		ike_send_probe(other);
	} else if (loser->role == IKE_INITIATOR) {
		delete_later(loser);
		ike_send_probe(loser == fresh ? other : fresh);
	}
}

void ike_child_settle_crossing(struct ike_sa *sa)
{
	struct ike_sa *other, *next;

	for (other = ike_sas_of_user(sa->ike, sa->user); other; other = next) {
		next = other->user_next;
		if (other != sa && other->state == IKE_SA_ESTABLISHED)
			settle_pair(sa, other);
	}
}

/* Up at both ends, and meant to stay. */
static bool is_sure(const struct ike_sa *sa)
{
	return sa->state == IKE_SA_ESTABLISHED && sa->confirmed && sa->delete_us == IKE_NEVER;
}

void ike_child_drop_redundant(struct ike_sa *sa)
{
	struct ike_sa *first = ike_sas_of_user(sa->ike, sa->user), *other = first;

	while (other && (other == sa || !is_sure(other)))
		other = other->user_next;
	sa->delete_us = IKE_NEVER;
	if (other)
		ike_sa_delete(sa, IKE_REASON_REDUNDANT);
	else if (first && first->user_next) /* the other one's probe is not answered yet */
		delete_later(sa);
	else
		ike_sa_schedule(sa);
}
