/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests and responses (RFC 7296 2.1 to 2.3): one request in flight, sent
 * again by its sender alone; the last response kept for some minutes and
 * repeated byte for byte.
 */
#include "ike/sa.h"
#include "ike/wish.h"

#define INTERVAL_MAX_US (1000 * UINT32_C(1000000))
/* Of one answer, and the time between further ones. */
#define REPEATS 16
#define REPEAT_US 250000u
/* N5 */
#define SOFT_WAIT_US 100000u

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t ike_request_budget_us(const struct ike_sa *sa)
{
	return ike_sa_conn(sa)->retransmit_timeout_ms * UINT64_C(1000);
}

/*
 * N4: 250 ms, or twice the round trip that we know where that is longer: an answer to IKE_AUTH
 * takes work, too. But a third of the budget at most, so that what is lost is sent again in it.
 */
static uint32_t first_interval_us(const struct ike_sa *sa)
{
	uint64_t interval_us = ike_sa_conn(sa)->retransmit_interval_ms * UINT64_C(1000);
	uint64_t known_us = least(2 * ike_rtt(sa), ike_request_budget_us(sa) / 3);

	return (uint32_t)least(interval_us > known_us ? interval_us : known_us, INTERVAL_MAX_US);
}

/*
 * A negotiation shares one budget from its start; a later exchange has its own. When our own workers
 * have used it up, the peer still gets the time for one answer: it may have a tunnel with us by then.
 */
static uint64_t give_up_us(const struct ike_sa *sa)
{
	bool later = sa->state == IKE_SA_ESTABLISHED || sa->state == IKE_SA_DELETING;
	uint64_t end_us = (later ? sa->ike->now_us : sa->created_us) + ike_request_budget_us(sa);

	return end_us > sa->request.next_us ? end_us : sa->request.next_us;
}

void ike_send_request(struct ike_sa *sa, const uint8_t *data, size_t len)
{
	struct ike_request *request = &sa->request;

	ike_kept_set(&request->message, data, len);
	request->id = sa->next_request;
	request->sent_us = sa->ike->now_us;
	sa->resent = false;
	request->interval_us = first_interval_us(sa);
	request->next_us = sa->ike->now_us + request->interval_us;
	request->give_up_us = give_up_us(sa);
	/* What comes in from now on is from a peer that is there. */
	if (sa->state == IKE_SA_ESTABLISHED)
		ike_live_look(sa);
	ike_send_kept(sa, &request->message, &sa->path);
}

uint64_t ike_soft_wait_us(const struct ike_sa *sa)
{
	uint64_t known_us = 2 * ike_rtt(sa), now_us = sa->ike->now_us, end_us = sa->request.give_up_us;

	return least(known_us > SOFT_WAIT_US ? known_us : SOFT_WAIT_US, end_us > now_us ? end_us - now_us : 0);
}

void ike_request_forget(struct ike_sa *sa)
{
	ike_kept_clear(&sa->request.message);
	ike_pieces_clear(sa);
	sa->next_request = sa->request.id + 1;
}

void ike_request_answered(struct ike_sa *sa)
{
	ike_rtt_take(sa);
	ike_request_settled(sa);
}

void ike_request_settled(struct ike_sa *sa)
{
	ike_request_forget(sa);
	ike_live_heard(sa);
	sa->doubted = false;
	/* The peer lives: a hint that it would fail (N5) is disproved. */
	sa->soft_failed = false;
	sa->fail_us = IKE_NEVER;
	ike_sa_schedule(sa);
}

void ike_send_response(struct ike_sa *sa, uint32_t id, const uint8_t *data, size_t len)
{
	ike_kept_set(&sa->response, data, len);
	sa->repeats = 0;
	sa->forget_response_us = sa->ike->now_us + IKE_RESPONSE_LIFE_US;
	ike_pieces_clear(sa);
	sa->expected = id + 1;
	sa->request_taken = false;
	ike_send_kept(sa, &sa->response, &sa->path);
}

/*
 * To where it has been asked for (2.11): a NAT may have moved the peer since. Anybody who sees a request
 * can send it again in the peer's name, and a long answer goes to the peer for each. Sixteen are more
 * than an honest peer asks for; then no more than it could ask for.
 */
