/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The resolver's gate: a verdict of policy on an address becomes one for an
 * answer, in the order of cost: the lines, the route, the flow, a negotiation.
 */
#ifndef DAEMON_GATE_H
#define DAEMON_GATE_H

#include "resolver/resolver.h"

struct addrs;
struct gate;
struct joins;
struct loop;
struct policy;
struct starts;
struct trace;
struct verify;

/* Its argument is the gate. */
extern const struct resolver_gate gate_ops;

/* What it is given outlives it. */
struct gate *gate_new(struct loop *loop, struct policy *policy, struct joins *joins,
	struct addrs *addrs, struct trace *trace, struct starts *starts,
	struct verify *verify);
/* Nobody who waits is told any more. */
void gate_free(struct gate *gate);

#endif
