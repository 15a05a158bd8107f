/* SPDX-License-Identifier: GPL-2.0-or-later */
/* INFORMATIONAL exchanges and the ends of an SA (RFC 7296 1.4, 2.4). */
#include "ike/sa.h"
#include "ike/wish.h"
#include "lib/mem.h"

void ike_sa_end(struct ike_sa *sa, enum ike_reason reason)
{
	if (sa->state == IKE_SA_DEAD)
		return;
	ike_wishes_recall(sa);
	ike_children_remove(sa, reason);
	ike_tell_failed(sa, reason);
	ike_sa_set_state(sa, IKE_SA_DEAD);
	ike_wishes_leave(sa, reason);
}

static bool can_say_delete(const struct ike_sa *sa)
{
	switch (sa->state) {
	case IKE_SA_AUTH_SENT: /* with its answer in hand, or the peer has no SA yet */
		return !sa->request.message.data;
	case IKE_SA_VERIFYING:
	case IKE_SA_INSTALLING:
		return sa->role == IKE_INITIATOR;
	case IKE_SA_ESTABLISHED:
		return true;
	case IKE_SA_INITIATING:
	case IKE_SA_INTERMEDIATE:
	case IKE_SA_SIGNING:
	case IKE_SA_HALF_OPEN:
	case IKE_SA_CHECKING:
	case IKE_SA_DELETING:
	case IKE_SA_DEAD:
		break;
	}
	return false;
}

/* 2.21.2, RFC 8784 3: a responder that has not shown who it is is told so, too. */
static void send_delete(struct ike_sa *sa, enum ike_reason reason)
{
	uint8_t inner[64];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	if (reason == IKE_REASON_AUTHENTICATION)
		ike_notify_build(&chain, IKE_NOTIFY_AUTHENTICATION_FAILED, NULL, 0);
	ike_delete_build_ike(&chain);
	sa->delete_sent = true;
	ike_send_sealed_request(sa, IKE_EXCHANGE_INFORMATIONAL, &chain);
}

void ike_sa_delete(struct ike_sa *sa, enum ike_reason reason)
{
	if (!can_say_delete(sa)) {
		ike_sa_end(sa, reason);
		return;
	}
	ike_wishes_recall(sa);
	ike_children_remove(sa, reason);
	ike_tell_failed(sa, reason);
	sa->fail_us = sa->delete_us = IKE_NEVER;
	ike_sa_set_state(sa, IKE_SA_DELETING);
	ike_wishes_leave(sa, reason);
	/* A window of one: behind a probe in flight, the DELETE waits for its answer. */
	if (!sa->request.message.data)
		send_delete(sa, reason);
}

void ike_sa_delete_now(struct ike_sa *sa, enum ike_reason reason)
{
	if (sa->state == IKE_SA_ESTABLISHED && sa->request.message.data)
		ike_request_forget(sa);
	ike_sa_delete(sa, reason);
}

void ike_send_probe(struct ike_sa *sa)
{
	uint8_t inner[1];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	if (sa->state == IKE_SA_ESTABLISHED && !sa->request.message.data)
		ike_send_sealed_request(sa, IKE_EXCHANGE_INFORMATIONAL, &chain);
}

/* What a request tells to delete. */
struct deletions {
	bool ike;
	bool rejected; /* the initiator does not accept our AUTH (2.21.2) */
	struct ike_child_sa *children[IKE_DELETE_MAX];
	size_t count;
};

static void add_children(struct ike_sa *sa, const struct ike_delete *del, struct deletions *out)
{
	for (size_t i = 0; i < del->count; i++) {
		struct ike_child_sa *child = ike_child_of_peer_spi(sa, del->spis[i]);
		bool known = false;

		for (size_t j = 0; j < out->count; j++)
			known = known || out->children[j] == child;
		if (!child)
			ike_route_note_gone(sa, del->spis[i]);
		else if (!known && out->count < ARRAY_LEN(out->children))
			out->children[out->count++] = child;
	}
}

