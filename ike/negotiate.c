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

bool ike_grant(struct ike_sa *sa, const struct ike_selectors *asked, struct selector *selector,
	uint64_t *user)
{
	struct ike_id peer_id = ike_sa_peer_id(sa);
	struct ike_offer offer = {.sa = sa->id,
		.conn = sa->conn,
		.path = sa->path,
		.remote_auth = ike_sa_conn(sa)->remote_auth,
		.remote_id = &peer_id,
		.transport = asked->transport,
		.remote_ts = asked->remote,
		.remote_ts_count = asked->remote_count,
		.local_ts = asked->local,
		.local_ts_count = asked->local_count};

	return ike_nat_permits(sa, asked->transport) &&
	       sa->ike->ops.narrow(sa->ike->arg, &offer, selector, user) &&
	       !ike_nat_is_taken(sa, *user);
}

static bool is_host(const struct ike_ts *ts, const struct prefix *host)
{
	return addr_equal(&ts->start, &host->addr) && addr_equal(&ts->end, &host->addr);
}

static uint16_t port_of(const struct ike_ts *ts)
{
	return ts->port_start == ts->port_end ? ts->port_start : 0;
}

bool ike_is_granted(const struct ike_selectors *answer, const struct selector *asked)
{
	const struct ike_ts *local = &answer->local[0], *remote = &answer->remote[0];

	/* A flow that is less than its line would leave the rest in no tunnel: take it whole or not. */
	return answer->local_count == 1 && answer->remote_count == 1 &&
	       is_host(local, &asked->local) && is_host(remote, &asked->remote) &&
	       local->proto == asked->proto && remote->proto == asked->proto &&
	       port_of(local) == asked->local_port && port_of(remote) == asked->remote_port;
}

/* Selectors of flows are hosts: start and end are one address. */
static struct ike_ts ts_of(const struct prefix *host, uint8_t proto, uint16_t port)
{
	return (struct ike_ts){.proto = proto,
		.port_start = port,
		.port_end = port ? port : UINT16_MAX,
		.start = host->addr,
		.end = host->addr};
}

void ike_build_selectors(struct ike_builder *chain, const struct selector *selector, bool initiator)
{
	struct ike_ts local = ts_of(&selector->local, selector->proto, selector->local_port);
	struct ike_ts remote = ts_of(&selector->remote, selector->proto, selector->remote_port);

	ike_ts_build(chain, IKE_PAYLOAD_TSi, initiator ? &local : &remote, 1);
	ike_ts_build(chain, IKE_PAYLOAD_TSr, initiator ? &remote : &local, 1);
}

bool ike_ts_cover(const struct ike_ts *ts, size_t count, const struct addr *host, uint8_t proto,
	uint16_t port)
{
	for (size_t i = 0; i < count; i++) {
		if (ts[i].start.family == host->family && addr_compare(&ts[i].start, host) <= 0 &&
			addr_compare(host, &ts[i].end) <= 0 &&
			(ts[i].proto == 0 || ts[i].proto == proto) &&
			(port ? ts[i].port_start <= port && port <= ts[i].port_end
			      : ts[i].port_start == 0 && ts[i].port_end == UINT16_MAX))
			return true;
	}
	return false;
}
