/* SPDX-License-Identifier: GPL-2.0-or-later */
/* INFORMATIONAL exchanges and the ends of an SA (RFC 7296 1.4, 2.4). */
#include "ike/sa.h"

/* A CHILD SA is gone and its IKE SA has no other use: the peer may say so first. */
#define CHILDLESS_GRACE_US 1000000u

void ike_sa_end(struct ike_sa *sa, enum ike_reason reason)
{
	if (sa->state == IKE_SA_DEAD)
		return;
	ike_child_remove(sa, reason);
	ike_tell_failed(sa, reason);
	ike_sa_set_state(sa, IKE_SA_DEAD);
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
	case IKE_SA_SIGNING:
	case IKE_SA_HALF_OPEN:
	case IKE_SA_CHECKING:
	case IKE_SA_DELETING:
	case IKE_SA_DEAD:
		break;
	}
	return false;
}

static void send_delete(struct ike_sa *sa)
{
	uint8_t inner[64];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

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
	ike_child_remove(sa, reason);
	ike_tell_failed(sa, reason);
	sa->fail_us = sa->delete_us = IKE_NEVER;
	ike_sa_set_state(sa, IKE_SA_DELETING);
	/* A window of one: behind a probe in flight, the DELETE waits for its answer. */
	if (!sa->request.message.data)
		send_delete(sa);
}

void ike_sa_delete_now(struct ike_sa *sa, enum ike_reason reason)
{
	if (sa->state == IKE_SA_ESTABLISHED && sa->request.message.data)
		ike_request_answered(sa);
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
	bool child;
	bool rejected; /* the initiator does not accept our AUTH (2.21.2) */
};

static bool names_our_child(const struct ike_sa *sa, const struct ike_delete *del)
{
	for (size_t i = 0; sa->has_child && i < del->count; i++) {
		if (del->spis[i] == sa->child.pair.out.spi)
			return true;
	}
	return false;
}

static struct deletions read_deletions(const struct ike_sa *sa, const struct ike_message *inner)
{
	struct deletions result = {0};
	struct ike_notify notify;
	struct ike_delete del;

	for (size_t i = 0; i < inner->count; i++) {
		if (inner->payloads[i].type != IKE_PAYLOAD_DELETE ||
			!ike_delete_parse(&inner->payloads[i], &del))
			continue;
		result.ike |= del.protocol == IKE_PROTOCOL_IKE;
		result.child |= del.protocol == IKE_PROTOCOL_ESP && names_our_child(sa, &del);
	}
	result.rejected = ike_notify_find(inner, IKE_NOTIFY_AUTHENTICATION_FAILED, &notify);
	return result;
}

void ike_take_informational(struct ike_sa *sa, const struct ike_message *inner)
{
	struct deletions deletions = read_deletions(sa, inner);
	uint8_t buffer[64];
	struct ike_builder chain = ike_build_chain(buffer, sizeof(buffer));

	if (inner->unsupported)
		ike_notify_build(
			&chain, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD, &inner->unsupported, 1);
	else if (deletions.child && !deletions.ike)
		ike_delete_build_esp(&chain, sa->child.pair.in.spi);
	ike_send_sealed_response(sa, IKE_EXCHANGE_INFORMATIONAL, inner->header.id, &chain);
	if (inner->unsupported)
		return;
	if (deletions.ike || deletions.rejected) {
		ike_sa_end(sa, deletions.rejected ? IKE_REASON_AUTHENTICATION
						  : IKE_REASON_PEER_DELETED);
	} else if (deletions.child) {
		ike_child_remove(sa, IKE_REASON_PEER_DELETED);
		sa->delete_us = sa->ike->now_us + CHILDLESS_GRACE_US;
		sa->delete_reason = IKE_REASON_PEER_DELETED;
		ike_sa_schedule(sa);
	}
}

void ike_take_informational_answer(struct ike_sa *sa)
{
	ike_request_answered(sa);
	if (sa->state != IKE_SA_DELETING)
		return;
	if (sa->delete_sent)
		ike_sa_end(sa, IKE_REASON_DELETED);
	else
		send_delete(sa);
}
