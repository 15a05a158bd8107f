/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CREATE_CHILD_SA (RFC 7296 1.3): a CHILD SA or an IKE SA that takes another's
 * place, begun by either end, and a further CHILD SA when the peer asks.
 *
 *   ours    request sent -> response -> (data plane) -> settled by rekey.c
 *   theirs  request -> (data plane) -> response -> settled by rekey.c
 *
 * Our requests offer exactly what is in use, so a peer that has agreed once
 * agrees again. An exchange that meets another one in its way is refused with
 * TEMPORARY_FAILURE (2.25); two that replace the same thing both go on, and
 * rekey.c decides which result stays.
 */
#include "ike/sa.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TRIES 3
/* Of one IKE SA: a peer has one for each line that covers it, and some that are being replaced. */
#define MAX_CHILDREN 32
/* Nobody replaces an IKE SA that is younger. */
#define MIN_AGE_US 1000000u

/* --- the exchange object ----------------------------------------------------------------- */

static void create_free(struct ike_create **link)
{
	struct ike_create *create = *link;

	if (!create)
		return;
	*link = NULL;
	kex_clear(&create->kex);
	secret_wipe(create, sizeof(*create));
	free(create);
}

void ike_creates_free(struct ike_sa *sa)
{
	struct ike_child_sa *old = sa->ours ? ike_child_find(sa->ike, sa->ours->old) : NULL;

	/* What was to be replaced belongs to a successor by now, and is to be replaced there. */
	if (old && old->state == IKE_CHILD_UP)
		ike_rekey_retry(old->sa, old);
	create_free(&sa->ours);
	create_free(&sa->theirs);
}

static void fresh_nonce(struct ike_sa *sa, struct ike_nonce *nonce)
{
	nonce->len = IKE_NONCE_LEN;
	sa->ike->ops.random(sa->ike->arg, nonce->data, nonce->len);
}

/* What is in use, and nothing else, but for the group of the new key exchange (0: none). */
static struct ike_suite suite_in_use(const struct ike_chosen *chosen, uint16_t group)
{
	struct ike_chosen in_use = *chosen;
	struct ike_suite suite;

	in_use.ke = group;
	suite = ike_suite_chosen(&in_use);
	return ike_suite_without_addke(&suite);
}

/* What we accept from the peer; the PRF stays as it is (research/ikev2.md 0.9). */
static struct ike_suite suite_accepted(const struct ike_sa *sa, uint8_t protocol)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	struct ike_suite ike = ike_suite_defaults(&conn->ike, IKE_PROTOCOL_IKE);
	struct ike_suite esp = ike_suite_defaults(&conn->esp, IKE_PROTOCOL_ESP);

	ike = ike_suite_without_addke(&ike);
	ike.prf[0] = sa->chosen.prf;
	ike.prf_count = 1;
	memcpy(esp.ke, ike.ke, sizeof(esp.ke));
	esp.ke_count = ike.ke_count;
	return protocol == IKE_PROTOCOL_IKE ? ike : esp;
}

static void build_nonce_and_ke(
	struct ike_builder *chain, const struct ike_nonce *nonce, const struct kex *kex)
{
	ike_build_payload(chain, IKE_PAYLOAD_NONCE, nonce->data, nonce->len);
	if (kex->group)
		ike_ke_build(chain, kex->group, kex->public, kex->public_len);
}

/* --- our requests --------------------------------------------------------------------------- */

static struct ike_create *begin(struct ike_sa *sa, enum ike_create_kind kind, uint16_t group, unsigned tries)
{
	struct crypto_random random = ike_random(sa->ike);
	struct ike_create *create = mem_new(struct ike_create);

	create->kind = kind;
	create->tries = tries;
	fresh_nonce(sa, &create->ni);
	if (group)
		kex_generate(&create->kex, group, &random);
	sa->ours = create;
	return create;
}

void ike_rekey_child(struct ike_child_sa *old, uint16_t group, unsigned tries)
{
	struct ike_sa *sa = old->sa;
	struct ike_create *create = begin(sa, IKE_CREATE_REKEY_CHILD, group, tries);
	struct ike_suite suite = suite_in_use(&old->esp, create->kex.group);
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
	build_nonce_and_ke(&chain, &create->ni, &create->kex);
	ike_build_selectors(&chain, &scope, true);
	ike_send_sealed_request(sa, IKE_EXCHANGE_CREATE_CHILD_SA, &chain);
}

