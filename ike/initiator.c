/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The initiator's side of IKE_SA_INIT and IKE_AUTH (RFC 7296 1.2):
 *
 *   INITIATING   a worker makes our half of the key exchange, IKE_SA_INIT is sent; COOKIE and
 *                INVALID_KE_PAYLOAD are answered; a worker derives the shared secret
 *   INTERMEDIATE keys derived, an additional key exchange sent (intermediate.c)
 *   SIGNING      keys derived, our AUTH is computed
 *   AUTH_SENT    IKE_AUTH sent
 *   VERIFYING    the peer's AUTH is computed
 *   INSTALLING   the data plane has the pair
 *
 * Until keys protect what comes, an error is only a hint: anybody may have
 * sent it (N5).
 */
#include "ike/agree.h"
#include "ike/anonymous.h"
#include "ike/sa.h"

#include "ike/nat.h"
#include "ike/ppk.h"
#include "ike/wish.h"

#include <string.h>
#include <utlist.h>

/* --- IKE_SA_INIT ------------------------------------------------------------------------- */

/* The one that our last request carried; without a length: none. Its bytes are in the request. */
static struct ike_notify cookie_sent(const struct ike_handshake *h)
{
	const struct ike_kept *request = &h->init_request;
	struct ike_notify cookie;
	struct ike_message parsed;

	if (request->data && ike_message_parse(request->data, request->len, &parsed) &&
		ike_notify_find(&parsed, IKE_NOTIFY_COOKIE, &cookie))
		return cookie;
	return (struct ike_notify){0};
}

static void send_init_request(struct ike_sa *sa, const struct ike_notify *cookie)
{
	struct ike_handshake *h = sa->handshake;
	struct ike_suite suite = ike_suite_defaults(&ike_sa_conn(sa)->ike, IKE_PROTOCOL_IKE);
	struct ike_header header = {.spi_i = sa->spi_i,
		.exchange = IKE_EXCHANGE_IKE_SA_INIT,
		.flags = IKE_FLAG_INITIATOR};
	uint8_t out[IKE_MESSAGE_MAX];
	struct ike_builder b = ike_build_message(out, sizeof(out), &header);
	struct ike_nonce ni = {.len = IKE_NONCE_LEN};
	size_t len;

	/* 2.6: the cookie comes first, the rest is unchanged. */
	if (!ike_kept_nonce(&h->init_request, &ni))
		sa->ike->ops.random(sa->ike->arg, ni.data, ni.len);
	if (cookie->len)
		ike_notify_build(&b, IKE_NOTIFY_COOKIE, cookie->data, cookie->len);
	ike_proposal_offer(&b, IKE_PROTOCOL_IKE, &suite, 0, 0);
	ike_ke_build(&b, h->kex.group, h->kex.public, h->kex.public_len);
	ike_build_payload(&b, IKE_PAYLOAD_NONCE, ni.data, ni.len);
	ike_nat_offer(sa, &b);
	ike_build_hashes(sa, &b);
	if (ike_intermediate_wanted(sa))
		ike_notify_build(&b, IKE_NOTIFY_INTERMEDIATE_EXCHANGE_SUPPORTED, NULL, 0);
	if (ike_ppk_own(sa))
		ike_notify_build(&b, IKE_NOTIFY_USE_PPK, NULL, 0);
	if (!ike_sa_conn(sa)->no_fragments)
		ike_notify_build(&b, IKE_NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED, NULL, 0);
	len = ike_build_finish(&b);
	ike_kept_set(&h->init_request, out, len);
	ike_send_request(sa, out, len);
	ike_tell_stage(sa, IKE_STAGE_INIT_SENT);
}

static void pair_made(struct ike_sa *sa)
{
	struct ike_notify cookie = cookie_sent(sa->handshake);

	if (ike_agree_take(sa, NULL, NULL))
		send_init_request(sa, &cookie);
	else
		ike_sa_end(sa, IKE_REASON_CRYPTO);
}

