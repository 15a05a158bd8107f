/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IKE SA: its life, tables, state door and place in the timer heap (sa.h). */
#include "ike/anonymous.h"
#include "ike/create.h"
#include "ike/ppk.h"
#include "ike/wish.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define SERVED_GRACE_US 1000000u
/* A worker signs so often with RSA in three seconds. */
#define ERRANDS_MAX 2000

const char *ike_sa_state_name(enum ike_sa_state state)
{
	switch (state) {
	case IKE_SA_INITIATING:
		return "INITIATING";
	case IKE_SA_INTERMEDIATE:
		return "INTERMEDIATE";
	case IKE_SA_SIGNING:
		return "SIGNING";
	case IKE_SA_AUTH_SENT:
		return "AUTH_SENT";
	case IKE_SA_VERIFYING:
		return "VERIFYING";
	case IKE_SA_HALF_OPEN:
		return "HALF_OPEN";
	case IKE_SA_CHECKING:
		return "CHECKING";
	case IKE_SA_INSTALLING:
		return "INSTALLING";
	case IKE_SA_ESTABLISHED:
		return "ESTABLISHED";
	case IKE_SA_DELETING:
		return "DELETING";
	case IKE_SA_DEAD:
		return "DEAD";
	}
	return "?";
}

void ike_kept_clear(struct ike_kept *kept)
{
	free(kept->data);
	*kept = (struct ike_kept){0};
}

void ike_kept_set(struct ike_kept *kept, const uint8_t *data, size_t len)
{
	uint8_t *copy = mem_dup(data, len);

	ike_kept_clear(kept);
	kept->data = copy;
	kept->len = len;
}

/* --- when an SA is due ----------------------------------------------------------------------- */

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* An IKE SA whose CHILD SAs are gone, and that nobody asks for another, has no use; the peer may say so first. */
static bool has_served(const struct ike_sa *sa)
{
	return sa->state == IKE_SA_ESTABLISHED && sa->had_child && !sa->children && !ike_wishes_of(sa) &&
	       !sa->ours && !sa->theirs && !sa->is_replaced;
}

void ike_sa_schedule(struct ike_sa *sa)
{
	uint64_t due;

	if (sa->state == IKE_SA_DEAD)
		return;
	if (sa->delete_us == IKE_NEVER && has_served(sa)) {
		sa->delete_us = sa->ike->now_us + SERVED_GRACE_US;
		sa->delete_reason = IKE_REASON_IDLE;
	}
	due = earliest(sa->delete_us, sa->expire_us);
	/* While a worker has what came, or what is to be sent, nobody is late but we. */
	if (!ike_sa_has_job(sa)) {
		due = earliest(due, sa->fail_us);
		if (sa->request.message.data)
			due = earliest(due, earliest(sa->request.next_us, sa->request.give_up_us));
	}
	if (sa->response.data)
		due = earliest(due, sa->forget_response_us);
	if (sa->state == IKE_SA_ESTABLISHED && !sa->request.message.data)
		due = earliest(due, ike_rekey_due(sa));
	due = earliest(due, ike_wishes_due(sa));
	due = earliest(due, ike_live_due(sa));
	due = earliest(due, ike_keepalive_due(sa));
	due = earliest(due, ike_followup_give_up(sa));
	due = earliest(due, ike_pieces_due(sa));
	heap_set(&sa->ike->due, &sa->due, due);
}

/* --- tables ------------------------------------------------------------------------------------ */

/* An SA without a connection (it is gone, or never was) only fails or says goodbye. */
const struct ike_conn *ike_sa_conn(const struct ike_sa *sa)
{
	static char nameless[] = "";
	static const struct ike_conn none = {.name = nameless,
		.local_auth = IKE_AUTH_UNAVAILABLE,
		.remote_auth = IKE_AUTH_UNAVAILABLE,
		.retransmit_interval_ms = 250,
		.retransmit_timeout_ms = 3000};
	const struct ike_config *config = &sa->ike->config;

	return sa->conn < config->conn_count ? &config->conns[sa->conn] : &none;
}

struct crypto_random ike_random(struct ike *ike)
{
	return (struct crypto_random){.fill = ike->ops.random, .arg = ike->arg};
}

uint64_t ike_fresh_spi(struct ike *ike)
{
	struct ike_sa *taken;
	uint64_t spi;

	do {
		ike->ops.random(ike->arg, &spi, sizeof(spi));
		HASH_FIND(by_spi, ike->by_spi, &spi, sizeof(spi), taken);
	} while (spi == 0 || taken);
	return spi;
}

void ike_sa_set_own_spi(struct ike_sa *sa, uint64_t spi)
{
	HASH_DELETE(by_spi, sa->ike->by_spi, sa);
	sa->own_spi = spi;
	HASH_ADD(by_spi, sa->ike->by_spi, own_spi, sizeof(sa->own_spi), sa);
}

