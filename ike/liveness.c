/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a peer is still there (RFC 7296 2.4, N7). It is asked only while we
 * send and hear nothing: the data plane is looked at twice in each dpddelay,
 * and what has come in since the look before is as good as an answer. A pair
 * that is silent on both ends costs no datagram, and one whose daemons are dead
 * but whose kernels carry on stays (K6).
 *
 *   came in              heard, at the earliest when it was looked at before
 *   only went out        unanswered: a probe, dpddelay after it was last heard
 *   neither              nothing to know
 *
 * Half of dpddelay between looks: what came in just after one is forgotten at the
 * second that finds nothing, dpddelay later at most.
 */
#include "ike/anonymous.h"
#include "ike/sa.h"
#include "ike/wish.h"

#define DOUBT_US UINT64_C(1000000)

static uint64_t delay_us(const struct ike_sa *sa)
{
	return ike_sa_conn(sa)->dpd_delay_ms * UINT64_C(1000);
}

uint64_t ike_live_due(const struct ike_sa *sa)
{
	uint64_t silence_us = sa->heard_us + delay_us(sa), look_us = sa->looked_us + delay_us(sa) / 2;

	if (sa->state != IKE_SA_ESTABLISHED || sa->request.message.data)
		return IKE_NEVER;
	if (sa->suspected)
		return sa->heard_us + DOUBT_US;
	if (!delay_us(sa))
		return IKE_NEVER;
	if (!sa->ike->ops.traffic)
		return silence_us;
	/* An answer of IKE falls between two looks: its time is known, and is not rounded up. */
	return silence_us > sa->looked_us && silence_us < look_us ? silence_us : look_us;
}

void ike_live_heard(struct ike_sa *sa)
{
	sa->heard_us = sa->ike->now_us;
	sa->unanswered = false;
	ike_anonymous_heard(sa);
}

/* Which way its CHILD SAs have carried anything since they were looked at before. */
static struct ike_traffic what_moved(struct ike_sa *sa)
{
	struct ike_traffic moved = {0};
	struct ike_child_sa *child;

	for (child = sa->children; child; child = child->next) {
		struct ike_traffic seen = {0};

		if (child->state != IKE_CHILD_UP && child->state != IKE_CHILD_REPLACED)
			continue;
		sa->ike->ops.traffic(sa->ike->arg, &child->pub, &seen);
		moved.in_packets += seen.in_packets > child->traffic.in_packets;
		moved.out_packets += seen.out_packets > child->traffic.out_packets;
		child->traffic = seen;
	}
	return moved;
}

bool ike_live_look(struct ike_sa *sa)
{
	uint64_t before_us = sa->looked_us;
	struct ike_traffic moved = {0};

	if (sa->ike->ops.traffic)
		moved = what_moved(sa);
	sa->looked_us = sa->ike->now_us;
	if (moved.in_packets) {
		sa->unanswered = false;
		if (sa->heard_us < before_us)
			sa->heard_us = before_us;
		ike_anonymous_heard(sa);
	} else if (moved.out_packets) {
		sa->unanswered = true;
	}
	return moved.in_packets;
}

static void ask_in_doubt(struct ike_sa *sa)
{
	sa->suspected = false;
	ike_wishes_abandon(sa);
	ike_send_probe(sa);
}

void ike_live_tick(struct ike_sa *sa)
{
	if (sa->suspected) {
		ask_in_doubt(sa);
		return;
	}
	if (sa->ike->ops.traffic) {
		ike_live_look(sa);
		if (!sa->unanswered || sa->ike->now_us - sa->heard_us < delay_us(sa)) {
			ike_sa_schedule(sa);
			return;
		}
	}
	ike_send_probe(sa);
}

/* While a request is in flight, that asks; and who has just been heard is not asked at once for every forgery. */
void ike_live_doubt(struct ike_sa *sa)
{
	if (sa->state == IKE_SA_AUTH_SENT)
		ike_soft_failure(sa, IKE_REASON_PEER_ERROR); /* N5 */
	if (sa->state != IKE_SA_ESTABLISHED)
		return;
	if (sa->ike->now_us - sa->heard_us >= DOUBT_US)
		ask_in_doubt(sa);
	else
		sa->suspected = true;
	ike_sa_schedule(sa);
}
