/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys and CAs that a new configuration has replaced. A worker may still sign
 * or verify with them, so each batch waits until every job that was under way
 * when it was replaced has ended. Job ids only grow: that tells.
 */
#include "ike/engine_config.h"
#include "ike/sa.h"
#include "lib/mem.h"

#include <stdlib.h>

struct ike_retired {
	struct ike_config certs; /* nothing else in it */
	uint64_t last_job;	 /* the last that may use them */
	struct ike_retired *next;
};

void ike_retire(struct ike *ike, struct ike_config *old)
{
	struct ike_retired *retired;

	if (!ike->by_job)
		return;
	retired = mem_new(struct ike_retired);
	retired->certs.identities = old->identities;
	retired->certs.identity_count = old->identity_count;
	retired->certs.trusts = old->trusts;
	retired->certs.trust_count = old->trust_count;
	retired->last_job = ike->last_id;
	retired->next = ike->retired;
	ike->retired = retired;
	old->identities = NULL;
	old->trusts = NULL;
	old->identity_count = old->trust_count = 0;
}

/* Reloads are rare: as a rule there is no batch, and this costs a comparison. */
static bool job_before(const struct ike *ike, uint64_t last)
{
	struct ike_errand *errand, *next;

	HASH_ITER (by_job, ike->by_job, errand, next) {
		if (errand->job <= last)
			return true;
	}
	return false;
}

void ike_forget_retired(struct ike *ike)
{
	struct ike_retired **link = &ike->retired;

	while (*link) {
		struct ike_retired *retired = *link;

		if (job_before(ike, retired->last_job)) {
			link = &retired->next;
			continue;
		}
		*link = retired->next;
		ike_config_clear_certs(&retired->certs);
		free(retired);
	}
}