void ike_rekey_sa(struct ike_sa *sa, uint16_t group, unsigned tries)
{
	struct ike_create *create = begin(sa, IKE_CREATE_REKEY_IKE, group, tries);
	struct ike_suite suite = suite_in_use(&sa->chosen, group);
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	create->spi = ike_fresh_spi(sa->ike);
	ike_proposal_offer(&chain, IKE_PROTOCOL_IKE, &suite, create->spi, 8);
	build_nonce_and_ke(&chain, &create->ni, &create->kex);
	ike_send_sealed_request(sa, IKE_EXCHANGE_CREATE_CHILD_SA, &chain);
}

/* --- a new IKE SA of the same peer (2.18) ------------------------------------------------------ */

static struct ike_sa *successor(struct ike_sa *old, const struct ike_create *create, bool ours,
	const struct secret *shared)
{
	struct ike_sa *sa = ike_sa_new(
		old->ike, ours ? IKE_INITIATOR : IKE_RESPONDER, &old->path, old->conn);
	struct ike_keys keys = {0};

	ike_sa_forget_handshake(sa);
	sa->local_auth = old->local_auth;
	sa->remote_auth = old->remote_auth;
	sa->user = old->user;
	sa->selector = old->selector;
	ike_kept_set(&sa->peer_id, old->peer_id.data, old->peer_id.len);
	sa->fragments = old->fragments;
	sa->has_ppk = old->has_ppk;
	sa->nat = old->nat;
	sa->rtt_us = old->rtt_us;
	sa->created_us = old->created_us;
	memcpy(sa->low_nonce, old->low_nonce, sizeof(sa->low_nonce));
	sa->reported = sa->confirmed = true;
	sa->chosen = create->chosen;
	if (ours)
		ike_sa_set_own_spi(sa, create->spi);
	sa->spi_i = ours ? create->spi : create->chosen.spi;
	sa->spi_r = ours ? create->chosen.spi : sa->own_spi;
	sa->rekeyed_by_us = ours;
	ike_low_nonce(&create->ni, &create->nr, sa->rekey_nonce);
	if (ike_keys_rekey(&keys, old->keys, &create->chosen, shared, &create->ni, &create->nr,
		    sa->spi_i, sa->spi_r))
		ike_sa_take_keys(sa, &keys);
	ike_keys_clear(&keys);
	ike_sa_set_state(sa, sa->keys ? IKE_SA_ESTABLISHED : IKE_SA_DEAD);
	return sa->keys ? sa : NULL;
}

/* --- their requests ------------------------------------------------------------------------------ */

static void refuse(struct ike_sa *sa, uint32_t id, uint16_t type, const void *data, size_t len)
{
	uint8_t buffer[64];
	struct ike_builder chain = ike_build_chain(buffer, sizeof(buffer));

	ike_notify_build(&chain, type, data, len);
	ike_send_sealed_response(sa, IKE_EXCHANGE_CREATE_CHILD_SA, id, &chain);
}

static void refuse_group(struct ike_sa *sa, uint32_t id, uint16_t group)
{
	uint8_t data[2] = {(uint8_t)(group >> 8), (uint8_t)group};

	refuse(sa, id, IKE_NOTIFY_INVALID_KE_PAYLOAD, data, sizeof(data));
}

/*
 * Reads what every kind has: the offer, the nonce and a key exchange if the
 * offer wants one. Makes our half. False: it has been refused.
 */
static bool read_request(struct ike_sa *sa, const struct ike_message *inner, uint8_t protocol,
	struct ike_create *create, struct secret *shared)
{
	const struct ike_payload *offer = ike_message_find(inner, IKE_PAYLOAD_SA);
	const struct ike_payload *payload = ike_message_find(inner, IKE_PAYLOAD_KE);
	struct ike_suite suite = suite_accepted(sa, protocol);
	struct crypto_random random = ike_random(sa->ike);
	uint32_t id = inner->header.id;
	struct ike_ke ke = {0};

