/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The responder's side of IKE_SA_INIT and IKE_AUTH (RFC 7296 1.2):
 *
 *   HALF_OPEN    a worker makes our half of the key exchange, IKE_SA_INIT is answered;
 *                the shared secret waits for IKE_AUTH, which waits for it in turn
 *   CHECKING     the peer's AUTH is checked and ours computed
 *   INSTALLING   the data plane has the pair; the answer leaves after its word (K1)
 *
 * Nothing here changes what we know of a peer before its AUTH verifies (N2).
 */
#include "ike/agree.h"
#include "ike/anonymous.h"
#include "ike/sa.h"

#include "ike/nat.h"
#include "ike/ppk.h"

#include <string.h>
#include <utlist.h>

/*
 * We keep a stranger's request until its IKE_AUTH. One that fits no datagram of Ethernet is rare
 * enough; several additional proposals and vendor IDs fit in this.
 */
#define INIT_MAX 4096

/* --- IKE_SA_INIT: refusals keep no state ----------------------------------------------------- */

static void refuse_group(struct ike *ike, const struct path *path, const struct ike_message *message,
	uint16_t group)
{
	uint8_t data[2] = {(uint8_t)(group >> 8), (uint8_t)group};

	ike_refuse_init(ike, path, message, IKE_NOTIFY_INVALID_KE_PAYLOAD, data, sizeof(data));
}

/* What an acceptable request holds. */
struct init_request {
	struct ike_chosen chosen;
	struct ike_ke ke;
};

static bool speaks_intermediate(const struct ike_message *message)
{
	struct ike_notify notify;

	return ike_notify_find(message, IKE_NOTIFY_INTERMEDIATE_EXCHANGE_SUPPORTED, &notify);
}

/* RFC 9370 2.2.1: additional key exchanges need IKE_INTERMEDIATE; where they may be missed, they are. */
static struct ike_suite suite_for(const struct ike_conn *conn, const struct ike_message *message)
{
	struct ike_suite suite = ike_suite_defaults(&conn->ike, IKE_PROTOCOL_IKE);

	return speaks_intermediate(message) || !ike_suite_may_miss_addke(&suite)
		       ? suite
		       : ike_suite_without_addke(&suite);
}