struct ike_sa *ike_begin(struct ike *ike, size_t conn, const struct path *path,
	const struct selector *selector, uint64_t user)
{
	struct ike_sa *sa = ike_sa_new(ike, IKE_INITIATOR, path, conn);
	struct ike_suite suite = ike_suite_defaults(&ike_sa_conn(sa)->ike, IKE_PROTOCOL_IKE);

	sa->selector = *selector;
	sa->user = user;
	sa->spi_i = sa->own_spi;
	ike_route_add(sa);
	if (!ike_can_authenticate(sa)) {
		/* G7: it fails without sending a packet, in the next tick. */
		sa->fail_us = ike->now_us;
		sa->fail_reason = IKE_REASON_UNAVAILABLE;
		ike_sa_schedule(sa);
	} else {
		ike_agree_make(sa, suite.ke[0], pair_made);
	}
	return sa;
}

void ike_soft_failure(struct ike_sa *sa, enum ike_reason reason)
{
	if (sa->soft_failed || sa->fail_us != IKE_NEVER)
		return;
	sa->soft_failed = true;
	sa->fail_reason = reason;
	sa->fail_us = sa->ike->now_us + ike_soft_wait_us(sa);
	ike_sa_schedule(sa);
	ike_request_resend(sa);
	ike_tell_soft_failure(sa, reason);
}

enum ike_reason ike_reason_of(uint16_t notify)
{
	switch (notify) {
	case IKE_NOTIFY_NO_PROPOSAL_CHOSEN:
		return IKE_REASON_NO_PROPOSAL;
	case IKE_NOTIFY_AUTHENTICATION_FAILED:
		return IKE_REASON_AUTHENTICATION;
	case IKE_NOTIFY_TS_UNACCEPTABLE:
	case IKE_NOTIFY_SINGLE_PAIR_REQUIRED: /* we never ask for more than a pair of addresses */
		return IKE_REASON_TS_UNACCEPTABLE;
	case IKE_NOTIFY_INVALID_SYNTAX:
		return IKE_REASON_INVALID_SYNTAX;
	}
	return IKE_REASON_PEER_ERROR;
}

/* Who asks for another request is there and has not refused: an earlier hint of failure is void. */
static void note_restart(struct ike_sa *sa)
{
	ike_rtt_take(sa);
	sa->handshake->restarts++;
	sa->soft_failed = false;
	sa->fail_us = IKE_NEVER;
}

/* 2.6. True when the message was a cookie challenge, answered or not. */
static bool take_cookie(struct ike_sa *sa, const struct ike_message *message)
{
	struct ike_handshake *h = sa->handshake;
	struct ike_notify cookie, sent = cookie_sent(h);

	if (!ike_notify_find(message, IKE_NOTIFY_COOKIE, &cookie))
		return false;
	if (cookie.len == 0 || cookie.len > IKE_COOKIE_MAX || h->restarts >= IKE_MAX_RESTARTS)
		return true;
	/* The answer to an earlier copy of our request asks for what we have done already. */
	if (cookie.len == sent.len && memcmp(cookie.data, sent.data, cookie.len) == 0)
		return true;
	note_restart(sa);
	send_init_request(sa, &cookie);
	return true;
}

static bool suite_has_group(const struct ike_suite *suite, uint16_t group)
{
	for (size_t i = 0; i < suite->ke_count; i++) {
		if (suite->ke[i] == group)
			return true;
	}
	return false;
}

/* 1.2, 2.7: another of the groups that we offered, never the same again, never without end. */
static bool take_invalid_ke(struct ike_sa *sa, const struct ike_message *message)
{
	struct ike_handshake *h = sa->handshake;
	struct ike_suite suite = ike_suite_defaults(&ike_sa_conn(sa)->ike, IKE_PROTOCOL_IKE);
	struct ike_notify notify;
	struct reader r;
	uint16_t group;

	if (!ike_notify_find(message, IKE_NOTIFY_INVALID_KE_PAYLOAD, &notify))
		return false;
	r = reader_init(notify.data, notify.len);
	group = reader_u16(&r);
	/* The answer to an earlier copy of our request asks for what we have done already. */
	if (reader_done(&r) && group == h->kex.group && h->restarts > 0)
		return true;
	if (!reader_done(&r) || group == h->kex.group || !suite_has_group(&suite, group) ||
		h->restarts >= IKE_MAX_RESTARTS) {
		ike_soft_failure(sa, IKE_REASON_INVALID_KE);
		return true;
	}
	note_restart(sa);
	ike_agree_make(sa, group, pair_made);
	return true;
}

