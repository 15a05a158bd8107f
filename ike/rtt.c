/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long peers take to answer (N4, N5): so that one that is far away is not
 * asked twice before its answer can be here.
 *
 * An answer to a request that was sent once is a measurement; it is kept by the
 * peer's address and outlives the SA. An answer to one that was sent again tells
 * only how long it took at most, for nobody knows which copy it answers (Karn).
 * That serves this SA until a measurement comes: else a far peer, of which each
 * request is sent twice, would never be measured.
 *
 * A measurement that is longer counts at once, a shorter one by an eighth (RFC
 * 6298): a duplicate is of no use to anybody, a late retransmission rarely matters.
 */
#include "ike/sa.h"
#include "lib/mem.h"

#include <stdlib.h>

/* Under one MiB; of more peers the one that was measured longest ago is forgotten. */
#define PEERS_MAX 8192
/* Routes change. */
#define LIFE_US (3600 * UINT64_C(1000000))

struct ike_rtt {
	struct addr peer;
	uint32_t rtt_us;
	uint64_t noted_us;
	UT_hash_handle hh;
};

/* The table is in the order of the measurements: uthash keeps that of additions. */
static void forget_first(struct ike *ike)
{
	struct ike_rtt *first = ike->rtts;

	HASH_DEL(ike->rtts, first);
	free(first);
}

static bool is_old(const struct ike *ike, const struct ike_rtt *entry)
{
	return ike->now_us - entry->noted_us >= LIFE_US;
}

static struct ike_rtt *find(struct ike *ike, const struct addr *peer)
{
	struct ike_rtt *entry;

	HASH_FIND(hh, ike->rtts, peer, sizeof(*peer), entry);
	return entry && !is_old(ike, entry) ? entry : NULL;
}

uint32_t ike_rtt_note(struct ike *ike, const struct addr *peer, uint32_t rtt_us)
{
	struct ike_rtt *entry;

	while (ike->rtts && is_old(ike, ike->rtts))
		forget_first(ike);
	entry = find(ike, peer);
	if (entry) {
		HASH_DEL(ike->rtts, entry);
		if (rtt_us < entry->rtt_us)
			rtt_us = entry->rtt_us - (entry->rtt_us - rtt_us) / 8;
	} else {
		if (HASH_COUNT(ike->rtts) >= PEERS_MAX)
			forget_first(ike);
		entry = mem_new(struct ike_rtt);
		entry->peer = *peer;
	}
	entry->rtt_us = rtt_us;
	entry->noted_us = ike->now_us;
	HASH_ADD(hh, ike->rtts, peer, sizeof(entry->peer), entry);
	return rtt_us;
}

void ike_rtt_take(struct ike_sa *sa)
{
	uint64_t took_us = sa->ike->now_us - sa->request.sent_us;

	sa->rtt_us = took_us < UINT32_MAX ? (uint32_t)took_us : UINT32_MAX;
	if (!sa->resent)
		sa->rtt_us = ike_rtt_note(sa->ike, &sa->path.remote.addr, sa->rtt_us);
}

uint64_t ike_rtt(const struct ike_sa *sa)
{
	const struct ike_rtt *entry = sa->rtt_us ? NULL : find(sa->ike, &sa->path.remote.addr);

	return entry ? entry->rtt_us : sa->rtt_us;
}

void ike_rtts_free(struct ike *ike)
{
	while (ike->rtts)
		forget_first(ike);
}