/* Reads and judges a request; false when it was refused or ignored. */
static bool judge_init(struct ike *ike, const struct path *path, const struct ike_conn *conn,
	const struct ike_message *message, struct init_request *out)
{
	const struct ike_payload *offer = ike_message_find(message, IKE_PAYLOAD_SA);
	const struct ike_payload *ke = ike_message_find(message, IKE_PAYLOAD_KE);
	struct ike_suite suite = suite_for(conn, message);
	struct ike_nonce nonce;

	if (message->unsupported) {
		ike_refuse_init(ike, path, message, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD,
			&message->unsupported, 1);
		return false;
	}
	if (!offer || !ke || !ike_ke_parse(ke, &out->ke) || !ike_take_nonce(message, &nonce)) {
		ike_refuse_init(ike, path, message, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
		return false;
	}
	switch (ike_proposal_choose(offer, IKE_PROTOCOL_IKE, &suite, out->ke.group, &out->chosen)) {
	case IKE_CHOICE_MADE:
		if (ike_addke_next(&out->chosen, 0) == IKE_ADDKE_MAX || speaks_intermediate(message))
			break;
		__attribute__((fallthrough));
	case IKE_CHOICE_NONE:
		ike_refuse_init(ike, path, message, IKE_NOTIFY_NO_PROPOSAL_CHOSEN, NULL, 0);
		return false;
	case IKE_CHOICE_MALFORMED:
		ike_refuse_init(ike, path, message, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
		return false;
	}
	if (out->ke.group != out->chosen.ke) {
		refuse_group(ike, path, message, out->chosen.ke);
		return false;
	}
	return out->ke.len <= KEX_PUBLIC_MAX;
}

static void send_init_response(struct ike_sa *sa)
{
	struct ike_handshake *h = sa->handshake;
	struct ike_header header = {.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.exchange = IKE_EXCHANGE_IKE_SA_INIT,
		.flags = IKE_FLAG_RESPONSE};
	uint8_t out[IKE_MESSAGE_MAX];
	struct ike_builder b = ike_build_message(out, sizeof(out), &header);
	uint8_t nonce[IKE_NONCE_LEN];
	size_t len;

	sa->ike->ops.random(sa->ike->arg, nonce, sizeof(nonce));
	ike_proposal_answer(&b, &sa->chosen, 0, 0);
	ike_ke_build(&b, h->kex.group, h->kex.public, h->kex.public_len);
	ike_build_payload(&b, IKE_PAYLOAD_NONCE, nonce, sizeof(nonce));
	ike_nat_offer(sa, &b);
	ike_build_certreq(sa, &b);
	if (h->peer_hashes)
		ike_build_hashes(sa, &b);
	if (h->use_ppk)
		ike_notify_build(&b, IKE_NOTIFY_USE_PPK, NULL, 0);
	if (h->use_intermediate)
		ike_notify_build(&b, IKE_NOTIFY_INTERMEDIATE_EXCHANGE_SUPPORTED, NULL, 0);
	if (sa->fragments)
		ike_notify_build(&b, IKE_NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED, NULL, 0);
	ike_notify_build(&b, IKE_NOTIFY_CHILDLESS_IKEV2_SUPPORTED, NULL, 0);
	len = ike_build_finish(&b);
	ike_kept_set(&h->init_response, out, len);
	kex_forget_public(&h->kex);
	sa->expected = 1;
	ike_send_kept(sa, &h->init_response, &sa->path);
}

static struct ike_sa *open_half(struct ike *ike, const struct path *path, size_t conn,
	const struct ike_message *message, const struct init_request *request)
{
	struct ike_sa *sa = ike_sa_new(ike, IKE_RESPONDER, path, conn);
	struct ike_handshake *h = sa->handshake;
	struct ike_notify notify;

	sa->spi_i = message->header.spi_i;
	sa->spi_r = sa->own_spi;
	sa->chosen = request->chosen;
	ike_nat_note(sa, message);
	h->peer_hashes = ike_read_hashes(message);
	h->use_intermediate = ike_intermediate_agreed(sa, message);
	h->use_ppk = ike_ppk_any(sa) && ike_notify_find(message, IKE_NOTIFY_USE_PPK, &notify);
	sa->fragments = ike_fragments_agreed(sa, message);
	ike_sa_track_peer(sa);
	ike_guard_count(sa);
	sa->expire_us = ike->now_us + IKE_HALF_OPEN_LIFE_US;
	ike_sa_schedule(sa);
	return sa;
}

/*
 * Our own request, sent back to us: who relays the rest too would make us our own peer, for the
 * other end of a PSK or of a CA may well be called as we are. AUTH covers the SPI: it cannot be another.
 */
static bool is_reflected(struct ike *ike, uint64_t spi_i)
{
	const struct ike_sa *sa;

	HASH_FIND(by_spi, ike->by_spi, &spi_i, sizeof(spi_i), sa);
	return sa && sa->role == IKE_INITIATOR;
}

/* The same request again: the same answer again, and no work (2.1). */
static void repeat_init(struct ike_sa *sa, const uint8_t *data, size_t len)
{
	const struct ike_handshake *h = sa->handshake;

	if (sa->state == IKE_SA_HALF_OPEN && h && h->init_response.data && h->init_request.len == len &&
		memcmp(h->init_request.data, data, len) == 0)
		ike_send_again(sa, &h->init_response);
}

static void init_answered(struct ike_sa *sa)
{
	if (ike_agree_take(sa, NULL, NULL))
		send_init_response(sa);
	else
		ike_sa_end(sa, IKE_REASON_CRYPTO);
}

void ike_take_init_request(struct ike *ike, const struct path *path, const struct ike_message *message,
	const uint8_t *data, size_t len)
{
	struct ike_sa *sa = ike_find_half_open(ike, path, message->header.spi_i);
	struct init_request request;
	int conn;

	if (sa) {
		repeat_init(sa, data, len);
		return;
	}
	if (len > INIT_MAX || is_reflected(ike, message->header.spi_i)) {
		ike->counters.malformed++;
		return;
	}
	conn = ike->ops.conn_for(ike->arg, path);
	if (conn < 0 || (size_t)conn >= ike->config.conn_count ||
		!ike_auth_possible(ike->config.conns[conn].local_auth) ||
		!ike_auth_possible(ike->config.conns[conn].remote_auth))
		return;
	if (!ike_guard_admits(ike, path, message))
		return;
	/* Over the bound it will come again: better than all that wait, until the time of each is over. */
	if (!judge_init(ike, path, &ike->config.conns[conn], message, &request) || !ike_errands_admit(ike))
		return;
	sa = open_half(ike, path, (size_t)conn, message, &request);
	ike_kept_set(&sa->handshake->init_request, data, len);
	ike->counters.responded++;
	ike_tell_stage(sa, IKE_STAGE_INIT_RECEIVED);
	ike_agree_answer(sa, &request.ke, init_answered);
}

/* --- IKE_AUTH -------------------------------------------------------------------------------- */

static void secret_derived(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;
	struct secret shared;
	struct ike_held *list, *held;

	if (ike_agree_take(sa, &shared, &list))
		ike_sa_derive_keys(sa, &shared);
	/* The peer's value is none: it is not tried again at each datagram of a stranger. */
	if (!sa->keys)
		ike_sa_end(sa, IKE_REASON_CRYPTO);
	DL_FOREACH (list, held) {
		if (sa->state != IKE_SA_DEAD)
			ike_take_datagram(ike, &held->path, held->data, held->len);
	}
	ike_held_free(list);
	secret_clear(&shared);
}

/* The shared secret costs more than all the rest: a stranger who never sends IKE_AUTH does not get it. */
static bool derive_secret(struct ike_sa *sa)
{
	struct ike_handshake *h = sa->handshake;
	struct ike_message request;
	struct ike_ke ke;

	if (!h || !h->init_response.data || !ike_errands_admit(sa->ike) ||
		!ike_message_parse(h->init_request.data, h->init_request.len, &request) ||
		!ike_ke_parse(ike_message_find(&request, IKE_PAYLOAD_KE), &ke))
		return false;
	ike_agree_derive(sa, &ke, secret_derived);
	return true;
}

bool ike_responder_hold(struct ike_sa *sa, const uint8_t *data, size_t len)
{
	return (ike_sa_has_job(sa) || derive_secret(sa)) && ike_agree_hold(sa, sa->ike->from, data, len);
}

void ike_refuse_half_open(struct ike_sa *sa, uint8_t exchange, uint32_t id, uint16_t type, const void *data,
	size_t len)
{
	uint8_t inner[64];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	ike_notify_build(&chain, type, data, len);
	ike_send_sealed_response(sa, exchange, id, &chain);
	ike_sa_set_state(sa, IKE_SA_CHECKING);
	ike_sa_forget_handshake(sa);
}

static void refuse_auth(
	struct ike_sa *sa, uint32_t id, uint16_t type, const void *data, size_t len)
{
	ike_refuse_half_open(sa, IKE_EXCHANGE_IKE_AUTH, id, type, data, len);
}

static bool read_auth_request(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_notify notify;

	sa->handshake->initial_contact =
		ike_notify_find(inner, IKE_NOTIFY_INITIAL_CONTACT, &notify);
	return ike_read_proof(sa, inner, IKE_PAYLOAD_IDi) && ike_read_child_offer(sa, inner);
}

/* The peer has not shown to be who it must be; what we know of it stays as it was (N2). */
static void refuse_peer(struct ike_sa *sa, uint32_t id)
{
	ike_tell_refused(sa, IKE_REASON_AUTHENTICATION);
	refuse_auth(sa, id, IKE_NOTIFY_AUTHENTICATION_FAILED, NULL, 0);
}

void ike_take_auth_request(struct ike_sa *sa, const struct ike_message *inner)
{
	uint32_t id = inner->header.id;

	/* It will come again: better than all that wait, until the time of each is over. */
	if (!ike_errands_admit(sa->ike))
		return;
	ike_tell_stage(sa, IKE_STAGE_AUTH_RECEIVED);
	if (!ike_intermediate_is_done(sa)) {
		ike_note_detail(sa, "an additional key exchange is missing");
		refuse_peer(sa, id);
		return;
	}
	ike_begin_auth_work(sa);
	if (inner->unsupported) {
		ike_note_detail(sa, "a critical payload that we do not know");
		ike_tell_refused(sa, IKE_REASON_INVALID_SYNTAX);
		refuse_auth(sa, id, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD, &inner->unsupported, 1);
		return;
	}
	if (!read_auth_request(sa, inner)) {
		ike_tell_refused(sa, IKE_REASON_INVALID_SYNTAX);
		refuse_auth(sa, id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
		return;
	}
	if (!ike_peer_id_good(sa) || !ike_ppk_take_request(sa, inner) || !ike_prepare_auth(sa, false) ||
		!ike_prepare_auth(sa, true)) {
		refuse_peer(sa, id);
		return;
	}
	sa->handshake->auth_message_id = id;
	ike_sa_set_state(sa, IKE_SA_CHECKING);
	ike_start_auth_job(sa);
}

/*
 * 1.2, 2.21.2: the IKE SA stands, its CHILD SA does not, for an error or (0) because none was
 * asked for. It is of no use to us for long; longer when the peer has proved to be somebody (N9).
 */
static void answer_without_child(struct ike_sa *sa, uint16_t error)
{
	/* Many such are somebody's attack, or mistake. */
	bool known = sa->remote_auth != IKE_AUTH_NULL &&
		     sa->ike->counters.sas < IKE_SPARE_MAX;
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	ike_build_proof(sa, &chain, IKE_PAYLOAD_IDr);
	ike_ppk_build_response(sa, &chain);
	if (error)
		ike_notify_build(&chain, error, NULL, 0);
	ike_send_sealed_response(
		sa, IKE_EXCHANGE_IKE_AUTH, sa->handshake->auth_message_id, &chain);
	ike_sa_set_state(sa, IKE_SA_ESTABLISHED);
	ike_sa_forget_handshake(sa);
	sa->delete_us = sa->ike->now_us + ((sa->nat || !error) && known ? IKE_SPARE_LIFE_US
									  : IKE_CHILDLESS_LIFE_US);
	sa->delete_reason = error == IKE_NOTIFY_TS_UNACCEPTABLE || error == IKE_NOTIFY_SINGLE_PAIR_REQUIRED
				    ? IKE_REASON_TS_UNACCEPTABLE
				    : IKE_REASON_NO_PROPOSAL;
	ike_sa_schedule(sa);
	ike_anonymous_admit(sa);
}

static void answer_with_child(struct ike_sa *sa)
{
	struct ike_handshake *h = sa->handshake;
	struct ike_scope scope = ike_scope_of(&h->child->pub.pair);
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	ike_build_proof(sa, &chain, IKE_PAYLOAD_IDr);
	ike_ppk_build_response(sa, &chain);
	if (h->child->pub.pair.mode == IPSEC_TRANSPORT)
		ike_notify_build(&chain, IKE_NOTIFY_USE_TRANSPORT_MODE, NULL, 0);
	ike_proposal_answer(&chain, &h->work->esp, h->child->pub.pair.in.spi, 4);
	ike_build_selectors(&chain, &scope, false);
	ike_send_sealed_response(sa, IKE_EXCHANGE_IKE_AUTH, h->auth_message_id, &chain);
}

void ike_responder_checked(struct ike_sa *sa)
{
	struct ike_handshake *h = sa->handshake;
	struct ike_child_seed seed;
	struct ike_scope scope;
	uint16_t refusal;
	bool transport = ike_in_transport(sa, h->work->selectors.transport);

	if (!ike_peer_auth_good(sa) || !h->work->own_auth.good) {
		ike_note_detail(sa, h->work->own_auth.why);
		refuse_peer(sa, h->auth_message_id);
		return;
	}
	if (h->initial_contact)
		ike_contact_obey(sa);
	if (h->childless) {
		answer_without_child(sa, 0);
		return;
	}
	if (!h->has_child_offer || h->work->esp_choice != IKE_CHOICE_MADE) {
		answer_without_child(sa, IKE_NOTIFY_NO_PROPOSAL_CHOSEN);
		return;
	}
	refusal = ike_grant(sa, &h->work->selectors, &scope, &sa->user);
	if (refusal) {
		ike_tell_refused(sa, sa->nat ? IKE_REASON_NAT : IKE_REASON_TS_UNACCEPTABLE);
		answer_without_child(sa, refusal);
		return;
	}
	h->child = ike_child_new(sa, sa->user);
	seed = (struct ike_child_seed){.ni = &h->work->ni, .nr = &h->work->nr};
	if (ike_child_install(h->child, &scope, transport ? IPSEC_TRANSPORT : IPSEC_TUNNEL, &h->work->esp,
		    &seed)) {
		ike_sa_set_state(sa, IKE_SA_INSTALLING);
	} else {
		ike_child_remove(h->child, IKE_REASON_INVALID_SYNTAX);
		refuse_auth(sa, h->auth_message_id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
	}
}

void ike_responder_installed(struct ike_sa *sa, bool good)
{
	struct ike_child_sa *child = sa->handshake->child;

	if (!good) {
		ike_child_remove(child, IKE_REASON_INSTALL);
		answer_without_child(sa, IKE_NOTIFY_TEMPORARY_FAILURE);
		return;
	}
	ike_tell_stage(sa, IKE_STAGE_INSTALLED);
	answer_with_child(sa);
	ike_sa_set_state(sa, IKE_SA_ESTABLISHED);
	ike_sa_forget_handshake(sa);
	ike_child_set_up(child);
	ike_settle_crossing(child);
	ike_anonymous_admit(sa);
	ike_contact_admit(sa);
}