/* Reads a response that offers to go on, and its key exchange; false when it is not one. */
static bool read_init_response(struct ike_sa *sa, const struct ike_message *message, struct ike_ke *ke)
{
	struct ike_handshake *h = sa->handshake;
	const struct ike_payload *offer = ike_message_find(message, IKE_PAYLOAD_SA);
	const struct ike_payload *payload = ike_message_find(message, IKE_PAYLOAD_KE);
	struct ike_suite suite = ike_suite_defaults(&ike_sa_conn(sa)->ike, IKE_PROTOCOL_IKE);
	struct ike_nonce nr;

	return offer && payload && message->header.spi_r != 0 && ike_take_nonce(message, &nr) &&
	       ike_proposal_choose(offer, IKE_PROTOCOL_IKE, &suite, h->kex.group, &sa->chosen) ==
		       IKE_CHOICE_MADE &&
	       (ike_addke_next(&sa->chosen, 0) == IKE_ADDKE_MAX || ike_intermediate_agreed(sa, message)) &&
	       ike_ke_parse(payload, ke) && ke->group == h->kex.group && ke->len <= KEX_PUBLIC_MAX &&
	       sa->chosen.ke == h->kex.group;
}

/* What we do without only where there is no better response: what this one says is not authentic yet (N5). */
static enum ike_reason judge_init_response(struct ike_sa *sa, const struct ike_message *message)
{
	struct ike_notify notify;

	ike_nat_note(sa, message);
	if (ike_sa_conn(sa)->childless &&
		!ike_notify_find(message, IKE_NOTIFY_CHILDLESS_IKEV2_SUPPORTED, &notify))
		return IKE_REASON_UNAVAILABLE;
	if ((sa->nat & IKE_NAT_THERE) && sa->remote_auth == IKE_AUTH_NULL) /* N9 */
		return IKE_REASON_NAT;
	return ike_ppk_agreed(sa, message) ? IKE_REASON_NONE : IKE_REASON_AUTHENTICATION;
}

static void begin_auth(struct ike_sa *sa)
{
	ike_begin_auth_work(sa);
	ike_sa_set_state(sa, IKE_SA_SIGNING);
	if (!ike_prepare_auth(sa, true)) {
		ike_sa_end(sa, IKE_REASON_UNAVAILABLE);
		return;
	}
	ike_start_auth_job(sa);
}

/* What comes after IKE_SA_INIT, and after each IKE_INTERMEDIATE. */
static void go_on(struct ike_sa *sa)
{
	if (ike_intermediate_is_due(sa))
		ike_intermediate_send(sa);
	else
		begin_auth(sa);
}

static void accept_init_response(struct ike_sa *sa, struct secret *shared)
{
	struct ike_handshake *h = sa->handshake;
	struct ike_message message;

	/* It has been parsed before: these are the same bytes. */
	if (!ike_message_parse(h->init_response.data, h->init_response.len, &message))
		return;
	ike_tell_stage(sa, IKE_STAGE_INIT_RECEIVED);
	sa->spi_r = message.header.spi_r;
	ike_sa_derive_keys(sa, shared);
	ike_request_settled(sa);
	h->peer_hashes = ike_read_hashes(&message);
	h->use_intermediate = ike_intermediate_agreed(sa, &message);
	sa->fragments = ike_fragments_agreed(sa, &message);
	if (sa->keys)
		go_on(sa);
	else
		ike_sa_end(sa, IKE_REASON_CRYPTO);
}

