/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CREATE_CHILD_SA (RFC 7296 1.3) that the peer begins, and what both ends' exchanges share: a CHILD SA
 * or an IKE SA that takes another's place, and a further CHILD SA.
 *
 *   theirs  request -> (data plane) -> response -> settled by rekey.c
 *
 * An exchange that meets another one in its way is refused with TEMPORARY_FAILURE (2.25); two that
 * replace the same thing both go on, and rekey.c decides which result stays.
 */
#include "ike/anonymous.h"
#include "ike/create.h"
#include "ike/sa.h"
#include "ike/wish.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/*
 * Of one IKE SA, and of all that an anonymous host has: a peer has one for each line that covers it,
 * and once more as many while they are being replaced.
 */
#define MAX_CHILDREN 32
#define MAX_REPLACING (2 * MAX_CHILDREN)
/* Nobody replaces an IKE SA that is younger. */
#define MIN_AGE_US 1000000u

/* --- the exchange object ----------------------------------------------------------------- */

void ike_create_free(struct ike_create **link)
{
	struct ike_create *create = *link;

	if (!create)
		return;
	*link = NULL;
	kex_clear(&create->kex);
	ike_followup_free(create->followup);
	secret_wipe(create, sizeof(*create));
	free(create);
}

void ike_creates_free(struct ike_sa *sa)
{
	/* What was to be replaced belongs to a successor by now, and is to be replaced there. */
	if (sa->ours)
		ike_rekey_retry_child(sa->ike, sa->ours->old);
	ike_create_free(&sa->ours);
	ike_create_free(&sa->theirs);
}

void ike_create_nonce(struct ike_sa *sa, struct ike_nonce *nonce)
{
	nonce->len = IKE_NONCE_LEN;
	sa->ike->ops.random(sa->ike->arg, nonce->data, nonce->len);
}

/* --- their requests ------------------------------------------------------------------------------ */

static void refuse(struct ike_sa *sa, uint32_t id, uint16_t type, const void *data, size_t len)
{
	uint8_t buffer[64];
	struct ike_builder chain = ike_build_chain(buffer, sizeof(buffer));

	ike_notify_build(&chain, type, data, len);
	ike_send_sealed_response(sa, IKE_EXCHANGE_CREATE_CHILD_SA, id, &chain);
}

/* The request of theirs that waits for its answer, of either exchange; it is over. */
static void refuse_theirs(struct ike_sa *sa, uint16_t type)
{
	const struct ike_create *create = sa->theirs;
	uint8_t exchange = create->followup ? IKE_EXCHANGE_IKE_FOLLOWUP_KE : IKE_EXCHANGE_CREATE_CHILD_SA;
	uint8_t buffer[64];
	struct ike_builder chain = ike_build_chain(buffer, sizeof(buffer));

	ike_notify_build(&chain, type, NULL, 0);
	ike_send_sealed_response(sa, exchange, create->message_id, &chain);
	ike_create_drop_theirs(sa);
}

static void refuse_group(struct ike_sa *sa, uint32_t id, uint16_t group)
{
	uint8_t data[2] = {(uint8_t)(group >> 8), (uint8_t)group};

	refuse(sa, id, IKE_NOTIFY_INVALID_KE_PAYLOAD, data, sizeof(data));
}

/*
 * Reads what every kind has: the offer, the nonce and a key exchange if the
 * offer wants one. False: it has been refused.
 */
static bool read_request(struct ike_sa *sa, const struct ike_message *inner, uint8_t protocol,
	struct ike_create *create, struct ike_ke *ke)
{
	const struct ike_payload *offer = ike_message_find(inner, IKE_PAYLOAD_SA);
	const struct ike_payload *payload = ike_message_find(inner, IKE_PAYLOAD_KE);
	struct ike_suite suite = ike_suite_accepted(sa, protocol);
	uint32_t id = inner->header.id;