	if (!ike_take_nonce(inner, &create->ni) || (payload && !ike_ke_parse(payload, &ke))) {
		refuse(sa, id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
		return false;
	}
	switch (ike_proposal_choose(offer, protocol, &suite, ke.group, &create->chosen)) {
	case IKE_CHOICE_MADE:
		break;
	case IKE_CHOICE_NONE:
		refuse(sa, id, IKE_NOTIFY_NO_PROPOSAL_CHOSEN, NULL, 0);
		return false;
	case IKE_CHOICE_MALFORMED:
		refuse(sa, id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
		return false;
	}
	fresh_nonce(sa, &create->nr);
	if (create->chosen.ke == 0)
		return true;
	if (ke.group != create->chosen.ke) {
		refuse_group(sa, id, create->chosen.ke);
		return false;
	}
	if (!kex_answer(&create->kex, ke.group, ke.data, ke.len, &random) ||
		!kex_derive(&create->kex, ke.data, ke.len, shared)) {
		refuse(sa, id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
		return false;
	}
	return true;
}

static void answer_rekey_sa(struct ike_sa *sa, const struct ike_create *create, uint64_t spi)
{
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	ike_proposal_answer(&chain, &create->chosen, spi, 8);
	build_nonce_and_ke(&chain, &create->nr, &create->kex);
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

static void take_rekey_sa(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_create create = {.message_id = inner->header.id};
	struct secret shared = {0};
	struct ike_sa *fresh;

	if (is_busy(sa) || !may_replace(sa)) {
		refuse(sa, inner->header.id, IKE_NOTIFY_TEMPORARY_FAILURE, NULL, 0);
		return;
	}
	if (read_request(sa, inner, IKE_PROTOCOL_IKE, &create, &shared)) {
		fresh = create.chosen.spi ? successor(sa, &create, false, &shared) : NULL;
		if (fresh) {
			answer_rekey_sa(sa, &create, fresh->own_spi);
			ike_rekey_settle_sa(sa, fresh);
		} else {
			refuse(sa, inner->header.id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
		}
	}
	secret_clear(&shared);
	kex_clear(&create.kex);
}

/* What a request for a CHILD SA asks for. */
struct child_request {
	struct ike_child_sa *old; /* NULL: a further one */
	struct ike_selectors selectors;
};

/* What is granted: the scope of the one before it, or what the caller's policy says. 0, or the refusal. */
static uint16_t grant(struct ike_sa *sa, const struct child_request *request, struct ike_scope *scope,
	uint64_t *user)
{
	const struct sa_pair *pair = request->old ? &request->old->pub.pair : NULL;

	if (!pair)
		return ike_grant(sa, &request->selectors, scope, user);
	*scope = ike_scope_of(pair);
	*user = request->old->pub.user;
	return ike_still_asks(&request->selectors, pair) ? 0 : IKE_NOTIFY_TS_UNACCEPTABLE;
}

static void install_theirs(struct ike_sa *sa, const struct child_request *request,
	struct ike_create *create, const struct secret *shared)
{
	struct ike_child_seed seed = {.ni = &create->ni, .nr = &create->nr};
	bool asked = request->selectors.transport;
	bool transport = request->old ? asked && request->old->pub.pair.mode == IPSEC_TRANSPORT
				      : ike_in_transport(sa, asked);
	struct ike_scope scope;
	uint64_t user;
	uint16_t refusal = grant(sa, request, &scope, &user);

	if (refusal) {
		refuse(sa, create->message_id, refusal, NULL, 0);
		return;
	}
	seed.shared = create->chosen.ke ? shared : NULL;
	sa->theirs = mem_dup(create, sizeof(*create));
	create->kex = (struct kex){0}; /* it has moved */
	sa->theirs->child = ike_child_new(sa, user);
	sa->theirs->child->replaces = request->old ? request->old->pub.id : 0;
	ike_low_nonce(&create->ni, &create->nr, sa->theirs->child->low_nonce);
	if (ike_child_install(sa->theirs->child, &scope,
		    transport ? IPSEC_TRANSPORT : IPSEC_TUNNEL, &create->chosen, &seed))
		return;
	ike_child_remove(sa->theirs->child, IKE_REASON_CRYPTO);
	refuse(sa, create->message_id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
	create_free(&sa->theirs);
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
	if (!ike_notify_find(inner, IKE_NOTIFY_REKEY_SA, &notify))
		return true;
	if (notify.protocol == IKE_PROTOCOL_ESP && notify.spi_len == 4) {
		struct reader r = reader_init(notify.spi, notify.spi_len);

		out->old = ike_child_of_peer_spi(sa, reader_u32(&r));
	}
	if (!out->old)
		refuse(sa, inner->header.id, IKE_NOTIFY_CHILD_SA_NOT_FOUND, NULL, 0);
	else if (out->old->deleting || out->old->state == IKE_CHILD_INSTALLING)
		refuse(sa, inner->header.id, IKE_NOTIFY_TEMPORARY_FAILURE, NULL, 0);
	else
		return true;
	return false;
}

static bool is_full(const struct ike_sa *sa)
{
	const struct ike_child_sa *child;
	size_t count = 0;

	for (child = sa->children; child; child = child->next)
		count++;
	return count >= MAX_CHILDREN;
}

static void take_child(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_create create = {
		.kind = IKE_CREATE_REKEY_CHILD, .message_id = inner->header.id};
	struct child_request request;
	struct secret shared = {0};

	/* 2.25.1: what is replaced as a whole gets nothing new. */
	if (sa->is_replaced || (sa->ours && sa->ours->kind == IKE_CREATE_REKEY_IKE)) {
		refuse(sa, inner->header.id, IKE_NOTIFY_TEMPORARY_FAILURE, NULL, 0);
		return;
	}
	if (is_full(sa)) {
		refuse(sa, inner->header.id, IKE_NOTIFY_NO_ADDITIONAL_SAS, NULL, 0);
		return;
	}
	if (read_child_request(sa, inner, &request) &&
		read_request(sa, inner, IKE_PROTOCOL_ESP, &create, &shared)) {
		create.kind = request.old ? IKE_CREATE_REKEY_CHILD : IKE_CREATE_CHILD;
		install_theirs(sa, &request, &create, &shared);
	}
	secret_clear(&shared);
	kex_clear(&create.kex);
}

void ike_take_create_request(struct ike_sa *sa, const struct ike_message *inner)
{
	const struct ike_payload *offer = ike_message_find(inner, IKE_PAYLOAD_SA);
	uint8_t protocol = ike_proposal_protocol(offer);

	/* The data plane has it: this is the request once more. */
	if (sa->theirs)
		return;
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

static void answer_child(struct ike_sa *sa, const struct ike_create *create)
{
	const struct sa_pair *pair = &create->child->pub.pair;
	struct ike_scope scope = ike_scope_of(pair);
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	if (pair->mode == IPSEC_TRANSPORT)
		ike_notify_build(&chain, IKE_NOTIFY_USE_TRANSPORT_MODE, NULL, 0);
	ike_proposal_answer(&chain, &create->chosen, pair->in.spi, 4);
	build_nonce_and_ke(&chain, &create->nr, &create->kex);
	ike_build_selectors(&chain, &scope, false);
	ike_send_sealed_response(sa, IKE_EXCHANGE_CREATE_CHILD_SA, create->message_id, &chain);
}

/* --- the data plane's word --------------------------------------------------------------------------- */

void ike_create_installed(struct ike_sa *sa, struct ike_child_sa *child, bool good)
{
	bool theirs = sa->theirs && sa->theirs->child == child;
	uint32_t id = theirs ? sa->theirs->message_id : 0;

	if (!good && theirs) {
		create_free(&sa->theirs);
		ike_child_remove(child, IKE_REASON_INSTALL);
		refuse(sa, id, IKE_NOTIFY_TEMPORARY_FAILURE, NULL, 0);
	} else if (!good) {
		/* The peer has it: it is told; and the one before it has another chance. */
		child->delete_us = sa->ike->now_us;
		ike_rekey_retry(sa, ike_child_find(sa->ike, child->replaces));
	} else {
		if (theirs) {
			answer_child(sa, sa->theirs);
			create_free(&sa->theirs);
		}
		ike_child_set_up(child);
		ike_rekey_settle_child(child);
	}
	ike_sa_schedule(sa);
}

/* --- the answers to ours --------------------------------------------------------------------------------- */

static bool is_own_group(const struct ike_sa *sa, uint16_t group)
{
	struct ike_suite suite = ike_suite_defaults(&ike_sa_conn(sa)->ike, IKE_PROTOCOL_IKE);

	for (size_t i = 0; i < suite.ke_count; i++) {
		if (suite.ke[i] == group)
			return true;
	}
	return false;
}

/* 1.3: the peer wants another group; never the same again, never without end. */
static bool try_group(struct ike_sa *sa, const struct ike_create *create, const struct ike_notify *notify,
	struct ike_child_sa *old)
{
	struct reader r = reader_init(notify->data, notify->len);
	uint16_t group = reader_u16(&r);

	if (notify->type != IKE_NOTIFY_INVALID_KE_PAYLOAD || !reader_done(&r) ||
		group == create->kex.group || !is_own_group(sa, group) || create->tries >= MAX_TRIES)
		return false;
	if (create->kind == IKE_CREATE_REKEY_IKE)
		ike_rekey_sa(sa, group, create->tries + 1);
	else if (old)
		ike_rekey_child(old, group, create->tries + 1);
	return true;
}

static void take_refusal(struct ike_sa *sa, const struct ike_create *create, const struct ike_notify *notify)
{
	struct ike_child_sa *old = ike_child_find(sa->ike, create->old);

	if (create->child)
		ike_child_remove(create->child, IKE_REASON_PEER_ERROR);
	if (try_group(sa, create, notify, old))
		return;
	/* 2.25: the peer has deleted it; its DELETE is lost or late. */
	if (notify->type == IKE_NOTIFY_CHILD_SA_NOT_FOUND && old) {
		ike_child_remove(old, IKE_REASON_PEER_DELETED);
		if (!ike_sa_has_child(sa))
			ike_sa_delete(sa, IKE_REASON_PEER_DELETED);
		return;
	}
	ike_rekey_retry(sa, old);
}

/* Our half of what both have now; false when the response does not fit the request. */
static bool read_response(struct ike_sa *sa, const struct ike_message *inner,
	struct ike_create *create, uint8_t protocol, struct secret *shared)
{
	const struct ike_payload *offer = ike_message_find(inner, IKE_PAYLOAD_SA);
	const struct ike_payload *payload = ike_message_find(inner, IKE_PAYLOAD_KE);
	const struct ike_child_sa *old = ike_child_find(sa->ike, create->old);
	struct ike_suite suite;
	struct ike_ke ke;

	if (!offer || inner->unsupported || (protocol == IKE_PROTOCOL_ESP && !old))
		return false;
	suite = protocol == IKE_PROTOCOL_ESP
			? suite_in_use(&old->esp, create->kex.group)
			: suite_in_use(&sa->chosen, create->kex.group);
	if (!ike_take_nonce(inner, &create->nr) ||
		ike_proposal_choose(offer, protocol, &suite, create->kex.group, &create->chosen) !=
			IKE_CHOICE_MADE ||
		create->chosen.ke != create->kex.group || create->chosen.spi == 0)
		return false;
	return create->kex.group == 0 ||
	       (payload && ike_ke_parse(payload, &ke) && ke.group == create->kex.group &&
		       kex_derive(&create->kex, ke.data, ke.len, shared));
}

/* The peer has its end already: what does not fit is deleted there. */
static void take_child_response(struct ike_sa *sa, const struct ike_message *inner, struct ike_create *create)
{
	struct ike_child_sa *old = ike_child_find(sa->ike, create->old), *child = create->child;
	struct ike_child_seed seed = {.ni = &create->ni, .nr = &create->nr, .initiator = true};
	struct secret shared = {0};
	struct ike_selectors answer;
	struct ike_scope scope;
	bool good = read_response(sa, inner, create, IKE_PROTOCOL_ESP, &shared) &&
		    ike_read_selectors(sa, inner, true, &answer) &&
		    ike_still_grants(&answer, &old->pub.pair) &&
		    answer.transport == (old->pub.pair.mode == IPSEC_TRANSPORT);

	if (good) {
		ike_low_nonce(&create->ni, &create->nr, child->low_nonce);
		seed.shared = create->kex.group ? &shared : NULL;
		scope = ike_scope_of(&old->pub.pair);
		good = ike_child_install(
			child, &scope, old->pub.pair.mode, &create->chosen, &seed);
	}
	secret_clear(&shared);
	if (good)
		return;
	child->delete_us = sa->ike->now_us;
	ike_rekey_retry(sa, old);
}

static void take_sa_response(struct ike_sa *sa, const struct ike_message *inner, struct ike_create *create)
{
	struct secret shared = {0};
	struct ike_sa *fresh = read_response(sa, inner, create, IKE_PROTOCOL_IKE, &shared)
				       ? successor(sa, create, true, &shared)
				       : NULL;

	secret_clear(&shared);
	if (fresh)
		ike_rekey_settle_sa(sa, fresh);
	else /* the peer holds an SA that we cannot delete: it is of no use, and both end */
		ike_sa_delete(sa, IKE_REASON_CRYPTO);
}

void ike_take_create_response(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_create *create = sa->ours;
	struct ike_notify error;

	ike_request_answered(sa);
	sa->ours = NULL;
	if (!create)
		return;
	if (ike_notify_find_error(inner, &error))
		take_refusal(sa, create, &error);
	else if (create->kind == IKE_CREATE_REKEY_IKE)
		take_sa_response(sa, inner, create);
	else
		take_child_response(sa, inner, create);
	create_free(&create);
	if (sa->state != IKE_SA_DEAD)
		ike_sa_schedule(sa);
}
