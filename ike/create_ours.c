/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CREATE_CHILD_SA (RFC 7296 1.3) that we begin: in the place of a CHILD SA or of the IKE SA. (A further
 * one begins in further.c, and its answer comes here.)
 *
 *   ours    request sent -> response -> (data plane) -> settled by rekey.c
 *
 * Our requests offer exactly what is in use, so a peer that has agreed once agrees again.
 */
#include "ike/create.h"
#include "ike/sa.h"
#include "lib/mem.h"

#define MAX_TRIES 3

void ike_create_build_exchange(struct ike_builder *chain, const struct ike_nonce *nonce, const struct kex *kex)
{
	ike_build_payload(chain, IKE_PAYLOAD_NONCE, nonce->data, nonce->len);
	if (kex->group)
		ike_ke_build(chain, kex->group, kex->public, kex->public_len);
}

/* --- requests ----------------------------------------------------------------------------------- */

struct ike_create *ike_create_begin(struct ike_sa *sa, enum ike_create_kind kind, uint16_t group, unsigned tries)
{
	struct crypto_random random = ike_random(sa->ike);
	struct ike_create *create = mem_new(struct ike_create);

	create->kind = kind;
	create->tries = tries;
	ike_create_nonce(sa, &create->ni);
	if (group)
		kex_generate(&create->kex, group, &random);
	sa->ours = create;
	return create;
}

void ike_rekey_child(struct ike_child_sa *old, uint16_t group, unsigned tries)
{
	struct ike_sa *sa = old->sa;
	struct ike_create *create = ike_create_begin(sa, IKE_CREATE_REKEY_CHILD, group, tries);
	struct ike_suite suite = ike_suite_in_use(sa, old, create->kex.group);
	struct ike_scope scope = ike_scope_of(&old->pub.pair);
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	create->old = old->pub.id;
	old->rekey_us = IKE_NEVER; /* unless this fails */
	create->child = ike_child_new(sa, old->pub.user);
	create->child->replaces = old->pub.id;
	create->child->ours = true;
	ike_notify_build_esp(&chain, IKE_NOTIFY_REKEY_SA, old->pub.pair.in.spi);
	if (old->pub.pair.mode == IPSEC_TRANSPORT)
		ike_notify_build(&chain, IKE_NOTIFY_USE_TRANSPORT_MODE, NULL, 0);
	ike_proposal_offer(&chain, IKE_PROTOCOL_ESP, &suite, create->child->pub.pair.in.spi, 4);
	ike_create_build_exchange(&chain, &create->ni, &create->kex);
	ike_build_selectors(&chain, &scope, true);
	ike_send_sealed_request(sa, IKE_EXCHANGE_CREATE_CHILD_SA, &chain);
}

void ike_rekey_sa(struct ike_sa *sa, uint16_t group, unsigned tries)
{
	struct ike_create *create = ike_create_begin(sa, IKE_CREATE_REKEY_IKE, group, tries);
	struct ike_suite suite = ike_suite_in_use(sa, NULL, group);
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	create->spi = ike_fresh_spi(sa->ike);
	ike_proposal_offer(&chain, IKE_PROTOCOL_IKE, &suite, create->spi, 8);
	ike_create_build_exchange(&chain, &create->ni, &create->kex);
	ike_send_sealed_request(sa, IKE_EXCHANGE_CREATE_CHILD_SA, &chain);
}

/* --- their answers --------------------------------------------------------------------------------- */

static bool is_own_group(const struct ike_sa *sa, uint16_t group)
{
	struct ike_suite suite = ike_suite_defaults(&ike_sa_conn(sa)->ike, IKE_PROTOCOL_IKE);

	for (size_t i = 0; i < suite.ke_count; i++) {
		if (suite.ke[i] == group)
			return true;
	}
	return false;
}