	*ke = (struct ike_ke){0};
	if (!ike_take_nonce(inner, &create->ni) || (payload && !ike_ke_parse(payload, ke))) {
		refuse(sa, id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
		return false;
	}
	switch (ike_proposal_choose(offer, protocol, &suite, ke->group, &create->chosen)) {
	case IKE_CHOICE_MADE:
		break;
	case IKE_CHOICE_NONE:
		refuse(sa, id, IKE_NOTIFY_NO_PROPOSAL_CHOSEN, NULL, 0);
		return false;
	case IKE_CHOICE_MALFORMED:
		refuse(sa, id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
		return false;
	}
	if (create->chosen.ke && ke->group != create->chosen.ke) {
		refuse_group(sa, id, create->chosen.ke);
		return false;
	}
	return true;
}

/* Our half. It is dear: when nothing else speaks against the request. False: it has been refused. */
static bool answer_exchange(struct ike_sa *sa, struct ike_create *create, const struct ike_ke *ke)
{
	struct crypto_random random = ike_random(sa->ike);
	bool good;

	ike_create_nonce(sa, &create->nr);
	good = !create->chosen.ke || (kex_answer(&create->kex, ke->group, ke->data, ke->len, &random) &&
					     kex_derive(&create->kex, ke->data, ke->len, &create->shared));
	if (!good)
		refuse(sa, create->message_id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
	return good;
}

static void answer_rekey_sa(struct ike_sa *sa, struct ike_create *create)
{
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	ike_proposal_answer(&chain, &create->chosen, create->spi, 8);
	ike_create_build_exchange(&chain, &create->nr, &create->kex);
	if (ike_followup_is_due(create))
		ike_followup_expect(sa, create, &chain);
	ike_send_sealed_response(sa, IKE_EXCHANGE_CREATE_CHILD_SA, create->message_id, &chain);
}

/* 2.25.2: not while something else of this SA is under way. */
static bool is_busy(const struct ike_sa *sa)
{
	const struct ike_child_sa *child;

	if (sa->ours && sa->ours->kind != IKE_CREATE_REKEY_IKE)
		return true;
	for (child = sa->children; child; child = child->next) {
		if (child->deleting || child->state == IKE_CHILD_INSTALLING)
			return true;
	}
	return false;
}

/* One successor of each end's making, and not too soon: what is replaced costs memory until it is gone. */
static bool may_replace(const struct ike_sa *sa)
{
	const struct ike_sa *successor = ike_sa_successor(sa);

	return sa->ike->now_us - sa->established_us >= MIN_AGE_US &&
	       !(sa->successor && (!successor || !successor->rekeyed_by_us));
}

/* The new IKE SA is there before its answer leaves, and takes over behind it. */
static void finish_theirs_sa(struct ike_sa *sa)
{
	struct ike_create *create = sa->theirs;
	struct ike_sa *fresh = ike_sa_succeed(sa, create, false);

	if (!fresh) {
		refuse_theirs(sa, IKE_NOTIFY_INVALID_SYNTAX);
		return;
	}
	if (create->followup)
		ike_followup_answer(sa);
	else
		answer_rekey_sa(sa, create);
	ike_create_free(&sa->theirs);
	ike_rekey_settle_sa(sa, fresh);
}

static void begin_theirs_sa(struct ike_sa *sa, struct ike_create *create)
{
	create->spi = ike_fresh_spi(sa->ike);
	sa->theirs = mem_dup(create, sizeof(*create));
	create->kex = (struct kex){0}; /* it has moved */
	if (ike_followup_is_due(sa->theirs))
		answer_rekey_sa(sa, sa->theirs);
	else
		finish_theirs_sa(sa);
}

static void take_rekey_sa(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_create create = {.kind = IKE_CREATE_REKEY_IKE, .message_id = inner->header.id};
	struct ike_ke ke;

	if (is_busy(sa) || !may_replace(sa) || ike_followup_is_for(sa, IKE_CREATE_REKEY_IKE, 0)) {
		refuse(sa, inner->header.id, IKE_NOTIFY_TEMPORARY_FAILURE, NULL, 0);
		return;
	}
	if (read_request(sa, inner, IKE_PROTOCOL_IKE, &create, &ke)) {
		if (!create.chosen.spi)
			refuse(sa, inner->header.id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
		else if (answer_exchange(sa, &create, &ke))
			begin_theirs_sa(sa, &create);
	}
	kex_clear(&create.kex);
	secret_wipe(&create, sizeof(create));
}

/* What a request for a CHILD SA asks for. */
struct child_request {
	struct ike_child_sa *old; /* NULL: a further one */
	struct ike_selectors selectors;
};

/* What we grant: the scope of the one before it, or what policy says. False: it has been refused. */
static bool grant(struct ike_sa *sa, const struct child_request *request, struct ike_create *create,
	uint64_t *user)
{
	const struct sa_pair *pair = request->old ? &request->old->pub.pair : NULL;
	uint16_t refusal;

	if (!pair) {
		refusal = ike_grant(sa, &request->selectors, &create->scope, user);
	} else {
		create->scope = ike_scope_of(pair);
		*user = request->old->pub.user;
		refusal = ike_still_asks(&request->selectors, pair) ? 0 : IKE_NOTIFY_TS_UNACCEPTABLE;
	}
	if (refusal)
		refuse(sa, create->message_id, refusal, NULL, 0);
	return !refusal;
}

static void answer_child(struct ike_sa *sa, struct ike_create *create)
{
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	if (create->mode == IPSEC_TRANSPORT)
		ike_notify_build(&chain, IKE_NOTIFY_USE_TRANSPORT_MODE, NULL, 0);
	ike_proposal_answer(&chain, &create->chosen, create->child->pub.pair.in.spi, 4);
	ike_create_build_exchange(&chain, &create->nr, &create->kex);
	ike_build_selectors(&chain, &create->scope, false);
	if (ike_followup_is_due(create))
		ike_followup_expect(sa, create, &chain);
	ike_send_sealed_response(sa, IKE_EXCHANGE_CREATE_CHILD_SA, create->message_id, &chain);
}

/* Keys of all key exchanges, then the data plane. */
bool ike_create_install(const struct ike_create *create, bool ours)
{
	struct ike_child_seed seed = {.ni = &create->ni,
		.nr = &create->nr,
		.shared = create->chosen.ke ? &create->shared : NULL,
		.more = ike_followup_secrets(create),
		.initiator = ours};

	return ike_child_install(create->child, &create->scope, create->mode, &create->chosen, &seed);
}

void ike_create_complete_theirs(struct ike_sa *sa)
{
	if (sa->theirs->kind == IKE_CREATE_REKEY_IKE)
		finish_theirs_sa(sa);
	else if (!ike_create_install(sa->theirs, false))
		refuse_theirs(sa, IKE_NOTIFY_INVALID_SYNTAX);
}

void ike_create_forget_child(const struct ike_child_sa *child)
{
	struct ike_sa *sa = child->sa;

	if (sa->theirs && sa->theirs->child == child)
		ike_create_free(&sa->theirs);
}

void ike_create_drop_theirs(struct ike_sa *sa)
{
	struct ike_child_sa *child = sa->theirs ? sa->theirs->child : NULL;

	ike_create_free(&sa->theirs);
	if (child)
		ike_child_remove(child, IKE_REASON_CRYPTO);
}

static void begin_theirs(
	struct ike_sa *sa, const struct child_request *request, struct ike_create *create, uint64_t user)
{
	bool asked = request->selectors.transport;
	bool transport = request->old ? asked && request->old->pub.pair.mode == IPSEC_TRANSPORT
				      : ike_in_transport(sa, asked);

	create->kind = request->old ? IKE_CREATE_REKEY_CHILD : IKE_CREATE_CHILD;
	create->mode = transport ? IPSEC_TRANSPORT : IPSEC_TUNNEL;
	create->child = ike_child_new(sa, user);
	create->child->replaces = request->old ? request->old->pub.id : 0;
	create->child->further = !request->old;
	ike_low_nonce(&create->ni, &create->nr, create->child->low_nonce);
	sa->theirs = mem_dup(create, sizeof(*create));
	create->kex = (struct kex){0}; /* it has moved */
	if (ike_followup_is_due(sa->theirs))
		answer_child(sa, sa->theirs);
	else
		ike_create_complete_theirs(sa);
}

static bool has_room(const struct ike_sa *sa, size_t most)
{
	const struct ike_child_sa *child;
	size_t count = ike_wishes_count(sa);

	for (child = sa->children; child; child = child->next)
		count++;
	return count < most && ike_anonymous_children(sa) < most;
}

bool ike_sa_is_full(const struct ike_sa *sa)
{
	return !has_room(sa, MAX_CHILDREN);
}

/*
 * 2.25.1. One successor of each end's making; and one after the other, with nothing deleted, they are
 * bounded too: a peer deletes in its own time.
 */
static bool may_replace_child(const struct ike_sa *sa, const struct ike_child_sa *old)
{
	return !old->deleting && old->state != IKE_CHILD_INSTALLING &&
	       !ike_followup_is_for(sa, IKE_CREATE_REKEY_CHILD, old->pub.id) &&
	       !ike_rekey_has_successor(old, false) && has_room(sa, MAX_REPLACING);
}

/* False: it has been refused. */
static bool read_child_request(
	struct ike_sa *sa, const struct ike_message *inner, struct child_request *out)
{
	struct ike_notify notify;

	out->old = NULL;
	if (!ike_read_selectors(sa, inner, false, &out->selectors)) {
		refuse(sa, inner->header.id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
		return false;
	}
	if (!ike_notify_find(inner, IKE_NOTIFY_REKEY_SA, &notify)) {
		/* What replaces another is not one more. */
		bool full = ike_sa_is_full(sa);

		if (full)
			refuse(sa, inner->header.id, IKE_NOTIFY_NO_ADDITIONAL_SAS, NULL, 0);
		return !full;
	}
	if (notify.protocol == IKE_PROTOCOL_ESP && notify.spi_len == 4) {
		struct reader r = reader_init(notify.spi, notify.spi_len);
		uint32_t spi = reader_u32(&r);

		out->old = ike_child_of_peer_spi(sa, spi);
		if (!out->old) /* it goes there, when the peer is told */
			ike_route_note_gone(sa, spi);
	}
	if (!out->old || out->old->state == IKE_CHILD_ENDED)
		refuse(sa, inner->header.id, IKE_NOTIFY_CHILD_SA_NOT_FOUND, NULL, 0);
	else if (!may_replace_child(sa, out->old))
		refuse(sa, inner->header.id, IKE_NOTIFY_TEMPORARY_FAILURE, NULL, 0);
	else
		return true;
	return false;
}

static void take_child(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_create create = {.message_id = inner->header.id};
	struct child_request request;
	struct ike_ke ke;
	uint64_t user;

	/* 2.25.1: what is replaced as a whole gets nothing new. */
	if (sa->is_replaced || (sa->ours && sa->ours->kind == IKE_CREATE_REKEY_IKE)) {
		refuse(sa, inner->header.id, IKE_NOTIFY_TEMPORARY_FAILURE, NULL, 0);
		return;
	}
	if (read_child_request(sa, inner, &request) &&
		read_request(sa, inner, IKE_PROTOCOL_ESP, &create, &ke) &&
		grant(sa, &request, &create, &user) && answer_exchange(sa, &create, &ke))
		begin_theirs(sa, &request, &create, user);
	kex_clear(&create.kex);
	secret_wipe(&create, sizeof(create));
}

void ike_take_create_request(struct ike_sa *sa, const struct ike_message *inner)
{
	const struct ike_payload *offer = ike_message_find(inner, IKE_PAYLOAD_SA);
	uint8_t protocol = ike_proposal_protocol(offer);

	/* The data plane has it: this is the request once more. */
	if (sa->theirs && ike_followup_give_up(sa) == IKE_NEVER)
		return;
	/* One exchange at a time: who begins anew has given up what was to follow (RFC 9370 2.2.4). */
	ike_create_drop_theirs(sa);
	if (inner->unsupported)
		refuse(sa, inner->header.id, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD,
			&inner->unsupported, 1);
	else if (sa->state != IKE_SA_ESTABLISHED)
		refuse(sa, inner->header.id, IKE_NOTIFY_TEMPORARY_FAILURE, NULL, 0);
	else if (protocol == IKE_PROTOCOL_IKE)
		take_rekey_sa(sa, inner);
	else if (protocol == IKE_PROTOCOL_ESP)
		take_child(sa, inner);
	else
		refuse(sa, inner->header.id,
			offer ? IKE_NOTIFY_NO_PROPOSAL_CHOSEN : IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
}

/* --- the data plane's word --------------------------------------------------------------------------- */

/* The peer has it: it is told; and the one before it has another chance. */
void ike_create_give_back(struct ike_child_sa *child, enum ike_reason reason)
{
	child->delete_us = child->sa->ike->now_us;
	if (child->further)
		ike_further_fail(child, reason);
	else
		ike_rekey_retry_child(child->sa->ike, child->replaces);
}

void ike_create_installed(struct ike_sa *sa, struct ike_child_sa *child, bool good)
{
	bool theirs = sa->theirs && sa->theirs->child == child;

	if (!good && theirs) {
		refuse_theirs(sa, IKE_NOTIFY_TEMPORARY_FAILURE);
	} else if (!good) {
		ike_create_give_back(child, IKE_REASON_INSTALL);
	} else {
		if (theirs) {
			if (sa->theirs->followup)
				ike_followup_answer(sa);
			else
				answer_child(sa, sa->theirs);
			ike_create_free(&sa->theirs);
		}
		ike_child_set_up(child);
		ike_rekey_settle_child(child);
		if (child->further)
			ike_further_settle(child);
	}
	ike_sa_schedule(sa);
}