struct ike_sa *ike_sa_new(struct ike *ike, enum ike_role role, const struct path *path, size_t conn)
{
	struct ike_sa *sa = mem_new(struct ike_sa);

	sa->ike = ike;
	sa->id = ++ike->last_id;
	sa->role = role;
	sa->came_to_us = role == IKE_RESPONDER;
	sa->state = role == IKE_INITIATOR ? IKE_SA_INITIATING : IKE_SA_HALF_OPEN;
	sa->path = *path;
	sa->conn = conn;
	sa->local_auth = (uint8_t)ike_sa_conn(sa)->local_auth;
	sa->remote_auth = (uint8_t)ike_sa_conn(sa)->remote_auth;
	sa->fail_us = sa->delete_us = sa->expire_us = sa->rekey_us = IKE_NEVER;
	sa->created_us = sa->heard_us = ike->now_us;
	sa->handshake = mem_new(struct ike_handshake);
	sa->own_spi = ike_fresh_spi(ike);
	HASH_ADD(by_id, ike->by_id, id, sizeof(sa->id), sa);
	HASH_ADD(by_spi, ike->by_spi, own_spi, sizeof(sa->own_spi), sa);
	if (role == IKE_RESPONDER)
		ike->counters.half_open++;
	return sa;
}

/* To be freed when the public call ends. */
static void bury(struct ike_sa *sa)
{
	sa->next_dead = sa->ike->dead;
	sa->ike->dead = sa;
}

void ike_errand_begin(struct ike_errand *errand, struct ike_sa *sa, const struct ike_job *job,
	void (*done)(struct ike_sa *sa))
{
	struct ike *ike = sa->ike;
	struct ike_job numbered = *job;

	numbered.id = ++ike->last_id;
	if (sa->role == IKE_INITIATOR)
		numbered.rank = IKE_JOB_OURS;
	errand->sa = sa;
	errand->job = numbered.id;
	errand->done = done;
	HASH_ADD(by_job, ike->by_job, job, sizeof(errand->job), errand);
	ike->ops.job(ike->arg, &numbered);
}

void ike_errand_end(struct ike_errand *errand)
{
	HASH_DELETE(by_job, errand->sa->ike->by_job, errand);
	errand->job = 0;
	if (errand->sa->state == IKE_SA_DEAD)
		bury(errand->sa);
}

bool ike_sa_has_job(const struct ike_sa *sa)
{
	const struct ike_handshake *h = sa->handshake;

	return h && (h->agreement || (h->work && h->work->errand.job));
}

bool ike_errands_admit(const struct ike *ike)
{
	return HASH_CNT(by_job, ike->by_job) < ERRANDS_MAX;
}

void ike_sa_take_keys(struct ike_sa *sa, struct ike_keys *keys)
{
	sa->keys = mem_dup(keys, sizeof(*keys));
	*keys = (struct ike_keys){0};
	ike_tell_keys(sa);
}

static struct ike_peer_key peer_key(uint64_t spi_i, const struct endpoint *remote)
{
	struct ike_peer_key key;
	struct writer w = writer_init(key.bytes, sizeof(key.bytes));

	writer_u64(&w, spi_i);
	writer_u8(&w, remote->addr.family);
	writer_bytes(&w, remote->addr.bytes, sizeof(remote->addr.bytes));
	writer_u16(&w, remote->port);
	return key;
}

void ike_sa_track_peer(struct ike_sa *sa)
{
	sa->peer_key = peer_key(sa->spi_i, &sa->path.remote);
	sa->peer_tracked = true;
	HASH_ADD(by_peer, sa->ike->by_peer, peer_key, sizeof(sa->peer_key), sa);
}

struct ike_sa *ike_find_half_open(struct ike *ike, const struct path *path, uint64_t spi_i)
{
	struct ike_peer_key key = peer_key(spi_i, &path->remote);
	struct ike_sa *sa;

	HASH_FIND(by_peer, ike->by_peer, &key, sizeof(key), sa);
	return sa;
}

bool ike_sa_is_half_open(const struct ike_sa *sa)
{
	return sa->role == IKE_RESPONDER && sa->state != IKE_SA_ESTABLISHED &&
	       sa->state != IKE_SA_DELETING && sa->state != IKE_SA_DEAD;
}

static void free_work(struct ike_auth_work *work)
{
	if (!work)
		return;
	auth_task_clear(&work->own_auth);
	auth_task_clear(&work->peer_auth);
	ike_ppk_free(work->ppk);
	ike_kept_clear(&work->peer_proof);
	cert_chain_clear(&work->peer_chain);
	free(work);
}

void ike_sa_forget_handshake(struct ike_sa *sa)
{
	struct ike_handshake *handshake = sa->handshake;

	if (!handshake)
		return;
	kex_clear(&handshake->kex);
	ike_agreement_free(handshake->agreement);
	ike_kept_clear(&handshake->init_request);
	ike_kept_clear(&handshake->init_response);
	free_work(handshake->work);
	ike_intermediate_free(handshake->intermediate);
	free(handshake);
	sa->handshake = NULL;
}

