/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine tells its owner, and the words for it (ike.h). */
#include "ike/sa.h"
#include "ike/wish.h"

const char *ike_reason_name(enum ike_reason reason)
{
	switch (reason) {
	case IKE_REASON_NONE:
		return "";
	case IKE_REASON_TIMEOUT:
		return "no answer";
	case IKE_REASON_UNREACHABLE:
		return "ICMP unreachable";
	case IKE_REASON_NO_PROPOSAL:
		return "NO_PROPOSAL_CHOSEN";
	case IKE_REASON_AUTHENTICATION:
		return "AUTHENTICATION_FAILED";
	case IKE_REASON_TS_UNACCEPTABLE:
		return "TS_UNACCEPTABLE";
	case IKE_REASON_INVALID_SYNTAX:
		return "INVALID_SYNTAX";
	case IKE_REASON_INVALID_KE:
		return "INVALID_KE_PAYLOAD without end";
	case IKE_REASON_PEER_ERROR:
		return "the peer reports an error";
	case IKE_REASON_INSTALL:
		return "the kernel refused the SAs";
	case IKE_REASON_UNAVAILABLE:
		return "authentication is not available here";
	case IKE_REASON_NAT:
		return "NAT between us and the peer";
	case IKE_REASON_PEER_DELETED:
		return "deleted by the peer";
	case IKE_REASON_DELETED:
		return "deleted";
	case IKE_REASON_REDUNDANT:
		return "redundant";
	case IKE_REASON_REKEYED:
		return "replaced by a new one";
	case IKE_REASON_IDLE:
		return "idle";
	case IKE_REASON_DEAD_PEER:
		return "dead peer";
	case IKE_REASON_CRYPTO:
		return "key exchange failed";
	case IKE_REASON_LIMIT:
		return "limit reached";
	}
	return "?";
}

const char *ike_stage_name(enum ike_stage stage)
{
	switch (stage) {
	case IKE_STAGE_INIT_SENT:
		return "IKE_SA_INIT sent";
	case IKE_STAGE_INIT_RECEIVED:
		return "IKE_SA_INIT received";
	case IKE_STAGE_AUTH_SENT:
		return "IKE_AUTH sent";
	case IKE_STAGE_AUTH_RECEIVED:
		return "IKE_AUTH received";
	case IKE_STAGE_INTERMEDIATE_SENT:
		return "IKE_INTERMEDIATE sent";
	case IKE_STAGE_INTERMEDIATE_RECEIVED:
		return "IKE_INTERMEDIATE received";
	case IKE_STAGE_INSTALLING:
		return "SAs to the kernel";
	case IKE_STAGE_INSTALLED:
		return "SAs installed";
	case IKE_STAGE_RETRANSMIT:
		return "retransmission";
	}
	return "?";
}

const char *ike_auth_name(enum ike_auth auth)
{
	switch (auth) {
	case IKE_AUTH_NULL:
		return "null";
	case IKE_AUTH_PSK:
		return "psk";
	case IKE_AUTH_CERT:
		return "cert";
	case IKE_AUTH_NEVER:
		return "never";
	case IKE_AUTH_UNAVAILABLE:
		return "unavailable";
	}
	return "?";
}

bool ike_auth_possible(enum ike_auth auth)
{
	return auth == IKE_AUTH_NULL || auth == IKE_AUTH_PSK || auth == IKE_AUTH_CERT;
}

static struct ike_event event_of(const struct ike_sa *sa, enum ike_event_kind kind)
{
	return (struct ike_event){.kind = kind,
		.sa = sa->id,
		.user = sa->user,
		.role = sa->role,
		.path = sa->path};
}

static void tell(struct ike_sa *sa, const struct ike_event *event)
{
	sa->ike->ops.event(sa->ike->arg, event);
}

void ike_tell_stage(struct ike_sa *sa, enum ike_stage stage)
{
	struct ike_event event = event_of(sa, IKE_EVENT_STAGE);

	event.stage = stage;
	tell(sa, &event);
}

void ike_tell_up(struct ike_child_sa *child)
{
	struct ike_event event = event_of(child->sa, IKE_EVENT_UP);

	event.user = child->pub.user;
	event.child = &child->pub;
	event.ends = ike_wish_fulfil(child) || (child->sa->role == IKE_INITIATOR && !child->sa->reported);
	child->sa->reported = true;
	tell(child->sa, &event);
}

void ike_tell_childless(struct ike_sa *sa)
{
	struct ike_event event = event_of(sa, IKE_EVENT_CHILDLESS_UP);

	event.ends = !sa->reported;
	sa->reported = true;
	tell(sa, &event);
}

/* Exactly once for each ike_initiate(): after UP or FAILED nothing more is told of its start. */
void ike_tell_failed(struct ike_sa *sa, enum ike_reason reason)
{
	struct ike_event event = event_of(sa, IKE_EVENT_FAILED);

	if (sa->role != IKE_INITIATOR || sa->reported)
		return;
	sa->reported = true;
	sa->ike->counters.failed++;
	event.ends = true;
	event.reason = reason;
	event.detail = sa->detail;
	tell(sa, &event);
}

void ike_tell_wish_failed(struct ike_sa *sa, const struct ike_wish *wish, enum ike_reason reason)
{
	struct ike_event event = event_of(sa, IKE_EVENT_FAILED);

	sa->ike->counters.failed++;
	event.user = wish->user;
	event.ends = true;
	event.reason = reason;
	event.detail = sa->detail;
	tell(sa, &event);
}

void ike_tell_refused(struct ike_sa *sa, enum ike_reason reason)
{
	struct ike_event event = event_of(sa, IKE_EVENT_REFUSED);

	event.reason = reason;
	event.detail = sa->detail;
	tell(sa, &event);
}

void ike_tell_child_down(struct ike_child_sa *child, enum ike_reason reason)
{
	struct ike_event event = event_of(child->sa, IKE_EVENT_CHILD_DOWN);

	event.user = child->pub.user;
	event.reason = reason;
	event.child = &child->pub;
	tell(child->sa, &event);
}

void ike_tell_moved(struct ike_child_sa *child)
{
	struct ike_event event = event_of(child->sa, IKE_EVENT_CHILD_MOVED);

	event.user = child->pub.user;
	event.child = &child->pub;
	tell(child->sa, &event);
}

void ike_tell_soft_failure(struct ike_sa *sa, enum ike_reason reason)
{
	struct ike_event event = event_of(sa, IKE_EVENT_SOFT_FAILURE);

	event.reason = reason;
	tell(sa, &event);
	for (const struct ike_wish *wish = ike_wishes_of(sa); wish; wish = wish->next) {
		event.user = wish->user;
		tell(sa, &event);
	}
}

void ike_tell_keys(const struct ike_sa *sa)
{
	const struct ike_keys *keys = sa->keys;
	struct ike_key_material material = {.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.encr = keys->encr,
		.key_bits = sa->chosen.key_bits,
		.integ = keys->integ,
		.encr_len = keys->encr_len,
		.integ_len = keys->integ_len,
		.ei = keys->ei,
		.er = keys->er,
		.ai = keys->ai,
		.ar = keys->ar};

	if (sa->ike->ops.keyed)
		sa->ike->ops.keyed(sa->ike->arg, &material);
}
