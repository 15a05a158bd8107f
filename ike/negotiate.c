/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both roles share of IKE_SA_INIT and IKE_AUTH: nonces, AUTH tasks, the offer of a CHILD SA. */
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

uint8_t ike_auth_method_of(enum ike_auth auth)
{
	return auth == IKE_AUTH_PSK ? IKE_METHOD_PSK : IKE_METHOD_NULL;
}

/* The peer's identity as far as it is known: as an initiator, only what the connection expects. */
static const struct ike_id *known_peer_id(const struct ike_sa *sa, bool own)
{
	const struct ike_id_spec *spec = &ike_sa_conn(sa)->remote_id;

	if (own && sa->role == IKE_INITIATOR)
		return spec->kind == IKE_ID_KIND_EXACT ? &spec->id : NULL;
	return &sa->peer_id;
}

bool ike_prepare_auth(struct ike_sa *sa, bool own)
{
	struct ike_handshake *h = sa->handshake;
	const struct ike_conn *conn = ike_sa_conn(sa);
	bool of_initiator = own == (sa->role == IKE_INITIATOR);
	const struct ike_kept *message = of_initiator ? &h->init_request : &h->init_response;
	const struct secret *secret = NULL;
	uint8_t id[4 + IKE_ID_MAX];
	size_t id_len = ike_id_body(own ? &sa->own_id : &sa->peer_id, id);

	if ((own ? conn->local_auth : conn->remote_auth) == IKE_AUTH_PSK) {
		secret = ike_psk_find(&sa->ike->config, &sa->own_id, known_peer_id(sa, own),
			&sa->path.remote.addr);
		if (!secret)
			return false;
	}
	auth_task_init(own ? &h->own_auth : &h->peer_auth, &sa->keys, of_initiator, secret,
		message->data, message->len, of_initiator ? &h->nr : &h->ni, id, id_len);
	if (own)
		h->run_own = true;
	else
		h->run_peer = true;
	return true;
}

bool ike_can_authenticate(const struct ike_sa *sa)
{
	const struct ike_conn *conn = ike_sa_conn(sa);

	if (conn->local_auth > IKE_AUTH_PSK || conn->remote_auth > IKE_AUTH_PSK)
		return false;
	return (conn->local_auth != IKE_AUTH_PSK && conn->remote_auth != IKE_AUTH_PSK) ||
	       ike_psk_find(&sa->ike->config, &sa->own_id, known_peer_id(sa, true),
		       &sa->path.remote.addr);
}

static void run_auth(void *data)
{
	struct ike_handshake *h = data;

	if (h->run_own)
		auth_task_run(&h->own_auth);
	if (h->run_peer)
		auth_task_run(&h->peer_auth);
}

void ike_start_auth_job(struct ike_sa *sa)
{
	struct ike_job job = {.id = ++sa->ike->last_id, .run = run_auth, .data = sa->handshake};

	ike_sa_track_job(sa, job.id);
	sa->ike->ops.job(sa->ike->arg, &job);
}

bool ike_peer_auth_good(const struct ike_sa *sa)
{
	const struct ike_handshake *h = sa->handshake;

	return auth_task_matches(&h->peer_auth, h->peer_auth_data, h->peer_auth_len);
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