/* Never the same again, never without end. */
uint16_t ike_create_other_group(
	const struct ike_sa *sa, const struct ike_create *create, const struct ike_notify *notify)
{
	struct reader r = reader_init(notify->data, notify->len);
	uint16_t group = reader_u16(&r);
	bool good = notify->type == IKE_NOTIFY_INVALID_KE_PAYLOAD && reader_done(&r) &&
		    group != create->kex.group && is_own_group(sa, group) && create->tries < MAX_TRIES;

	return good && !create->followup ? group : 0;
}

static bool try_group(struct ike_sa *sa, const struct ike_create *create, uint16_t group,
	struct ike_child_sa *old)
{
	if (!group)
		return false;
	if (create->kind == IKE_CREATE_REKEY_IKE)
		ike_rekey_sa(sa, group, create->tries + 1);
	else if (old)
		ike_rekey_child(old, group, create->tries + 1);
	return true;
}

static void try_later(struct ike_sa *sa, const struct ike_create *create)
{
	if (create->kind == IKE_CREATE_REKEY_IKE)
		ike_rekey_retry_sa(sa);
	else
		ike_rekey_retry_child(sa->ike, create->old);
}

static void take_refusal(struct ike_sa *sa, const struct ike_create *create, const struct ike_notify *notify)
{
	struct ike_child_sa *old = ike_child_find(sa->ike, create->old);

	if (create->child)
		ike_child_remove(create->child, IKE_REASON_PEER_ERROR);
	if (try_group(sa, create, ike_create_other_group(sa, create, notify), old))
		return;
	/* RFC 9370 2.2.4: the peer waits for less time than this path takes, always. */
	if (notify->type == IKE_NOTIFY_STATE_NOT_FOUND && ++sa->lost_states >= MAX_TRIES) {
		ike_sa_delete(sa, IKE_REASON_PEER_ERROR);
		return;
	}
	/* 2.25: the peer has deleted it; its DELETE is lost or late. */
	if (notify->type == IKE_NOTIFY_CHILD_SA_NOT_FOUND && old) {
		ike_child_remove(old, IKE_REASON_PEER_DELETED);
		return;
	}
	try_later(sa, create);
}

/* Our half of what both have now; false when the response does not fit the request. */
static bool read_response(struct ike_sa *sa, const struct ike_message *inner,
	struct ike_create *create, uint8_t protocol)
{
	const struct ike_payload *offer = ike_message_find(inner, IKE_PAYLOAD_SA);
	const struct ike_payload *payload = ike_message_find(inner, IKE_PAYLOAD_KE);
	const struct ike_child_sa *old = ike_child_find(sa->ike, create->old);
	struct ike_suite suite;
	struct ike_ke ke;

	if (!offer || inner->unsupported || (create->kind == IKE_CREATE_REKEY_CHILD && !old))
		return false;
	suite = create->kind == IKE_CREATE_CHILD ? ike_suite_further(sa, create->kex.group)
						 : ike_suite_in_use(sa, old, create->kex.group);
	if (!ike_take_nonce(inner, &create->nr) ||
		ike_proposal_choose(offer, protocol, &suite, create->kex.group, &create->chosen) !=
			IKE_CHOICE_MADE ||
		create->chosen.ke != create->kex.group || create->chosen.spi == 0)
		return false;
	return create->kex.group == 0 ||
	       (payload && ike_ke_parse(payload, &ke) && ke.group == create->kex.group &&
		       kex_derive(&create->kex, ke.data, ke.len, &create->shared));
}

static bool read_child_response(struct ike_sa *sa, const struct ike_message *inner, struct ike_create *create)
{
	const struct ike_child_sa *old = ike_child_find(sa->ike, create->old);
	struct ike_selectors answer;

	if (!read_response(sa, inner, create, IKE_PROTOCOL_ESP) ||
		!ike_read_selectors(sa, inner, true, &answer))
		return false;
	ike_low_nonce(&create->ni, &create->nr, create->child->low_nonce);
	if (create->kind == IKE_CREATE_CHILD)
		return ike_further_take(sa, create, &answer);
	create->scope = ike_scope_of(&old->pub.pair);
	create->mode = old->pub.pair.mode;
	return ike_still_grants(&answer, &old->pub.pair) &&
	       answer.transport == (old->pub.pair.mode == IPSEC_TRANSPORT);
}

