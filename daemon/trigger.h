/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the wings meet: the story of DESIGN.md, wired. A lookup, an acquire
 * and a peer that initiates all come to policy here; what policy wants goes to
 * the engine and the data plane, and their results go back.
 *
 * Owns the engine, the policy tables, the workers and the table of CHILD SAs.
 * The data plane, the sockets, the addresses and the timelines are the
 * daemon's and outlive it.
 */
#ifndef DAEMON_TRIGGER_H
#define DAEMON_TRIGGER_H

#include "conf/conf.h"
#include "ike/ike.h"
#include "policy/policy.h"
#include "xfrm/dataplane.h"

struct addrs;
struct joins;
struct keylog;
struct loop;
struct refusals;
struct starts;
struct trace;
struct trigger;
struct udp;
struct verify;

struct trigger_parts {
	struct loop *loop;
	struct dataplane *dp;
	struct udp *udp;
	struct addrs *addrs;
	struct joins *joins; /* configured before the trigger is */
	struct trace *trace;
	struct keylog *keylog;
	struct starts *starts;
};

struct trigger *trigger_new(const struct trigger_parts *parts, const struct conf *conf);
void trigger_free(struct trigger *trigger);
/* Call when privileges are dropped: until then nothing is signed and no certificate checked. */
void trigger_start_workers(struct trigger *trigger);

/* Another configuration (C4): what still matches stays. `done` when the kernel has the lines. */
void trigger_reconfigure(struct trigger *trigger, const struct conf *conf, dp_done done, void *arg);
/* Lines by name have come or gone (P3, P4); `done` when the kernel has them. */
void trigger_lines_changed(struct trigger *trigger, dp_done done, void *arg);
/* Installs the lines for the addresses that we have now. */
void trigger_set_lines(struct trigger *trigger, dp_done done, void *arg);
/* Our addresses are others: lines and flows follow, failures are forgotten (N6, N10, K7). */
void trigger_addresses_changed(struct trigger *trigger);
/* Hosts that could not be reached may be now: failures are forgotten (N6). */
void trigger_routes_changed(struct trigger *trigger);

/* Brings up what covers an address, as a lookup would, with nobody waiting (A13). */
void trigger_want(struct trigger *trigger, const struct addr *remote);
/* Ends every tunnel with an address; how many IKE SAs were told to go. */
size_t trigger_down(struct trigger *trigger, const struct addr *remote);
/* Replaces the keys of every tunnel with an address; of how many IKE SAs. */
size_t trigger_rekey(struct trigger *trigger, const struct addr *remote);
/* Opens all on purpose (K5): no lines, no tunnels, until the next reload. */
void trigger_flush(struct trigger *trigger, dp_done done, void *arg);
/* DELETE to every peer; call before dp_stop(). */
void trigger_shutdown(struct trigger *trigger);

/* What events of the sockets and of the data plane are given to; `arg` is the trigger. */
void trigger_datagram(void *arg, const struct path *path, const uint8_t *data, size_t len);
void trigger_unreachable(void *arg, const struct path *path, const uint8_t *quoted, size_t len);
void trigger_acquire(void *arg, const struct dp_acquire *acquire);
void trigger_expire(void *arg, const struct dp_expire *expire);
void trigger_shunt_ended(void *arg, const struct dp_flow *flow);
void trigger_mapping(void *arg, const struct dp_mapping *mapping);
/* For reports, and for the gate. */
struct policy *trigger_policy(const struct trigger *trigger);
const struct refusals *trigger_refusals(const struct trigger *trigger);
const struct ike *trigger_ike(const struct trigger *trigger);
struct verify *trigger_verify(const struct trigger *trigger);
bool trigger_flushed(const struct trigger *trigger);
/* The youngest CHILD SA of a flow; false when it has none. */
bool trigger_child(const struct trigger *trigger, uint64_t flow, struct ike_child *out);
/* All of them, youngest first: while one is replaced, and where parts of the flow have their own. */
void trigger_each_child(const struct trigger *trigger, uint64_t flow,
	void (*each)(void *arg, const struct ike_child *child), void *arg);

#endif
