/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits on what begins negotiations (starts.h). */
#include "daemon/starts.h"

#include "daemon/rates.h"
#include "lib/mem.h"
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STARTS_PER_ANSWER 8
/* A name, and an address: so many at once, then one in so long. */
#define NAME_BURST 64
#define NAME_INTERVAL_US 500000u
#define TARGET_BURST 16
#define TARGET_INTERVAL_US 2000000u
/*
 * While so many negotiations go on, acquires begin no more; lookups and peers
 * that come to us still do. What is turned away waits in the kernel, which asks again.
 */
#define MAX_NEGOTIATIONS 2000
/* Each host that failed is remembered for a while. */
#define MAX_FLOWS 200000

struct starts {
	struct rates *names, *targets;
	uint64_t answer_query; /* the query whose answer is being walked, */
	unsigned in_answer;    /* and how many negotiations it has begun */
	uint64_t refused_acquires;
};

struct starts *starts_new(void)
{
	struct starts *starts = mem_new(struct starts);

	starts->names = rates_new(NAME_BURST, NAME_INTERVAL_US);
	starts->targets = rates_new(TARGET_BURST, TARGET_INTERVAL_US);
	return starts;
}

void starts_free(struct starts *starts)
{
	if (!starts)
		return;
	rates_free(starts->names);
	rates_free(starts->targets);
	free(starts);
}

static bool take(struct rates *rates, const void *key, size_t len, bool only_looks, uint64_t now_us)
{
	return only_looks ? rates_left(rates, key, len, now_us) : rates_take(rates, key, len, now_us);
}

static const char *refuse_target(
	struct starts *starts, const struct addr *remote, bool only_looks, uint64_t now_us)
{
	return take(starts->targets, remote, sizeof(*remote), only_looks, now_us)
		       ? NULL
		       : "too many negotiations with one address";
}

const char *starts_refuse_lookup(struct starts *starts, uint64_t query, const char *qname,
	const struct addr *remote, bool only_looks, uint64_t now_us)
{
	if (starts->answer_query != query) {
		starts->answer_query = query;
		starts->in_answer = 0;
	}
	if (starts->in_answer++ >= MAX_STARTS_PER_ANSWER)
		return "too many addresses in one answer";
	if (!take(starts->names, qname, strlen(qname), only_looks, now_us))
		return "too many negotiations for one name";
	return refuse_target(starts, remote, only_looks, now_us);
}

const char *starts_refuse_acquire(struct starts *starts, const struct policy_counters *counters,
	const struct addr *remote, uint64_t now_us)
{
	const char *why;

	if (counters->negotiating >= MAX_NEGOTIATIONS)
		why = "too many negotiations at once";
	else if (counters->flows >= MAX_FLOWS)
		why = "too many hosts";
	else
		why = refuse_target(starts, remote, false, now_us);
	starts->refused_acquires += why != NULL;
	return why;
}

uint64_t starts_refused_acquires(const struct starts *starts)
{
	return starts->refused_acquires;
}
