/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the log and the timelines say of negotiations, tunnels and flows: in words for people. */
#ifndef DAEMON_TELL_H
#define DAEMON_TELL_H

#include "ike/ike.h"
#include "policy/policy.h"

struct trace;

/* A step of a negotiation. */
void tell_stage(struct trace *trace, const struct ike_event *event, uint64_t now_us);
/* Why something failed: the reason, and what is known more exactly. For free(). */
char *tell_reason(const struct ike_event *event);
/* The kinds of traffic that a pair is for: "tcp 0 443, udp 0 53". Returns `out`. */
const char *tell_traffic(const struct sa_pair *pair, char *out, size_t room);
/* A tunnel stands. */
void tell_up(const struct ike_child *child);
/* A flow has another state. */
void tell_flow(struct trace *trace, const struct policy_flow *flow, enum policy_state old,
	const char *reason, uint64_t now_us);

#endif
