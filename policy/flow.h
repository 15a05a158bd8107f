/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside policy: flows, their one state door, their failure memory (N6), and
 * the waiters. Included by the files of policy/ only.
 */
#ifndef POLICY_FLOW_H
#define POLICY_FLOW_H

#include "lib/hash.h"
#include "lib/heap.h"
#include "policy/policy.h"
#include "policy/table.h"

#define SECOND_US UINT64_C(1000000)

/* Compared as bytes, without the padding at its end. */
struct flow_key {
	uint32_t line;
	struct addr local, remote;
};
#define FLOW_KEY_LEN (offsetof(struct flow_key, remote) + sizeof(struct addr))

/* The flows of one host; the first of them makes it, the last frees it. */
struct remote {
	struct addr addr;
	struct flow *flows;
	UT_hash_handle hh;
};

struct flow {
	struct policy_flow info; /* what others see */
	struct remote *remote;
	struct flow *prev, *next; /* of the same host */
	struct flow_key key;
	bool begun;	    /* our own negotiation is under way, be there a tunnel of the peer's or not (N1) */
	bool opened;	    /* a shunt lets packets pass while the negotiation goes on (A4) */
	bool refused;	    /* the data plane would not: who cannot wait goes without */
	bool shunt_pending; /* the data plane has not acknowledged the latest shunt */
	bool failing;	    /* N5: a hint says that it will fail */
	uint32_t coming;    /* children on their way to the data plane */
	uint64_t *waiters; /* handles; those that are gone are skipped */
	size_t waiter_count;
	struct heap_node due;
	UT_hash_handle by_id;
	UT_hash_handle by_key;
};

/* Somebody who waits for every flow of an address. */
struct waiter {
	uint64_t handle;
	struct addr local, remote;
	uint32_t acquire_line;
	policy_decided decided;
	void *arg;
	bool hurried; /* its time is over */
	bool ready;   /* `answer` waits to be delivered */
	struct policy_answer answer;
	struct waiter *prev, *next; /* in policy.ready */
	UT_hash_handle hh;
};

struct policy {
	struct policy_ops ops;
	void *arg;
	struct policy_conn *conns; /* owned copies */
	size_t conn_count;
	struct table *table;
	char **files; /* owned texts that lines point to */
	size_t file_count;
	struct addr *locals;
	size_t local_count;
	struct flow *by_id, *by_key;
	struct remote *by_remote;
	struct heap due; /* of flows */
	uint64_t last_id;
	struct waiter *waiters;
	struct waiter *ready;
	uint64_t timer_us;
	uint64_t now_us; /* of the call under way */
	size_t negotiating, tunnelled; /* flows: a part is enough for the latter */
};

/* --- flow.c -------------------------------------------------------------------------- */
struct flow *flow_find_key(const struct policy *policy, uint32_t line, const struct addr *local,
	const struct addr *remote);
/* The first of a host's flows (`next` leads on); NULL when it has none. */
struct flow *flow_first_of(const struct policy *policy, const struct addr *remote);
struct flow *flow_find(const struct policy *policy, uint64_t id);
struct flow *flow_want(struct policy *policy, const struct policy_line *line,
	const struct addr *local, const struct addr *remote, enum policy_trigger trigger);
/* The one door: checks the edge, counts, tells the observer, wakes who waits. */
void flow_set_state(
	struct policy *policy, struct flow *flow, enum policy_state state, const char *reason);
void flow_start(struct policy *policy, struct flow *flow, enum policy_trigger trigger);
/* Our own negotiation goes on, and the tunnel that the peer had made meanwhile is gone. */
void flow_wait_on(struct policy *policy, struct flow *flow);
void flow_fail(struct policy *policy, struct flow *flow, const char *reason);
/* So many tunnels for a part stand now. */
void flow_set_parts(struct policy *policy, struct flow *flow, uint32_t parts);
/* The peer grants a part and no more: the rest is settled for as long as a part stands. */
void flow_narrow(struct policy *policy, struct flow *flow, const char *what);
/* The last part is gone. */
void flow_widen(struct policy *policy, struct flow *flow);
/* Opens for those who cannot wait, if failureshunt allows; true when it is or will be open (A4). */
bool flow_open_now(struct policy *policy, struct flow *flow);
/* An idle one is forgotten after a while; that begins now. */
void flow_keep(struct policy *policy, struct flow *flow);
/* Asks the data plane again for what the state demands. */
void flow_demand(struct policy *policy, struct flow *flow);
/* The data plane has refused to open it, or has closed it by itself. */
void flow_refused(struct policy *policy, struct flow *flow);
void flow_shunt_ended(struct policy *policy, struct flow *flow);
/* Its time has come: the shunt ends, or the flow is forgotten. */
void flow_due(struct policy *policy, struct flow *flow);
/* Out of all tables, freed; tells nobody. */
void flow_free(struct policy *policy, struct flow *flow);
/* What its line says, which may have been loaded again. */
void flow_set_line(const struct policy *policy, struct flow *flow, const struct policy_line *line);
const struct policy_conn *flow_conn(const struct policy *policy, const struct flow *flow);

/* --- waiter.c ------------------------------------------------------------------------- */
struct waiter *waiter_new(struct policy *policy, const struct addr *local, const struct addr *remote,
	policy_decided decided, void *arg);
void waiter_joins(struct policy *policy, struct waiter *waiter, struct flow *flow);
void waiter_free(struct policy *policy, struct waiter *waiter);
struct waiter *waiter_find(const struct policy *policy, uint64_t handle);
/* Looks again at everyone who waits for the flow; the decided are queued for delivery. */
void waiters_look(struct policy *policy, struct flow *flow);
void waiter_look(struct policy *policy, struct waiter *waiter);
/* The same for everyone, when flows have gone. */
void waiters_look_all(struct policy *policy);
/* Calls the queued ones; callbacks may call policy again. */
void waiters_deliver(struct policy *policy);

/* --- policy.c ----------------------------------------------------------------------------- */
/* What is known of an address now. `hurried`: a wait that is over counts as what the group says. */
void policy_evaluate(const struct policy *policy, const struct addr *local, const struct addr *remote,
	bool hurried, struct policy_answer *out, uint64_t now_us);
/* Tells the timer; the end of every public call. */
void policy_settle(struct policy *policy);
/* True for special and own addresses (G6). */
bool policy_exempt(const struct policy *policy, const struct addr *addr);
/* Copies and frees of what a configuration is in here. */
void policy_load(struct policy *policy, const struct policy_config *config);
void policy_unload(struct policy *policy);

#endif