bool ike_is_farewell(const struct ike_message *inner)
{
	struct ike_delete del;

	for (size_t i = 0; i < inner->count; i++) {
		if (inner->payloads[i].type == IKE_PAYLOAD_DELETE && ike_delete_parse(&inner->payloads[i], &del) &&
			del.protocol == IKE_PROTOCOL_IKE)
			return true;
	}
	return false;
}

static struct deletions read_deletions(struct ike_sa *sa, const struct ike_message *inner)
{
	struct deletions result = {.ike = ike_is_farewell(inner)};
	struct ike_notify notify;
	struct ike_delete del;

	for (size_t i = 0; i < inner->count; i++) {
		if (inner->payloads[i].type == IKE_PAYLOAD_DELETE && ike_delete_parse(&inner->payloads[i], &del) &&
			del.protocol == IKE_PROTOCOL_ESP)
			add_children(sa, &del, &result);
	}
	result.rejected = ike_notify_find(inner, IKE_NOTIFY_AUTHENTICATION_FAILED, &notify);
	return result;
}

/* 1.4.1: the answer names our half of each pair, but of those that we delete at this moment, too. */
static void build_deletions(struct ike_builder *chain, const struct deletions *deletions)
{
	for (size_t i = 0; i < deletions->count && !deletions->ike; i++) {
		if (!deletions->children[i]->deleting)
			ike_delete_build_esp(chain, deletions->children[i]->pub.pair.in.spi);
	}
}

static void delete_children(struct ike_sa *sa, const struct deletions *deletions)
{
	struct ike_sa *successor = ike_sa_successor(sa);

	for (size_t i = 0; i < deletions->count; i++) {
		struct ike_child_sa *child = deletions->children[i];
		bool unborn = child->ours && child->state == IKE_CHILD_INSTALLING;
		uint64_t old = unborn ? child->replaces : 0; /* it stays, and is to be replaced still */

		ike_child_remove(child, child->state == IKE_CHILD_REPLACED ? IKE_REASON_REKEYED
									   : IKE_REASON_PEER_DELETED);
		ike_rekey_retry_child(sa->ike, old);
	}
	/* Those of one that was replaced are with the other one. */
	if (successor)
		ike_sa_schedule(successor);
	ike_sa_schedule(sa);
}

void ike_take_informational(struct ike_sa *sa, const struct ike_message *inner)
{
	struct deletions deletions = read_deletions(sa, inner);
	uint8_t buffer[IKE_DELETE_MAX * 12 + 64];
	struct ike_builder chain = ike_build_chain(buffer, sizeof(buffer));

	if (inner->unsupported)
		ike_notify_build(
			&chain, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD, &inner->unsupported, 1);
	else
		build_deletions(&chain, &deletions);
	ike_send_sealed_response(sa, IKE_EXCHANGE_INFORMATIONAL, inner->header.id, &chain);
	if (inner->unsupported)
		return;
	if (deletions.ike || deletions.rejected)
		ike_sa_end(sa, deletions.rejected ? IKE_REASON_AUTHENTICATION
						  : IKE_REASON_PEER_DELETED);
	else
		delete_children(sa, &deletions);
}

void ike_take_informational_answer(struct ike_sa *sa)
{
	struct ike_child_sa *child, *next;

	ike_request_answered(sa);
	for (child = sa->children; child; child = next) {
		next = child->next;
		if (!child->deleting)
			continue;
		ike_child_remove(child, child->state == IKE_CHILD_UP ? IKE_REASON_IDLE : IKE_REASON_REKEYED);
	}
	if (sa->state != IKE_SA_DELETING) {
		ike_sa_schedule(sa);
		return;
	}
	if (sa->delete_sent)
		ike_sa_end(sa, IKE_REASON_DELETED);
	else
		send_delete(sa, IKE_REASON_DELETED);
}
