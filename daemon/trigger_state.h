/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What trigger.c and commands.c share of the trigger (trigger.h); nobody else includes this. */
#ifndef DAEMON_TRIGGER_STATE_H
#define DAEMON_TRIGGER_STATE_H

#include "daemon/trigger.h"

#include "daemon/tunnels.h"
#include "lib/loop.h"

/* A flow that a reload has taken away. */
struct gone {
	uint64_t id;
	struct dp_flow flow;
};

struct trigger {
	struct trigger_parts parts;
	struct policy *policy;
	struct ike *ike;
	struct jobs *jobs;
	struct tunnels tunnels;
	struct idle *idle;
	struct loop_timer ike_timer;
	struct loop_timer policy_timer;
	struct refusals *refusals;
	struct verify *verify;
	bool flushed;
	struct gone *gone; /* while a reload goes on */
	size_t gone_count;
};

static inline uint64_t now(const struct trigger *trigger)
{
	return loop_now_us(trigger->parts.loop);
}

static inline struct dp_flow to_dp_flow(const struct policy_flow *flow)
{
	return (struct dp_flow){.line = flow->line, .local = flow->local, .remote = flow->remote};
}

/* A dp_done that logs an error; its argument says what could not be done. */
void trigger_warn_if_failed(void *arg, int error);
/* Policy learns which addresses are ours, or those of all hosts of our networks (G6). */
void trigger_set_locals(struct trigger *trigger);

#endif
