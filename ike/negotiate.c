/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both roles share of their exchanges: nonces, and the offer of a CHILD SA with its selectors (proof.c has the rest). */
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

void ike_low_nonce(const struct ike_nonce *ni, const struct ike_nonce *nr, uint8_t out[IKE_LOW_NONCE])
{
	const struct ike_nonce *low = memcmp(ni->data, nr->data, IKE_LOW_NONCE) <= 0 ? ni : nr;

	memcpy(out, low->data, IKE_LOW_NONCE);
}

bool ike_kept_nonce(const struct ike_kept *message, struct ike_nonce *out)
{
	struct ike_message parsed;

	return message->data && ike_message_parse(message->data, message->len, &parsed) &&
	       ike_take_nonce(&parsed, out);
}

bool ike_read_nonces(const struct ike_handshake *h, struct ike_nonce *ni, struct ike_nonce *nr)
{
	return ike_kept_nonce(&h->init_request, ni) && ike_kept_nonce(&h->init_response, nr);
}

void ike_sa_derive_keys(struct ike_sa *sa, struct secret *shared)
{
	struct ike_keys keys = {0};
	struct ike_nonce ni, nr;

	if (ike_read_nonces(sa->handshake, &ni, &nr)) {
		/* Which of two crossing SAs stays is decided by their lowest nonces (RFC 7296 2.8.1). */
		ike_low_nonce(&ni, &nr, sa->low_nonce);
		if (ike_keys_derive(
			    &keys, &sa->chosen, shared, &ni, &nr, sa->spi_i, sa->spi_r))
			ike_sa_take_keys(sa, &keys);
		ike_keys_clear(&keys);
	}
	secret_clear(shared);
	kex_clear(&sa->handshake->kex);
}

bool ike_read_child_offer(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_handshake *h = sa->handshake;
	const struct ike_payload *offer = ike_message_find(inner, IKE_PAYLOAD_SA);
	const struct ike_payload *tsi = ike_message_find(inner, IKE_PAYLOAD_TSi);
	const struct ike_payload *tsr = ike_message_find(inner, IKE_PAYLOAD_TSr);
	struct ike_suite suite = ike_suite_defaults(&ike_sa_conn(sa)->esp, IKE_PROTOCOL_ESP);

	h->has_child_offer = offer && tsi && tsr;
	h->childless = !offer && !tsi && !tsr;
	if (!h->has_child_offer)
		return true;
	h->work->esp_choice = ike_proposal_choose(offer, IKE_PROTOCOL_ESP, &suite, 0, &h->work->esp);
	return h->work->esp_choice != IKE_CHOICE_MALFORMED &&
	       ike_read_selectors(sa, inner, sa->role == IKE_INITIATOR, &h->work->selectors);
}

/* --- traffic selectors (2.9) --------------------------------------------------------------- */

bool ike_read_selectors(const struct ike_sa *sa, const struct ike_message *inner, bool ours,
	struct ike_selectors *out)
{
	const struct ike_payload *tsi = ike_message_find(inner, IKE_PAYLOAD_TSi);
	const struct ike_payload *tsr = ike_message_find(inner, IKE_PAYLOAD_TSr);
	const struct ike_payload *local = ours ? tsi : tsr, *remote = ours ? tsr : tsi;
	struct ike_notify notify;

	out->transport = ike_notify_find(inner, IKE_NOTIFY_USE_TRANSPORT_MODE, &notify);
	if (!local || !remote || !ike_ts_parse(local, out->local, &out->local_count) ||
		!ike_ts_parse(remote, out->remote, &out->remote_count))
		return false;
	if (out->transport)
		ike_nat_substitute(sa, out);
	return true;
}

/* 2.23.1: across a NAT the address of one host can be put right, that of a range cannot. */
static bool is_one_pair(const struct ike_selectors *asked)
{
	for (size_t i = 0; i < asked->local_count; i++) {
		if (!addr_equal(&asked->local[i].start, &asked->local[i].end))
			return false;
	}
	for (size_t i = 0; i < asked->remote_count; i++) {
		if (!addr_equal(&asked->remote[i].start, &asked->remote[i].end))
			return false;
	}
	return true;
}

uint16_t ike_grant(struct ike_sa *sa, const struct ike_selectors *asked, struct ike_scope *scope, uint64_t *user)
{
	struct ike_id peer_id = ike_sa_peer_id(sa);
	struct ike_offer offer = {.sa = sa->id,
		.conn = sa->conn,
		.path = sa->path,
		.remote_auth = sa->remote_auth,
		.remote_id = &peer_id,
		.selectors = asked};
	struct selector allowed;

	if (!ike_nat_permits(sa, asked->transport))
		return IKE_NOTIFY_TS_UNACCEPTABLE;
	if (sa->nat && !is_one_pair(asked))
		return IKE_NOTIFY_SINGLE_PAIR_REQUIRED;
	if (!sa->ike->ops.narrow(sa->ike->arg, &offer, &allowed, user) ||
		!ike_narrow(asked, &allowed, scope) || ike_nat_is_taken(sa, *user))
		return IKE_NOTIFY_TS_UNACCEPTABLE;
	return 0;
}

enum ike_fit ike_offer_fit(const struct ike_offer *offer, const struct selector *allowed)
{
	return ike_fit(offer->selectors, allowed);
}