/* What the peer may have made of it already is deleted there. */
static void fail(struct ike_sa *sa, struct ike_create *create)
{
	if (create->child) {
		ike_create_give_back(create->child, create->why ? create->why : IKE_REASON_INVALID_SYNTAX);
	} else { /* an SA that we cannot delete: it is of no use, and both end */
		ike_sa_delete(sa, IKE_REASON_CRYPTO);
	}
}

static void complete(struct ike_sa *sa, struct ike_create *create)
{
	struct ike_sa *fresh;

	sa->lost_states = 0;
	if (create->child) {
		create->why = IKE_REASON_CRYPTO;
		if (!ike_create_install(create, true))
			fail(sa, create);
		return;
	}
	fresh = ike_sa_succeed(sa, create, true);
	if (fresh)
		ike_rekey_settle_sa(sa, fresh);
	else
		fail(sa, create);
}

/* It was ours, and is over. */
static void end_ours(struct ike_sa *sa, struct ike_create *create)
{
	ike_create_free(&create);
	if (sa->state != IKE_SA_DEAD)
		ike_sa_schedule(sa);
}

void ike_create_fail_ours(struct ike_sa *sa, struct ike_create *create, const struct ike_notify *error)
{
	sa->ours = NULL;
	if (error && create->kind == IKE_CREATE_CHILD)
		ike_further_refused(sa, create, error);
	else if (error)
		take_refusal(sa, create, error);
	else
		fail(sa, create);
	end_ours(sa, create);
}

void ike_create_note_gone(struct ike_create *create, uint32_t spi)
{
	size_t i = 0;

	while (i < IKE_CREATE_GONE_MAX && create->gone[i])
		i++;
	if (i < IKE_CREATE_GONE_MAX)
		create->gone[i] = spi;
}

static bool is_gone(const struct ike_create *create)
{
	for (size_t i = 0; i < IKE_CREATE_GONE_MAX; i++) {
		if (create->child && create->gone[i] && create->gone[i] == create->chosen.spi)
			return true;
	}
	return false;
}

void ike_create_complete_ours(struct ike_sa *sa, struct ike_create *create)
{
	static const struct ike_notify later = {.type = IKE_NOTIFY_TEMPORARY_FAILURE};

	/* Its DELETE has overtaken the answer, which was lost on the way: there is nothing to install. */
	if (is_gone(create)) {
		ike_create_fail_ours(sa, create, &later);
		return;
	}
	sa->ours = NULL;
	complete(sa, create);
	end_ours(sa, create);
}

static void follow_up(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_create *create = sa->ours;

	if (ike_followup_loses(sa)) {
		sa->ours = NULL;
		if (create->child)
			ike_child_remove(create->child, IKE_REASON_REDUNDANT);
		try_later(sa, create);
		end_ours(sa, create);
	} else {
		if (ike_followup_crosses(sa))
			ike_create_drop_theirs(sa);
		if (!ike_followup_begin(sa, inner))
			ike_create_fail_ours(sa, create, NULL);
	}
}

void ike_take_create_response(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_create *create = sa->ours;
	struct ike_notify error;

	ike_request_answered(sa);
	if (!create)
		return;
	if (ike_notify_find_error(inner, &error))
		ike_create_fail_ours(sa, create, &error);
	else if (create->kind == IKE_CREATE_REKEY_IKE ? !read_response(sa, inner, create, IKE_PROTOCOL_IKE)
						       : !read_child_response(sa, inner, create))
		ike_create_fail_ours(sa, create, NULL);
	else if (ike_followup_is_due(create))
		follow_up(sa, inner);
	else
		ike_create_complete_ours(sa, create);
}
