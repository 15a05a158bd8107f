/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's public face (ike.h): which SA a datagram, a result or the time
 * is for. What happens then is in the file of the role or exchange.
 */
#include "ike/create.h"
#include "ike/sa.h"

#include "ike/engine_config.h"
#include "ike/nat.h"
#include "ike/proposal.h"
#include "ike/sk.h"
#include "ike/wish.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXCHANGE_IN_HEADER 18

struct ike *ike_new(const struct ike_ops *ops, void *arg, const struct ike_config *config)
{
	struct ike *ike = mem_new(struct ike);

	ike->ops = *ops;
	ike->arg = arg;
	ike->timer_us = IKE_NEVER;
	ike_config_copy(&ike->config, config);
	return ike;
}

void ike_free(struct ike *ike)
{
	struct ike_errand *errand, *next_errand;
	struct ike_sa *sa, *next;

	if (!ike)
		return;
	HASH_ITER (by_id, ike->by_id, sa, next) {
		/* Silent: the owner goes too, nobody is to be told. */
		ike_sa_set_state(sa, IKE_SA_DEAD);
	}
	HASH_ITER (by_job, ike->by_job, errand, next_errand)
		ike_errand_end(errand);
	ike_settle(ike);
	ike_guard_free(ike);
	ike_rtts_free(ike);
	ike_config_clear(&ike->config);
	heap_clear(&ike->due);
	heap_clear(&ike->sites_by_weight);
	free(ike);
}

/* --- datagrams -------------------------------------------------------------------------------- */

static struct ike_sa *find_by_spi(struct ike *ike, uint64_t spi)
{
	struct ike_sa *sa;

	HASH_FIND(by_spi, ike->by_spi, &spi, sizeof(spi), sa);
	return sa;
}

static uint64_t own_spi_in(const struct ike_header *header)
{
	return header->flags & IKE_FLAG_INITIATOR ? header->spi_r : header->spi_i;
}

/*
 * The SA that a message belongs to. The sender's role, both SPIs and the
 * peer's address must fit: there is no MOBIKE here (N10). An initiator may go
 * to port 4500 for IKE_AUTH although no NAT is there (2.23; strongSwan does).
 */
static struct ike_sa *find_sa(
	struct ike *ike, const struct path *path, const struct ike_header *header)
{
	bool from_initiator = header->flags & IKE_FLAG_INITIATOR;
	struct ike_sa *sa = find_by_spi(ike, own_spi_in(header));

	if (!sa || from_initiator != (sa->role == IKE_RESPONDER) || header->spi_i != sa->spi_i ||
		!addr_equal(&sa->path.remote.addr, &path->remote.addr) ||
		!addr_equal(&sa->path.local.addr, &path->local.addr) ||
		(sa->role == IKE_INITIATOR && !(sa->nat & IKE_NAT_THERE) &&
			sa->path.remote.port != path->remote.port))
		return NULL;
	if (sa->spi_r && header->spi_r != sa->spi_r)
		return NULL;
	return sa;
}

static void take_protected_response(struct ike_sa *sa, const struct ike_message *inner)
{
	switch (sa->state) {
	case IKE_SA_INTERMEDIATE:
		ike_take_intermediate_response(sa, inner);
		break;
	case IKE_SA_AUTH_SENT:
		ike_take_auth_response(sa, inner);
		break;
	case IKE_SA_ESTABLISHED:
		if (inner->header.exchange == IKE_EXCHANGE_CREATE_CHILD_SA)
			ike_take_create_response(sa, inner);
		else if (inner->header.exchange == IKE_EXCHANGE_IKE_FOLLOWUP_KE)
			ike_take_followup_response(sa, inner);
		else
			ike_take_informational_answer(sa);
		break;
	case IKE_SA_DELETING:
		ike_take_informational_answer(sa);
		break;
	case IKE_SA_INITIATING:
	case IKE_SA_SIGNING:
	case IKE_SA_VERIFYING:
	case IKE_SA_HALF_OPEN:
	case IKE_SA_CHECKING:
	case IKE_SA_INSTALLING:
	case IKE_SA_DEAD:
		break;
	}
}