/* Until then nothing of the response counts: anybody may have sent a value that is none (N5). */
static void secret_derived(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;
	struct secret shared;
	struct ike_held *list, *held;

	if (ike_agree_take(sa, &shared, &list)) {
		accept_init_response(sa, &shared);
	} else {
		ike_kept_clear(&sa->handshake->init_response);
		ike_soft_failure(sa, IKE_REASON_INVALID_SYNTAX);
		DL_FOREACH (list, held)
			ike_take_datagram(ike, &held->path, held->data, held->len);
	}
	ike_held_free(list);
	secret_clear(&shared);
}

void ike_take_init_response(
	struct ike_sa *sa, const struct ike_message *message, const uint8_t *data, size_t len)
{
	enum ike_reason refusal;
	struct ike_notify error;
	struct ike_ke ke;

	if (ike_sa_has_job(sa)) {
		/* While one is judged, the next waits. The request that it answers may be about to be replaced, too. */
		if (sa->handshake->init_response.data)
			ike_agree_hold(sa, sa->ike->from, data, len);
		return;
	}
	/* While it is judged, the time stands still; who always has another does not stop it for ever. */
	if (sa->ike->now_us >= sa->request.give_up_us)
		return;
	if (take_cookie(sa, message) || take_invalid_ke(sa, message))
		return;
	if (ike_notify_find_error(message, &error)) {
		ike_soft_failure(sa, ike_reason_of(error.type));
		return;
	}
	if (message->unsupported || !read_init_response(sa, message, &ke)) {
		ike_soft_failure(sa, IKE_REASON_INVALID_SYNTAX);
		return;
	}
	refusal = judge_init_response(sa, message);
	if (refusal != IKE_REASON_NONE) {
		ike_soft_failure(sa, refusal);
		return;
	}
	ike_rtt_take(sa);
	ike_kept_set(&sa->handshake->init_response, data, len);
	ike_agree_derive(sa, &ke, secret_derived);
}

void ike_take_intermediate_response(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_notify error;

	ike_request_answered(sa);
	if (ike_notify_find_error(inner, &error))
		ike_sa_end(sa, ike_reason_of(error.type));
	else if (ike_intermediate_take_response(sa, inner))
		go_on(sa);
	else
		ike_sa_end(sa, IKE_REASON_CRYPTO);
}

/* --- IKE_AUTH ----------------------------------------------------------------------------- */

/*
 * Without INITIAL_CONTACT, although N7 has it for the case that we hold nothing for the peer: at that
 * very instant the peer may be our initiator, and a strongSwan or libreswan would then end the SA
 * that crosses this one (ikev2.md 1b); ours would spare it (contact.c). What we have forgotten the
 * peer finds without it: a second SA for the same flow makes it ask for the first (crossing.c).
 */
static void build_auth_request(struct ike_sa *sa, struct ike_builder *chain)
{
	const struct ike_conn *conn = ike_sa_conn(sa);
	struct ike_suite suite = ike_suite_defaults(&conn->esp, IKE_PROTOCOL_ESP);
	struct ike_scope scope = {.selector = sa->selector};

	ike_build_proof(sa, chain, IKE_PAYLOAD_IDi);
	ike_build_certreq(sa, chain);
	ike_ppk_build_request(sa, chain);
	if (conn->childless)
		return;
	if (ike_in_transport(sa, true))
		ike_notify_build(chain, IKE_NOTIFY_USE_TRANSPORT_MODE, NULL, 0);
	sa->handshake->child = ike_child_new(sa, sa->user);
	ike_proposal_offer(chain, IKE_PROTOCOL_ESP, &suite, sa->handshake->child->pub.pair.in.spi, 4);
	ike_build_selectors(chain, &scope, true);
}

void ike_initiator_signed(struct ike_sa *sa)
{
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	sa->handshake->run_own = false;
	if (!sa->handshake->work->own_auth.good || !ike_ppk_plain_good(sa)) {
		ike_note_detail(sa, sa->handshake->work->own_auth.why);
		ike_sa_end(sa, IKE_REASON_CRYPTO);
		return;
	}
	build_auth_request(sa, &chain);
	ike_nat_float(sa);
	ike_sa_set_state(sa, IKE_SA_AUTH_SENT);
	ike_send_sealed_request(sa, IKE_EXCHANGE_IKE_AUTH, &chain);
	ike_tell_stage(sa, IKE_STAGE_AUTH_SENT);
}

