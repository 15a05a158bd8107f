/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refused peers (refusals.h): a small array, searched from its beginning. */
#include "daemon/refusals.h"

#include "daemon/tell.h"
#include "lib/log.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define REMEMBERED 64
#define SECOND_US UINT64_C(1000000)
#define LIFE_US (3600 * SECOND_US)

struct refusal {
	struct addr remote, local; /* no family: the place is free */
	uint64_t at_us;
	char reason[160];
};

struct refusals {
	struct refusal list[REMEMBERED];
	uint64_t next_log_us; /* not before is another one logged */
};

struct refusals *refusals_new(void)
{
	return mem_new(struct refusals);
}

void refusals_free(struct refusals *refusals)
{
	free(refusals);
}

/* That of the address, else a free place, else the oldest. */
static struct refusal *place_for(struct refusals *refusals, const struct addr *remote)
{
	struct refusal *oldest = &refusals->list[0];

	for (size_t i = 0; i < REMEMBERED; i++) {
		struct refusal *refusal = &refusals->list[i];

		if (addr_equal(&refusal->remote, remote))
			return refusal;
		if (refusal->at_us < oldest->at_us)
			oldest = refusal;
	}
	return oldest;
}

void refusals_note(struct refusals *refusals, const struct ike_event *event, uint64_t now_us)
{
	struct refusal *refusal = place_for(refusals, &event->path.remote.addr);
	char remote[ADDR_TEXT], *reason = tell_reason(event);

	refusal->remote = event->path.remote.addr;
	refusal->local = event->path.local.addr;
	refusal->at_us = now_us;
	snprintf(refusal->reason, sizeof(refusal->reason), "%s", reason);
	free(reason);
	if (now_us < refusals->next_log_us)
		return;
	refusals->next_log_us = now_us + SECOND_US;
	log_info("peer %s: refused: %s", addr_format(&refusal->remote, remote), refusal->reason);
}

void refusals_forget(struct refusals *refusals, const struct addr *remote)
{
	for (size_t i = 0; i < REMEMBERED; i++) {
		if (addr_equal(&refusals->list[i].remote, remote))
			refusals->list[i] = (struct refusal){0};
	}
}

void refusals_report(const struct refusals *refusals, uint64_t now_us, json_t *array)
{
	for (size_t i = 0; i < REMEMBERED; i++) {
		const struct refusal *refusal = &refusals->list[i];
		char local[ADDR_TEXT], remote[ADDR_TEXT];

		if (refusal->remote.family == ADDR_NONE || now_us - refusal->at_us > LIFE_US)
			continue;
		json_array_append_new(array,
			json_pack("{s:s,s:s,s:s,s:s,s:f,s:s}", "local",
				addr_format(&refusal->local, local), "remote",
				addr_format(&refusal->remote, remote), "state", "refused", "trigger",
				"inbound", "since_s", (double)(now_us - refusal->at_us) / 1e6, "reason",
				refusal->reason));
	}
}