void ike_send_again(struct ike_sa *sa, const struct ike_kept *response)
{
	if (sa->repeats == REPEATS && sa->ike->now_us - sa->sent_us < REPEAT_US)
		return;
	if (sa->repeats < REPEATS)
		sa->repeats++;
	ike_send_kept(sa, response, sa->ike->from);
}

/* A request that comes once more after that is ignored, not answered anew. */
bool ike_response_tick(struct ike_sa *sa)
{
	if (!sa->response.data || sa->ike->now_us < sa->forget_response_us)
		return false;
	ike_kept_clear(&sa->response);
	ike_sa_schedule(sa);
	return true;
}

/* RFC 9242 3.3.2: what is said in IKE_INTERMEDIATE is said in AUTH once more. */
static bool cover(
	struct ike_sa *sa, const struct ike_header *header, const struct ike_builder *chain, size_t len)
{
	uint8_t bytes[IKE_HEADER_LEN];
	struct writer w = writer_init(bytes, sizeof(bytes));

	ike_header_build(&w, header);
	return ike_intermediate_cover(
		sa, bytes, sa->role == IKE_INITIATOR, chain->first, chain->w.data, len);
}

static size_t seal(struct ike_sa *sa, uint8_t exchange, uint8_t flags, uint32_t id,
	struct ike_builder *chain, uint8_t *out)
{
	struct ike_header header = {.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.exchange = exchange,
		.flags = flags,
		.id = id};
	size_t len = ike_build_finish(chain);

	if (chain->w.failed)
		return 0;
	if (sa->role == IKE_INITIATOR)
		header.flags |= IKE_FLAG_INITIATOR;
	if (exchange == IKE_EXCHANGE_IKE_INTERMEDIATE && sa->handshake && !cover(sa, &header, chain, len))
		return 0;
	return ike_seal(sa, &header, chain->first, chain->w.data, len, out, IKE_SEALED_MAX);
}

void ike_send_sealed_request(struct ike_sa *sa, uint8_t exchange, struct ike_builder *chain)
{
	uint8_t out[IKE_SEALED_MAX];
	size_t len = seal(sa, exchange, 0, sa->next_request, chain, out);

	if (len)
		ike_send_request(sa, out, len);
}

void ike_send_sealed_response(
	struct ike_sa *sa, uint8_t exchange, uint32_t id, struct ike_builder *chain)
{
	uint8_t out[IKE_SEALED_MAX];
	size_t len = seal(sa, exchange, IKE_FLAG_RESPONSE, id, chain, out);

	if (len)
		ike_send_response(sa, id, out, len);
}

void ike_request_resend(struct ike_sa *sa)
{
	if (!sa->request.message.data)
		return;
	sa->resent = true;
	ike_send_kept(sa, &sa->request.message, &sa->path);
	ike_tell_stage(sa, IKE_STAGE_RETRANSMIT);
}

/*
 * Nobody answers, but what the CHILD SAs carry says that the peer is there: its daemon is dead, or
 * somebody lets ESP pass and not IKE. What works is not torn down for that (K6); we ask on.
 */
static bool asks_on(struct ike_sa *sa)
{
	struct ike_request *request = &sa->request;
	uint64_t now_us = sa->ike->now_us, budget = ike_request_budget_us(sa);

	if (sa->state != IKE_SA_ESTABLISHED || !ike_live_look(sa))
		return false;
	request->interval_us = (uint32_t)least(budget, INTERVAL_MAX_US) / 2;
	request->next_us = now_us + request->interval_us;
	request->give_up_us = now_us + budget;
	ike_sa_schedule(sa);
	return true;
}

void ike_request_tick(struct ike_sa *sa)
{
	struct ike_request *request = &sa->request;
	uint64_t now_us = sa->ike->now_us;

	if (!request->message.data)
		return;
	if (now_us >= request->give_up_us && asks_on(sa))
		return;
	if (now_us >= request->give_up_us) {
		if (sa->state == IKE_SA_ESTABLISHED)
			ike_route_doubt(sa);
		ike_sa_end(sa, sa->established_us ? IKE_REASON_DEAD_PEER : IKE_REASON_TIMEOUT);
		return;
	}
	if (now_us < request->next_us)
		return;
	ike_request_resend(sa);
	if (request->interval_us < INTERVAL_MAX_US)
		request->interval_us *= 2;
	request->next_us = now_us + request->interval_us;
	ike_sa_schedule(sa);
}
