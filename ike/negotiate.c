/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both roles share of IKE_SA_INIT and IKE_AUTH: nonces and the offer of a CHILD SA (proof.c has the rest). */
#include "ike/sa.h"

#include <string.h>

bool ike_take_nonce(const struct ike_message *message, struct ike_nonce *out)
{
	const struct ike_payload *payload = ike_message_find(message, IKE_PAYLOAD_NONCE);

	if (!payload || payload->len < IKE_NONCE_MIN || payload->len > IKE_NONCE_MAX)
		return false;
	memcpy(out->data, payload->data, payload->len);
	out->len = payload->len;
	return true;
}

/* Which of two crossing SAs stays is decided by their lowest nonces (research 1b, as RFC 7296 2.8.1). */
void ike_note_nonces(struct ike_sa *sa)
{
	const struct ike_nonce *ni = &sa->handshake->ni, *nr = &sa->handshake->nr;
	size_t len = ni->len < nr->len ? ni->len : nr->len;
	const struct ike_nonce *low = memcmp(ni->data, nr->data, len) <= 0 ? ni : nr;

	memset(sa->low_nonce, 0, sizeof(sa->low_nonce));
	memcpy(sa->low_nonce, low->data,
		low->len < sizeof(sa->low_nonce) ? low->len : sizeof(sa->low_nonce));
}

bool ike_read_child_offer(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_handshake *h = sa->handshake;
	const struct ike_payload *offer = ike_message_find(inner, IKE_PAYLOAD_SA);
	const struct ike_payload *tsi = ike_message_find(inner, IKE_PAYLOAD_TSi);
	const struct ike_payload *tsr = ike_message_find(inner, IKE_PAYLOAD_TSr);
	struct ike_suite suite = ike_suite_defaults(&ike_sa_conn(sa)->esp, IKE_PROTOCOL_ESP);
	bool initiator = sa->role == IKE_INITIATOR;
	struct ike_notify notify;

	h->has_child_offer = offer && tsi && tsr;
	if (!h->has_child_offer)
		return true;
	h->transport_asked = ike_notify_find(inner, IKE_NOTIFY_USE_TRANSPORT_MODE, &notify);
	h->esp_choice = ike_proposal_choose(offer, IKE_PROTOCOL_ESP, &suite, 0, &h->esp);
	return h->esp_choice != IKE_CHOICE_MALFORMED &&
	       ike_ts_parse(tsi, initiator ? h->local_ts : h->remote_ts,
		       initiator ? &h->local_ts_count : &h->remote_ts_count) &&
	       ike_ts_parse(tsr, initiator ? h->remote_ts : h->local_ts,
		       initiator ? &h->remote_ts_count : &h->local_ts_count);
}
