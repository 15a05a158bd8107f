/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A further CHILD SA (RFC 7296 1.3.1): what we ask for on an IKE SA that stands for another
 * flow already (wish.c), and which of several for one flow stays.
 *
 * It is asked for as in IKE_AUTH, but with a key exchange of its own where pfs= says so.
 * Both ends may do so at once: the one with the lowest nonce goes, as after a rekey
 * (2.8.1). One that an IKE SA of its own was begun for, because its answer was late, goes
 * for that. Who began it deletes it. What stood for long before the peer began another is
 * what the peer has lost.
 */
#include "ike/create.h"
#include "ike/wish.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* 2.25: a peer that replaces the IKE SA has done so by then, and we are told where it goes on. */
#define RETRY_US 200000u
#define RETRIES_MAX 2

void ike_further_begin(struct ike_sa *sa, struct ike_wish *wish, uint16_t group, unsigned tries)
{
	struct ike_create *create = ike_create_begin(sa, IKE_CREATE_CHILD, group, tries);
	struct ike_suite suite = ike_suite_further(sa, create->kex.group);
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	create->scope = (struct ike_scope){.selector = wish->selector};
	create->child = ike_child_new(sa, wish->user);
	create->child->wish = wish;
	create->child->further = create->child->ours = true;
	if (ike_in_transport(sa, true))
		ike_notify_build(&chain, IKE_NOTIFY_USE_TRANSPORT_MODE, NULL, 0);
	ike_proposal_offer(&chain, IKE_PROTOCOL_ESP, &suite, create->child->pub.pair.in.spi, 4);
	ike_create_build_exchange(&chain, &create->ni, &create->kex);
	ike_build_selectors(&chain, &create->scope, true);
	ike_send_sealed_request(sa, IKE_EXCHANGE_CREATE_CHILD_SA, &chain);
}

bool ike_further_take(const struct ike_sa *sa, struct ike_create *create, const struct ike_selectors *answer)
{
	struct ike_scope granted;

	if (!ike_is_granted(answer, &create->scope.selector, &granted)) {
		create->why = IKE_REASON_TS_UNACCEPTABLE;
		return false;
	}
	create->scope = granted;
	create->mode = ike_in_transport(sa, answer->transport) ? IPSEC_TRANSPORT : IPSEC_TUNNEL;
	return true;
}

void ike_further_fail(struct ike_child_sa *child, enum ike_reason reason)
{
	struct ike_wish *wish = child->wish;

	if (!wish)
		return;
	child->wish = NULL;
	ike_tell_wish_failed(child->sa, wish, reason);
	free(wish);
}

/* --- refusals ----------------------------------------------------------------------------------- */

/* Another key exchange is what a new IKE SA has; whether it is that, the peer does not say. */
static bool may_be_for_group(const struct ike_create *create, const struct ike_notify *error)
{
	return error->type == IKE_NOTIFY_NO_PROPOSAL_CHOSEN && create->kex.group;
}

static bool is_final(const struct ike_create *create, const struct ike_notify *error)
{
	return error->type == IKE_NOTIFY_TS_UNACCEPTABLE ||
	       error->type == IKE_NOTIFY_SINGLE_PAIR_REQUIRED ||
	       (error->type == IKE_NOTIFY_NO_PROPOSAL_CHOSEN && !may_be_for_group(create, error));
}

static void try_later(struct ike_sa *sa, struct ike_wish *wish)
{
	uint8_t dice;

	sa->ike->ops.random(sa->ike->arg, &dice, sizeof(dice));
	ike_wish_queue(sa, wish, true);
	wish->not_before_us = sa->ike->now_us + RETRY_US + dice * (RETRY_US / 256);
	ike_sa_schedule(sa);
}

void ike_further_refused(struct ike_sa *sa, struct ike_create *create, const struct ike_notify *error)
{
	struct ike_child_sa *child = create->child;
	struct ike_wish *wish = child->wish;
	uint16_t group = ike_create_other_group(sa, create, error);

	child->wish = NULL;
	ike_child_remove(child, IKE_REASON_PEER_ERROR);
	if (!wish) /* it has gone elsewhere */
		return;
	if (group) {
		ike_further_begin(sa, wish, group, create->tries + 1);
	} else if (is_final(create, error)) {
		ike_tell_wish_failed(sa, wish, ike_reason_of(error->type));
		free(wish);
	} else if (error->type == IKE_NOTIFY_TEMPORARY_FAILURE && ++wish->refusals < RETRIES_MAX) {
		try_later(sa, wish);
	} else {
		/* Some peers have one CHILD SA for an IKE SA, and say so in many words. */
		sa->single |= error->type != IKE_NOTIFY_TEMPORARY_FAILURE;
		ike_wish_queue(sa, wish, true);
		ike_wishes_abandon(sa);
	}
}

/* --- which stays ------------------------------------------------------------------------------------ */

static bool stands(const struct ike_child_sa *child)
{
	return (child->state == IKE_CHILD_UP || child->state == IKE_CHILD_REPLACED) && !child->deleting;
}

static bool is_rival(const struct ike_child_sa *a, const struct ike_child_sa *b)
{
	return a != b && stands(b) && b->sa->state == IKE_SA_ESTABLISHED && ike_child_same(a, b);
}

static void retire(struct ike_child_sa *child)
{
	if (child->state == IKE_CHILD_UP)
		ike_rekey_retire(child, child->ours);
	ike_sa_schedule(child->sa);
}

bool ike_further_yields(struct ike_child_sa *further, const struct ike_child_sa *fresh)
{
	if (!further->further || !is_rival(fresh, further))
		return false;
	retire(further);
	return true;
}

/* It was there before anybody thought of the fresh one, which the peer has begun: so the peer has lost it. */
static bool is_lost(const struct ike_child_sa *other, const struct ike_child_sa *fresh)
{
	return !fresh->ours && fresh->up_us - other->up_us >= IKE_CROSSING_US;
}

/*
 * What the peer asks for twice has crossed nothing: it may have given up the first IKE SA. Or the second,
 * for what it asked there may have been long on its way.
 */
static bool is_in_doubt(const struct ike_child_sa *other, const struct ike_child_sa *fresh)
{
	return is_lost(other, fresh) || (!fresh->ours && other->pub.role == IKE_RESPONDER);
}

/* N7 */
static void ask_both(struct ike_sa *a, struct ike_sa *b)
{
	ike_send_probe(a);
	ike_send_probe(b);
}

static void settle(struct ike_child_sa *fresh, struct ike_child_sa *other)
{
	bool shared = other->sa == fresh->sa;

	if (shared && is_lost(other, fresh))
		ike_rekey_retire(other, true);
	else if (!shared && is_in_doubt(other, fresh))
		ask_both(fresh->sa, other->sa);
	else if (!other->further && !shared)
		retire(fresh);
	else if (other->further && (fresh->ours || other->ours))
		retire(memcmp(fresh->low_nonce, other->low_nonce, sizeof(fresh->low_nonce)) < 0 ? fresh : other);
}

void ike_further_settle(struct ike_child_sa *fresh)
{
	struct ike_child_sa *other = ike_children_of_user(fresh->sa->ike, fresh->pub.user);

	for (; other; other = other->user_next) {
		if (is_rival(fresh, other))
			settle(fresh, other);
	}
}
