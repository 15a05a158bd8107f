/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pair stays when two negotiations for one flow have crossed (research/ikev2.md 1b). */
#include "ike/create.h"
#include "ike/wish.h"

#include <string.h>

/* Who is asked has answered by then. */
#define LOOK_US 1000000u

/*
 * 2 to 5 s: long enough that what travels on the loser's SAs arrives. A peer that
 * began the loser has had that time, and the network's, before we do it in its
 * place: strongSwan keeps both.
 */
static uint64_t redundant_delay_us(const struct ike_sa *loser)
{
	uint64_t least_us = loser->role == IKE_INITIATOR ? 2000000 : 7000000;
	uint16_t jitter;

	loser->ike->ops.random(loser->ike->arg, &jitter, sizeof(jitter));
	return least_us + jitter * UINT64_C(3000000) / UINT16_MAX;
}

static void delete_later(struct ike_sa *sa)
{
	if (sa->delete_us != IKE_NEVER)
		return;
	sa->delete_us = sa->ike->now_us + redundant_delay_us(sa);
	sa->delete_reason = IKE_REASON_REDUNDANT;
	ike_wishes_abandon(sa);
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
 * A probe makes sure of the winner: a peer that began it may have missed our IKE_AUTH
 * response, and one that did not may have given it up meanwhile. Of others, the older
 * one is asked: the peer may have lost its state (N7).
 */
static void settle_pair(struct ike_sa *fresh, struct ike_sa *other)
{
	struct ike_sa *loser =
		memcmp(fresh->low_nonce, other->low_nonce, sizeof(fresh->low_nonce)) < 0 ? fresh
											 : other;

	if (!have_crossed(fresh, other)) {
		ike_send_probe(other);
		return;
	}
	delete_later(loser);
	ike_send_probe(loser == fresh ? other : fresh);
}

void ike_settle_crossing(struct ike_child_sa *child)
{
	struct ike_child_sa *other = ike_children_of_user(child->sa->ike, child->pub.user), *next;

	for (; other; other = next) {
		next = other->user_next;
		if (other->sa == child->sa || other->sa->state != IKE_SA_ESTABLISHED ||
			!ike_child_same(other, child))
			continue;
		if (ike_further_yields(other, child))
			ike_send_probe(other->sa); /* N7, as of others */
		else
			settle_pair(child->sa, other->sa);
	}
}

/*
 * Up at both ends, and meant to stay: the peer has just answered. (What it asks may have waited here,
 * where we stood still, since before it gave us up.)
 */
static bool is_sure(const struct ike_sa *sa)
{
	return sa->state == IKE_SA_ESTABLISHED && sa->confirmed && sa->delete_us == IKE_NEVER && !sa->doubted;
}

/* Whether another SA carries what a CHILD SA does; `sure`: without doubt. */
static bool is_carried(const struct ike_child_sa *child, bool sure)
{
	const struct ike_child_sa *other = ike_children_of_user(child->sa->ike, child->pub.user);

	for (; other; other = other->user_next) {
		if (other->sa != child->sa && ike_child_same(other, child) &&
			other->state != IKE_CHILD_REPLACED && (!sure || is_sure(other->sa)))
			return true;
	}
	return false;
}

/* Not before those that carry the same have said that they are there. */
static void look_again(struct ike_sa *sa)
{
	const struct ike_child_sa *child, *other;

	for (child = sa->children; child; child = child->next) {
		other = ike_children_of_user(sa->ike, child->pub.user);
		for (; other; other = other->user_next) {
			if (other->sa == sa || !ike_child_same(other, child))
				continue;
			other->sa->doubted = true;
			ike_send_probe(other->sa);
		}
	}
	sa->asked = true;
	sa->delete_us = sa->ike->now_us + LOOK_US;
	sa->delete_reason = IKE_REASON_REDUNDANT;
	ike_sa_schedule(sa);
}

/* It stays for another flow: of what both SAs have, its own goes. */
static void drop_carried(struct ike_sa *sa)
{
	struct ike_child_sa *child;
	bool later = false;

	for (child = sa->children; child; child = child->next) {
		if (child->state != IKE_CHILD_UP || !is_carried(child, false))
			continue;
		if (is_carried(child, true))
			ike_rekey_retire(child, true);
		else
			later = true;
	}
	if (later)
		look_again(sa);
	ike_sa_schedule(sa);
}

void ike_drop_redundant(struct ike_sa *sa)
{
	const struct ike_child_sa *child;
	bool sure = true, alone = ike_wishes_of(sa);

	for (child = sa->children; child; child = child->next) {
		sure = sure && is_carried(child, true);
		alone = alone || !is_carried(child, false);
	}
	sa->delete_us = IKE_NEVER;
	if (!sa->asked)
		look_again(sa);
	else if (alone)
		drop_carried(sa);
	else if (sure)
		ike_sa_delete(sa, IKE_REASON_REDUNDANT);
	else
		look_again(sa);
}
