/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key exchange as jobs (agree.h). The worker has the numbers to itself: they leave the handshake for so long. */
#include "ike/agree.h"

#include "lib/mem.h"

#include <stdlib.h>
#include <utlist.h>

/*
 * Of one SA, in memory: one message, whole or in as many pieces as we would make of it. The peer sends
 * again what does not fit.
 */
#define HELD_MAX (IKE_SEALED_MAX + IKE_FRAGMENTS_MAX * sizeof(struct ike_held))

struct ike_agreement {
	struct ike_errand errand;
	struct kex kex;
	uint16_t group;
	uint8_t *peer; /* the peer's value, owned */
	size_t peer_len;
	struct secret shared;
	bool good;
	struct ike_held *held;
	size_t held_bytes;
};

static void run_make(void *data)
{
	struct ike_agreement *agreement = data;
	struct crypto_random random = ike_random(agreement->errand.sa->ike);

	agreement->good = kex_generate(&agreement->kex, agreement->group, &random);
}

static void run_answer(void *data)
{
	struct ike_agreement *agreement = data;
	struct crypto_random random = ike_random(agreement->errand.sa->ike);

	agreement->good = kex_answer(
		&agreement->kex, agreement->group, agreement->peer, agreement->peer_len, &random);
}

static void run_derive(void *data)
{
	struct ike_agreement *agreement = data;

	agreement->good =
		kex_derive(&agreement->kex, agreement->peer, agreement->peer_len, &agreement->shared);
}

static void begin(struct ike_sa *sa, struct ike_agreement *agreement, void (*run)(void *data), ike_agreed done)
{
	struct ike_job job = {.run = run, .data = agreement, .rank = IKE_JOB_BRIEF};

	sa->handshake->agreement = agreement;
	ike_errand_begin(&agreement->errand, sa, &job, done);
}

void ike_agree_make(struct ike_sa *sa, uint16_t group, ike_agreed done)
{
	struct ike_agreement *agreement = mem_new(struct ike_agreement);

	agreement->group = group;
	begin(sa, agreement, run_make, done);
}

static struct ike_agreement *with_peer(const struct ike_ke *peer)
{
	struct ike_agreement *agreement = mem_new(struct ike_agreement);

	agreement->group = peer->group;
	agreement->peer = mem_dup(peer->data, peer->len);
	agreement->peer_len = peer->len;
	return agreement;
}

void ike_agree_answer(struct ike_sa *sa, const struct ike_ke *peer, ike_agreed done)
{
	begin(sa, with_peer(peer), run_answer, done);
}

void ike_agree_derive(struct ike_sa *sa, const struct ike_ke *peer, ike_agreed done)
{
	struct ike_agreement *agreement = with_peer(peer);

	agreement->kex = sa->handshake->kex;
	sa->handshake->kex = (struct kex){0};
	begin(sa, agreement, run_derive, done);
}

bool ike_agree_hold(struct ike_sa *sa, const struct path *path, const uint8_t *data, size_t len)
{
	struct ike_agreement *agreement = sa->handshake->agreement;
	struct ike_held *held;

	if (!agreement || agreement->held_bytes + sizeof(*held) + len > HELD_MAX)
		return false;
	held = mem_new(struct ike_held);
	held->path = *path;
	held->data = mem_dup(data, len);
	held->len = len;
	agreement->held_bytes += sizeof(*held) + len;
	DL_APPEND(agreement->held, held);
	return true;
}

void ike_held_free(struct ike_held *list)
{
	struct ike_held *held, *next;

	DL_FOREACH_SAFE (list, held, next) {
		free(held->data);
		free(held);
	}
}

void ike_agreement_free(struct ike_agreement *agreement)
{
	if (!agreement)
		return;
	kex_clear(&agreement->kex);
	secret_clear(&agreement->shared);
	free(agreement->peer);
	ike_held_free(agreement->held);
	free(agreement);
}

bool ike_agree_take(struct ike_sa *sa, struct secret *shared, struct ike_held **held)
{
	struct ike_handshake *h = sa->handshake;
	struct ike_agreement *agreement = h->agreement;
	bool good = agreement->good;

	kex_clear(&h->kex);
	h->kex = agreement->kex;
	agreement->kex = (struct kex){0};
	if (shared)
		*shared = agreement->shared;
	if (held) {
		*held = agreement->held;
		agreement->held = NULL;
	}
	h->agreement = NULL;
	ike_agreement_free(agreement);
	return good;
}