static void leave_tables(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;

	heap_remove(&ike->due, &sa->due);
	HASH_DELETE(by_id, ike->by_id, sa);
	HASH_DELETE(by_spi, ike->by_spi, sa);
	if (sa->peer_tracked)
		HASH_DELETE(by_peer, ike->by_peer, sa);
	ike_contact_remove(sa);
	ike_route_remove(sa);
	ike_anonymous_remove(sa);
	ike_children_forget(sa);
	/* A worker reads its tasks: then it is when that has ended. */
	if (!ike_sa_has_job(sa))
		bury(sa);
}

/* One bit for each state that may follow. */
#define BIT(state) (1u << (state))

static unsigned successors(enum ike_sa_state state)
{
	switch (state) {
	case IKE_SA_INITIATING: /* ESTABLISHED: as the successor of another */
		return BIT(IKE_SA_INTERMEDIATE) | BIT(IKE_SA_SIGNING) | BIT(IKE_SA_ESTABLISHED) |
		       BIT(IKE_SA_DEAD);
	case IKE_SA_INTERMEDIATE:
		return BIT(IKE_SA_INTERMEDIATE) | BIT(IKE_SA_SIGNING) | BIT(IKE_SA_DEAD);
	case IKE_SA_SIGNING:
		return BIT(IKE_SA_AUTH_SENT) | BIT(IKE_SA_DEAD);
	case IKE_SA_AUTH_SENT:
		return BIT(IKE_SA_VERIFYING) | BIT(IKE_SA_DELETING) | BIT(IKE_SA_DEAD);
	case IKE_SA_VERIFYING:
		return BIT(IKE_SA_INSTALLING) | BIT(IKE_SA_DELETING) | BIT(IKE_SA_DEAD);
	case IKE_SA_HALF_OPEN: /* ESTABLISHED: as the successor of another */
		return BIT(IKE_SA_CHECKING) | BIT(IKE_SA_ESTABLISHED) | BIT(IKE_SA_DEAD);
	case IKE_SA_CHECKING:
		return BIT(IKE_SA_INSTALLING) | BIT(IKE_SA_ESTABLISHED) | BIT(IKE_SA_DEAD);
	case IKE_SA_INSTALLING:
		return BIT(IKE_SA_ESTABLISHED) | BIT(IKE_SA_DELETING) | BIT(IKE_SA_DEAD);
	case IKE_SA_ESTABLISHED:
		return BIT(IKE_SA_DELETING) | BIT(IKE_SA_DEAD);
	case IKE_SA_DELETING:
		return BIT(IKE_SA_DEAD);
	case IKE_SA_DEAD:
		break;
	}
	return 0;
}

static void enter_established(struct ike_sa *sa)
{
	struct ike *ike = sa->ike;

	sa->established_us = sa->heard_us = sa->looked_us = ike->now_us;
	sa->expire_us = IKE_NEVER;
	ike_rekey_plan_sa(sa);
	ike_contact_add(sa);
	ike_route_add(sa);
	ike_anonymous_add(sa);
	ike->counters.established++;
	ike->counters.sas++;
}

void ike_sa_set_state(struct ike_sa *sa, enum ike_sa_state state)
{
	bool was_half_open = ike_sa_is_half_open(sa);
	bool was_counted = sa->state == IKE_SA_ESTABLISHED || sa->state == IKE_SA_DELETING;

	if (!(successors(sa->state) & BIT(state)))
		return;
	sa->state = state;
	if (was_half_open && !ike_sa_is_half_open(sa)) {
		sa->ike->counters.half_open--;
		ike_guard_uncount(sa);
	}
	if (state == IKE_SA_ESTABLISHED)
		enter_established(sa);
	if (state == IKE_SA_DEAD) {
		if (was_counted && sa->established_us)
			sa->ike->counters.sas--;
		leave_tables(sa);
	} else {
		ike_sa_schedule(sa);
	}
}

static void sa_free(struct ike_sa *sa)
{
	ike_sa_forget_handshake(sa);
	if (sa->keys)
		ike_keys_clear(sa->keys);
	free(sa->keys);
	ike_kept_clear(&sa->request.message);
	ike_kept_clear(&sa->response);
	ike_kept_clear(&sa->peer_id);
	free(sa->hosts);
	free(sa->serials);
	free(sa->detail);
	free(sa->rekey_nonce);
	ike_creates_free(sa);
	ike_wishes_free(sa);
	ike_pieces_clear(sa);
	free(sa);
}

void ike_settle(struct ike *ike)
{
	uint64_t due;

	while (ike->dead) {
		struct ike_sa *sa = ike->dead;

		ike->dead = sa->next_dead;
		sa_free(sa);
	}
	ike_forget_retired(ike);
	due = heap_due(&ike->due);
	if (due != ike->timer_us) {
		ike->timer_us = due;
		ike->ops.timer(ike->arg, due);
	}
}