void ike_take_auth_response(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_notify error;
	bool has_error = ike_notify_find_error(inner, &error);

	ike_tell_stage(sa, IKE_STAGE_AUTH_RECEIVED);
	ike_request_answered(sa);
	if (has_error && error.type == IKE_NOTIFY_TS_UNACCEPTABLE && sa->nat)
		ike_note_detail(sa, "a NAT is between");
	if (has_error && error.type == IKE_NOTIFY_AUTHENTICATION_FAILED && sa->handshake->use_ppk)
		ike_note_detail(sa, "the peer may have another PPK");
	if (has_error && !ike_message_find(inner, IKE_PAYLOAD_AUTH)) {
		ike_sa_end(sa, ike_reason_of(error.type));
		return;
	}
	if (inner->unsupported || !ike_read_proof(sa, inner, IKE_PAYLOAD_IDr) ||
		!ike_read_child_offer(sa, inner)) {
		ike_sa_delete(sa, IKE_REASON_INVALID_SYNTAX);
		return;
	}
	sa->handshake->child_error = has_error ? error.type : 0;
	if (!ike_peer_id_good(sa) || !ike_ppk_take_response(sa, inner) || !ike_prepare_auth(sa, false)) {
		ike_sa_delete(sa, IKE_REASON_AUTHENTICATION);
		return;
	}
	ike_sa_set_state(sa, IKE_SA_VERIFYING);
	ike_start_auth_job(sa);
}

/* RFC 6023: the IKE SA is all that was wanted. */
static void establish_childless(struct ike_sa *sa)
{
	sa->confirmed = true;
	ike_sa_set_state(sa, IKE_SA_INSTALLING); /* of nothing */
	ike_sa_set_state(sa, IKE_SA_ESTABLISHED);
	ike_sa_forget_handshake(sa);
	ike_tell_childless(sa);
	ike_anonymous_admit(sa);
}

void ike_initiator_verified(struct ike_sa *sa)
{
	struct ike_handshake *h = sa->handshake;
	struct ike_child_seed seed;
	struct ike_scope scope;
	bool transport = ike_in_transport(sa, h->work->selectors.transport);

	h->run_peer = false;
	if (!ike_peer_auth_good(sa)) {
		ike_sa_delete(sa, IKE_REASON_AUTHENTICATION);
		return;
	}
	if (ike_sa_conn(sa)->childless && h->childless && !h->child_error) {
		establish_childless(sa);
		return;
	}
	if (h->child_error) {
		ike_sa_delete(sa, ike_reason_of(h->child_error));
		return;
	}
	if (!h->has_child_offer || h->work->esp_choice != IKE_CHOICE_MADE) {
		ike_sa_delete(sa, IKE_REASON_NO_PROPOSAL);
		return;
	}
	if (!ike_is_granted(&h->work->selectors, &sa->selector, &scope)) {
		ike_sa_delete(sa, IKE_REASON_TS_UNACCEPTABLE);
		return;
	}
	seed = (struct ike_child_seed){.ni = &h->work->ni, .nr = &h->work->nr, .initiator = true};
	ike_sa_set_state(sa, IKE_SA_INSTALLING);
	if (!ike_child_install(h->child, &scope, transport ? IPSEC_TRANSPORT : IPSEC_TUNNEL, &h->work->esp,
		    &seed))
		ike_sa_delete(sa, IKE_REASON_CRYPTO);
}

void ike_initiator_installed(struct ike_sa *sa, bool good)
{
	struct ike_child_sa *child = sa->handshake->child;

	if (!good) {
		ike_sa_delete(sa, IKE_REASON_INSTALL);
		return;
	}
	sa->confirmed = true;
	ike_tell_stage(sa, IKE_STAGE_INSTALLED);
	ike_sa_set_state(sa, IKE_SA_ESTABLISHED);
	ike_sa_forget_handshake(sa);
	ike_child_set_up(child);
	ike_settle_crossing(child);
	ike_anonymous_admit(sa);
}