static void take_protected_request(struct ike_sa *sa, const struct ike_message *inner)
{
	bool established = sa->state == IKE_SA_ESTABLISHED || sa->state == IKE_SA_DELETING;

	if (inner->header.exchange == IKE_EXCHANGE_IKE_AUTH && sa->state == IKE_SA_HALF_OPEN)
		ike_take_auth_request(sa, inner);
	else if (inner->header.exchange == IKE_EXCHANGE_IKE_INTERMEDIATE && sa->state == IKE_SA_HALF_OPEN)
		ike_take_intermediate_request(sa, inner);
	else if (inner->header.exchange == IKE_EXCHANGE_INFORMATIONAL && established)
		ike_take_informational(sa, inner);
	else if (inner->header.exchange == IKE_EXCHANGE_CREATE_CHILD_SA && established)
		ike_take_create_request(sa, inner);
	else if (inner->header.exchange == IKE_EXCHANGE_IKE_FOLLOWUP_KE && established)
		ike_take_followup_request(sa, inner);
}

/* Authentic but senseless content: the exchange is answered, or over (2.21.2). */
static void take_malformed(struct ike_sa *sa, bool is_response, uint32_t id, uint8_t exchange)
{
	uint8_t buffer[64];
	struct ike_builder chain = ike_build_chain(buffer, sizeof(buffer));

	sa->ike->counters.malformed++;
	if (sa->state == IKE_SA_HALF_OPEN)
		ike_tell_refused(sa, IKE_REASON_INVALID_SYNTAX);
	if (!is_response) {
		ike_notify_build(&chain, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
		ike_send_sealed_response(sa, exchange, id, &chain);
	}
	ike_sa_end(sa, IKE_REASON_INVALID_SYNTAX);
}

/*
 * RFC 9242: counts what came in IKE_INTERMEDIATE to what AUTH covers. False for
 * one that is out of place, or has payloads in the clear: none that we know has.
 */
static bool note_intermediate(struct ike_sa *sa, const struct ike_message *outer, const uint8_t *data,
	const struct ike_message *inner)
{
	bool from_initiator = outer->header.flags & IKE_FLAG_INITIATOR;
	bool in_place = sa->state == (from_initiator ? IKE_SA_HALF_OPEN : IKE_SA_INTERMEDIATE);

	if (outer->header.exchange != IKE_EXCHANGE_IKE_INTERMEDIATE)
		return true;
	return in_place && sa->handshake->use_intermediate && outer->count == 1 &&
	       ike_intermediate_cover(
		       sa, data, from_initiator, inner->first, inner->content, inner->content_len);
}

static void take_protected(
	struct ike_sa *sa, const struct ike_message *message, const uint8_t *data, size_t len)
{
	bool is_response = message->header.flags & IKE_FLAG_RESPONSE;
	uint8_t plain[IKE_MESSAGE_MAX];
	enum ike_sk_result result;
	struct ike_message inner;

	if (!sa->keys) {
		if (sa->role == IKE_INITIATOR || !ike_responder_hold(sa, data, len))
			sa->ike->counters.bad_icv++;
		return;
	}
	if (!ike_message_find(message, IKE_PAYLOAD_SKF))
		result = ike_sk_open(sa->keys, data, len, message, plain, &inner);
	else if (!ike_take_piece(sa, message, data, len, plain, &inner, &result))
		goto wipe; /* more pieces are to come */
	switch (result) {
	case IKE_SK_FORGED:
		sa->ike->counters.bad_icv++;
		break;
	case IKE_SK_MALFORMED:
		take_malformed(sa, is_response, message->header.id, message->header.exchange);
		break;
	case IKE_SK_OPENED:
		if (!note_intermediate(sa, message, data, &inner))
			break;
		sa->confirmed = sa->state == IKE_SA_ESTABLISHED;
		if (is_response)
			take_protected_response(sa, &inner);
		else {
			/* Of what is at work a copy may come from anywhere. */
			if (!sa->request_taken)
				ike_nat_follow(sa);
			sa->request_taken = true;
			ike_live_heard(sa);
			take_protected_request(sa, &inner);
			ike_sa_schedule(sa);
		}
		break;
	}
wipe:
	secret_wipe(plain, sizeof(plain));
}

/* Only the answer to what is in flight counts (2.2). */
static void take_response(
	struct ike_sa *sa, const struct ike_message *message, const uint8_t *data, size_t len)
{
	const struct ike_kept *sent = &sa->request.message;

	if (!sent->data || message->header.id != sa->request.id ||
		message->header.exchange != sent->data[EXCHANGE_IN_HEADER])
		return;
	if (message->header.exchange == IKE_EXCHANGE_IKE_SA_INIT)
		ike_take_init_response(sa, message, data, len);
	else
		take_protected(sa, message, data, len);
}

/* 2.1, RFC 7383 2.6.1: the same bytes again; of a request in pieces, the first asks for them. */
static void repeat_response(struct ike_sa *sa, const struct ike_message *message)
{
	struct ike_place place;

	if (!ike_message_find(message, IKE_PAYLOAD_SKF) ||
		(ike_skf_place(message, &place) && place.number == 1))
		ike_send_again(sa, &sa->response);
}

/*
 * Who stops (ike_shutdown) does not wait for the answer to what it has asked before, and that may have
 * been lost on its way: the peer's window is of one, but its farewell counts one ahead.
 */
static void take_ahead(struct ike_sa *sa, const struct ike_message *message, const uint8_t *data, size_t len)
{
	uint8_t plain[IKE_MESSAGE_MAX];
	struct ike_message inner;

	if (message->header.exchange == IKE_EXCHANGE_INFORMATIONAL && sa->state == IKE_SA_ESTABLISHED &&
		ike_sk_open(sa->keys, data, len, message, plain, &inner) == IKE_SK_OPENED &&
		ike_is_farewell(&inner))
		ike_take_informational(sa, &inner);
	secret_wipe(plain, sizeof(plain));
}

static void take_request(
	struct ike_sa *sa, const struct ike_message *message, const uint8_t *data, size_t len)
{
	if (message->header.id + 1 == sa->expected && sa->response.data &&
		message->header.exchange == sa->response.data[EXCHANGE_IN_HEADER] &&
		message->header.exchange != IKE_EXCHANGE_IKE_SA_INIT)
		repeat_response(sa, message);
	else if (message->header.id == sa->expected &&
		 message->header.exchange != IKE_EXCHANGE_IKE_SA_INIT)
		take_protected(sa, message, data, len);
	else if (message->header.id == sa->expected + 1)
		take_ahead(sa, message, data, len);
}

static bool is_init_request(const struct ike_header *header)
{
	return header->exchange == IKE_EXCHANGE_IKE_SA_INIT && header->spi_r == 0 &&
	       header->spi_i != 0 && header->id == 0 &&
	       (header->flags & (IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE)) == IKE_FLAG_INITIATOR;
}

#define MAJOR_VERSION 0xf0
#define REFUSAL_INTERVAL_US 100000u

/* 2.5: the sender of a later version is told ours; at a rate that serves nobody as a mirror. */
static void refuse_version(struct ike *ike, const struct path *path, const struct ike_header *request)
{
	struct ike_header header = {.spi_i = request->spi_i,
		.spi_r = request->spi_r,
		.exchange = request->exchange,
		.flags = IKE_FLAG_RESPONSE,
		.id = request->id};
	uint8_t out[64];
	struct ike_builder b = ike_build_message(out, sizeof(out), &header);

	if ((request->flags & IKE_FLAG_RESPONSE) || ike->now_us < ike->next_refusal_us)
		return;
	ike->next_refusal_us = ike->now_us + REFUSAL_INTERVAL_US;
	ike_notify_build(&b, IKE_NOTIFY_INVALID_MAJOR_VERSION, NULL, 0);
	ike->ops.send(ike->arg, path, out, ike_build_finish(&b));
}

/* Whether the header is one of this version; anything else has been dealt with. */
static bool is_our_version(
	struct ike *ike, const struct path *path, const uint8_t *data, size_t len)
{
	struct ike_header header;

	if (!ike_header_parse(data, len, &header))
		return false;
	if ((header.version & MAJOR_VERSION) > IKE_VERSION &&
		ike->ops.conn_for(ike->arg, path) >= 0)
		refuse_version(ike, path, &header);
	return (header.version & MAJOR_VERSION) == IKE_VERSION;
}

/* 2.21.4. An SA that is there, and does not fit the sender, is nobody's business. */
static void take_unknown(struct ike *ike, const struct path *path, const struct ike_header *header)
{
	ike->counters.unknown_spi++;
	if (!find_by_spi(ike, own_spi_in(header)))
		ike_refuse_spi(ike, path, header);
}

/* An unprotected INVALID_IKE_SPI. */
static bool doubts(const struct ike_message *message)
{
	struct ike_notify notify;

	return (message->header.flags & IKE_FLAG_RESPONSE) &&
	       message->header.exchange != IKE_EXCHANGE_IKE_SA_INIT &&
	       ike_notify_find(message, IKE_NOTIFY_INVALID_IKE_SPI, &notify);
}

/* 1.5: outside of any SA, somebody does not know an SPI that we send on. */
static bool is_notice(const struct ike_message *message, struct ike_notify *notify)
{
	return message->header.exchange == IKE_EXCHANGE_INFORMATIONAL &&
	       !(message->header.flags & IKE_FLAG_RESPONSE) &&
	       !ike_message_find(message, IKE_PAYLOAD_SK) && !ike_message_find(message, IKE_PAYLOAD_SKF) &&
	       ike_notify_find(message, IKE_NOTIFY_INVALID_SPI, notify);
}

/* Anybody may have written it: at most it is a doubt, and it is never answered. */
static void take_notice(struct ike *ike, const struct path *path, const struct ike_notify *notify)
{
	struct reader r = reader_init(notify->data, notify->len);
	uint32_t spi = reader_u32(&r);
	struct ike_child_sa *child;

	if (!reader_done(&r) || !ike->ops.outbound)
		return;
	child = ike_child_find(ike, ike->ops.outbound(ike->arg, &path->remote.addr, spi));
	if (child && addr_equal(&child->sa->path.remote.addr, &path->remote.addr))
		ike_live_doubt(child->sa);
}

void ike_take_datagram(struct ike *ike, const struct path *path, const uint8_t *data, size_t len)
{
	struct ike_message message;
	struct ike_notify notify;
	struct ike_sa *sa;

	ike->from = path;
	if (len > IKE_MESSAGE_MAX || !is_our_version(ike, path, data, len) ||
		!ike_message_parse(data, len, &message)) {
		ike->counters.malformed++;
		return;
	}
	if (is_init_request(&message.header)) {
		ike_take_init_request(ike, path, &message, data, len);
		return;
	}
	if (is_notice(&message, &notify)) {
		take_notice(ike, path, &notify);
		return;
	}
	sa = find_sa(ike, path, &message.header);
	if (!sa)
		take_unknown(ike, path, &message.header);
	else if (doubts(&message))
		ike_live_doubt(sa);
	else if (message.header.flags & IKE_FLAG_RESPONSE)
		take_response(sa, &message, data, len);
	else
		take_request(sa, &message, data, len);
}

void ike_datagram(struct ike *ike, const struct path *path, const uint8_t *data, size_t len,
	uint64_t now_us)
{
	ike->now_us = now_us;
	ike->counters.datagrams++;
	ike_take_datagram(ike, path, data, len);
	ike_settle(ike);
}

/* N5: only what quotes the datagram that we have in flight, and only while a negotiation lasts. */
void ike_unreachable(struct ike *ike, const struct path *path, const uint8_t *quoted, size_t len,
	uint64_t now_us)
{
	struct reader r = reader_init(quoted, len);
	struct ike_sa *sa = find_by_spi(ike, reader_u64(&r));

	ike->now_us = now_us;
	if (r.failed || !sa || sa->role != IKE_INITIATOR || sa->established_us ||
		!addr_equal(&sa->path.remote.addr, &path->remote.addr))
		return;
	if (ike_is_in_flight(sa, quoted, len))
		ike_soft_failure(sa, IKE_REASON_UNREACHABLE);
	ike_settle(ike);
}

/* --- time ------------------------------------------------------------------------------------------ */

static void sa_tick(struct ike_sa *sa)
{
	uint64_t now_us = sa->ike->now_us;
	bool has_job = ike_sa_has_job(sa);

	if (ike_keepalive_tick(sa) || ike_response_tick(sa) || ike_pieces_tick(sa) ||
		ike_followup_tick(sa) || ike_wishes_tick(sa))
		return;
	if (now_us >= sa->fail_us && !has_job)
		ike_sa_end(sa, sa->fail_reason);
	else if (now_us >= sa->expire_us)
		ike_sa_end(sa, IKE_REASON_TIMEOUT);
	else if (now_us >= sa->delete_us && sa->delete_reason == IKE_REASON_REDUNDANT)
		ike_drop_redundant(sa);
	else if (now_us >= sa->delete_us)
		ike_sa_delete(sa, sa->delete_reason);
	else if (sa->request.message.data && !has_job)
		ike_request_tick(sa);
	else if (!ike_rekey_tick(sa))
		ike_live_tick(sa);
}

void ike_tick(struct ike *ike, uint64_t now_us)
{
	ike->now_us = now_us;
	ike->timer_us = IKE_NEVER; /* it has fired: it must be set again */
	while (heap_due(&ike->due) <= now_us)
		sa_tick(container_of(heap_first(&ike->due), struct ike_sa, due));
	ike_settle(ike);
}

/* --- commands and results ----------------------------------------------------------------------------- */

uint64_t ike_initiate(struct ike *ike, size_t conn, const struct path *path,
	const struct selector *selector, uint64_t user, uint64_t now_us)
{
	uint64_t id;

	ike->now_us = now_us;
	ike->counters.initiated++;
	id = ike_want(ike, conn, path, selector, user);
	ike_settle(ike);
	return id;
}

static void child_installed(struct ike_child_sa *child, bool good)
{
	struct ike_sa *sa = child->sa;

	if (sa->state == IKE_SA_INSTALLING && sa->role == IKE_INITIATOR)
		ike_initiator_installed(sa, good);
	else if (sa->state == IKE_SA_INSTALLING)
		ike_responder_installed(sa, good);
	else
		ike_create_installed(sa, child, good);
}

void ike_installed(struct ike *ike, uint64_t id, bool good, uint64_t now_us)
{
	struct ike_child_sa *child;

	ike->now_us = now_us;
	child = ike_child_find(ike, id);
	if (child && child->state == IKE_CHILD_INSTALLING)
		child_installed(child, good);
	ike_settle(ike);
}

void ike_job_done(struct ike *ike, uint64_t job, uint64_t now_us)
{
	struct ike_errand *errand;
	struct ike_sa *sa;

	ike->now_us = now_us;
	HASH_FIND(by_job, ike->by_job, &job, sizeof(job), errand);
	if (errand) {
		sa = errand->sa;
		ike_errand_end(errand);
		if (sa->state != IKE_SA_DEAD)
			errand->done(sa);
		ike_sa_schedule(sa);
	}
	ike_settle(ike);
}

void ike_rekey(struct ike *ike, uint64_t id, uint64_t now_us)
{
	struct ike_child_sa *child = ike_child_find(ike, id);

	ike->now_us = now_us;
	if (child && child->state == IKE_CHILD_UP && !ike_rekey_is_begun(child)) {
		child->rekey_us = now_us;
		ike_sa_schedule(child->sa);
	}
	ike_settle(ike);
}

void ike_renew(struct ike *ike, uint64_t id, uint64_t now_us)
{
	struct ike_child_sa *child;
	struct ike_sa *sa;

	ike->now_us = now_us;
	HASH_FIND(by_id, ike->by_id, &id, sizeof(id), sa);
	if (sa && sa->state == IKE_SA_ESTABLISHED) {
		sa->rekey_us = now_us;
		/* They move to its successor, with what is due for them. */
		for (child = sa->children; child; child = child->next) {
			if (child->state == IKE_CHILD_UP)
				child->rekey_us = now_us;
		}
		ike_sa_schedule(sa);
	}
	ike_settle(ike);
}

static bool is_only_child(const struct ike_child_sa *child)
{
	return child == child->sa->children && !child->next && !ike_wishes_of(child->sa);
}

void ike_close_idle(struct ike *ike, uint64_t id, uint64_t now_us)
{
	struct ike_child_sa *child = ike_child_find(ike, id);

	ike->now_us = now_us;
	/* One that is being replaced is not idle for long: its successor has a time of its own. */
	if (child && child->state == IKE_CHILD_UP && child->sa->state == IKE_SA_ESTABLISHED) {
		if (is_only_child(child)) {
			ike_sa_delete(child->sa, IKE_REASON_IDLE);
		} else {
			child->delete_us = now_us;
			ike_sa_schedule(child->sa);
		}
	}
	ike_settle(ike);
}

void ike_end_child(struct ike *ike, uint64_t id, uint64_t now_us)
{
	struct ike_child_sa *child = ike_child_find(ike, id);

	ike->now_us = now_us;
	if (child && (child->state == IKE_CHILD_UP || child->state == IKE_CHILD_REPLACED)) {
		if (is_only_child(child) || child->sa->state != IKE_SA_ESTABLISHED)
			ike_sa_delete(child->sa, IKE_REASON_DELETED);
		else
			ike_child_end(child, IKE_REASON_DELETED);
	}
	ike_settle(ike);
}

void ike_delete(struct ike *ike, uint64_t id, uint64_t now_us)
{
	struct ike_sa *sa;

	ike->now_us = now_us;
	HASH_FIND(by_id, ike->by_id, &id, sizeof(id), sa);
	if (sa && sa->state != IKE_SA_DELETING)
		ike_sa_delete(sa, IKE_REASON_DELETED);
	ike_settle(ike);
}

void ike_shutdown(struct ike *ike, uint64_t now_us)
{
	struct ike_sa *sa, *next;

	ike->now_us = now_us;
	HASH_ITER (by_id, ike->by_id, sa, next) {
		ike_wishes_fail(sa, IKE_REASON_DELETED);
		if (sa->state != IKE_SA_DELETING)
			ike_sa_delete_now(sa, IKE_REASON_DELETED);
	}
	ike_settle(ike);
}

struct ike_counters ike_counters(const struct ike *ike)
{
	return ike->counters;
}

bool ike_sa_info(const struct ike *ike, uint64_t id, struct ike_sa_info *out)
{
	struct ike_sa *sa;

	HASH_FIND(by_id, ike->by_id, &id, sizeof(id), sa);
	if (!sa)
		return false;
	*out = (struct ike_sa_info){.id = id,
		.own_spi = sa->own_spi,
		.role = sa->role,
		.path = sa->path,
		.established = sa->state == IKE_SA_ESTABLISHED,
		.local_auth = sa->local_auth,
		.remote_auth = sa->remote_auth,
		.remote_id = ike_sa_peer_id(sa),
		.has_ppk = sa->has_ppk};
	ike_proposal_format(&sa->chosen, out->proposal);
	return true;
}

const struct cert_hosts *ike_sa_hosts(const struct ike *ike, uint64_t id)
{
	struct ike_sa *sa;

	HASH_FIND(by_id, ike->by_id, &id, sizeof(id), sa);
	return sa ? sa->hosts : NULL;
}
