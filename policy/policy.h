/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which line covers an address, what we know of the peer there, and who waits
 * for it. Pure: commands, results and the time come in; holds, negotiations,
 * shunts and one timer go out through `struct policy_ops`.
 *
 * A flow is one host under one line from one of our addresses. Its state:
 *
 *   idle ──want──▶ negotiating ──child up──▶ tunnelled ──last child down──▶ idle
 *                     │  ▲                                   
 *                     │  └──want after T── clear until T / blocked until T
 *                     └──failed──▶ clear until T (SHOULD) / blocked until T (MUST)
 *
 * A child that the peer brought up makes any of them tunnelled (N2).
 *
 * A child may be for a part of the flow (RFC 7296 2.9). One that the peer asked
 * for changes nothing else. One that is all the peer grants of what we asked for
 * settles the rest too: it is cleared or blocked as after a failure, and stays
 * so while a part stands, for that was an authenticated word and no accident.
 * Times are microseconds of the caller's monotonic clock. Ops may be called
 * from inside any policy_ function and must not call back into policy before
 * it has returned.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "policy/line.h"

struct policy;

#define POLICY_NEVER UINT64_MAX

/* Room for why something failed, in words. */
#define POLICY_REASON 224

enum policy_state {
	POLICY_IDLE,
	POLICY_NEGOTIATING,
	POLICY_TUNNELLED,
	POLICY_CLEAR_UNTIL,
	POLICY_BLOCKED_UNTIL,
};
/* "idle", "negotiating", "tunnelled", "clear", "blocked": the words of `oectl peers --json`. */
const char *policy_state_name(enum policy_state state);

enum policy_trigger { POLICY_TRIGGER_DNS, POLICY_TRIGGER_ACQUIRE, POLICY_TRIGGER_INBOUND };
const char *policy_trigger_name(enum policy_trigger trigger); /* "dns", "acquire", "inbound" */

enum policy_verdict {
	POLICY_PASS,	  /* no line, clear or clear-or-private without tunnel, or special (G6) */
	POLICY_ENCRYPTED, /* every initiating flow of the address is tunnelled, or clear-or-private with a tunnel;
			   * of a narrowed one a part, and the rest is blocked */
	POLICY_OPEN,	  /* private-or-clear that failed: the kernel lets it pass, for now */
	POLICY_WAIT,
	POLICY_WITHHELD,  /* private that failed, for now */
	POLICY_DENIED,	  /* block */
};

/* A flow as others see it; a value, strings live as long as the configuration. */
struct policy_flow {
	uint64_t id; /* never reused */
	uint32_t line;
	size_t conn; /* index into policy_config.conns */
	struct addr local, remote;
	struct selector selector; /* host to host with the line's protocol and ports */
	enum policy_group group;
	enum policy_state state;
	enum policy_trigger trigger; /* of the latest negotiation */
	uint64_t since_us;  /* of the state */
	uint64_t until_us;  /* of CLEAR_UNTIL and BLOCKED_UNTIL, else POLICY_NEVER */
	uint32_t failures;  /* in a row (N6) */
	uint32_t children; /* for all of it */
	uint32_t parts;	   /* for less than that */
	bool narrowed;	   /* the peer grants no more than the parts: CLEAR_UNTIL, BLOCKED_UNTIL is the rest */
	char reason[POLICY_REASON];    /* of the last failure, "" if none */
};

struct policy_answer {
	enum policy_verdict verdict;
	bool starts; /* of WAIT: wanting it begins a negotiation, and does not only join one */
	enum policy_group group; /* of the line that decided; meaningless when `line` is 0 */
	uint32_t line;		 /* 0: no line covers the address */
	uint32_t max_ttl_s;	 /* A7: what is left of the shunt, a tunnel's idle-timeout; else UINT32_MAX */
	char cause[POLICY_REASON];		 /* "" when nothing is wrong */
};

typedef void (*policy_decided)(void *arg, const struct policy_answer *answer);

struct policy_ops {
	/* Gives the flow its own hold in the data plane; no answer is needed. */
	void (*hold)(void *arg, const struct policy_flow *flow);
	/* Starts a negotiation; ends in policy_child_up() or policy_failed(). */
	void (*initiate)(void *arg, const struct policy_flow *flow);
	/* The flow passes (or is blocked) for `lifetime_s`; answer with policy_shunt_done(). */
	void (*shunt)(void *arg, const struct policy_flow *flow, bool pass, uint32_t lifetime_s);
	/* Back to what the line says; removes what the flow has in the data plane. No answer. */
	void (*idle)(void *arg, const struct policy_flow *flow);
	/* A state changed (the one door, flow_set_state). */
	void (*observe)(void *arg, const struct policy_flow *flow, enum policy_state old,
		const char *reason);
	/* Calls policy_tick() at this time; POLICY_NEVER: none. */
	void (*timer)(void *arg, uint64_t at_us);
};

/* Copies ops and configuration. */
struct policy *policy_new(const struct policy_ops *ops, void *arg, const struct policy_config *config);
void policy_free(struct policy *policy);

/*
 * A new configuration (C4). Flows whose line still exists with the same meaning
 * stay as they are; the others are forgotten after `gone` was called for each
 * (their children are the caller's to delete). Failure memory ends (N6).
 */
void policy_reconfigure(struct policy *policy, const struct policy_config *config,
	void (*gone)(void *arg, const struct policy_flow *flow), uint64_t now_us);

/*
 * The same for the lines whose prefix is one host (P3, P4): `lines` takes the
 * place of those that there are. Their conns are indexes into the configuration
 * that counts. Costs nothing for other lines and hosts; failures stay remembered.
 */
void policy_change_host(struct policy *policy, const struct addr *host, const struct policy_line *lines,
	size_t count, void (*gone)(void *arg, const struct policy_flow *flow), uint64_t now_us);

/* Our own addresses and broadcast ones: never trigger, always pass (G6). Copied. */
void policy_set_locals(struct policy *policy, const struct addr *locals, size_t count);

/*
 * Somebody wants to talk to `remote` from `local` (the route's source). A
 * lookup knows no port and starts every initiating line that covers the
 * address (N1); an acquire names its line. Fills *out at once; when that is
 * POLICY_WAIT, gives a handle (else 0) and calls `decided` exactly once later,
 * never from inside, never after policy_cancel(). `decided` may be NULL (acquire).
 */
uint64_t policy_want(struct policy *policy, const struct addr *local, const struct addr *remote,
	enum policy_trigger trigger, uint32_t acquire_line, policy_decided decided, void *decided_arg,
	struct policy_answer *out, uint64_t now_us);
/*
 * What policy_want() would answer, without doing anything; WAIT where it would
 * start or join a negotiation. Without `local` (NULL) the lines alone speak,
 * which is enough to tell that no negotiation is needed.
 */
void policy_explain(const struct policy *policy, const struct addr *local,
	const struct addr *remote, struct policy_answer *out, uint64_t now_us);
/* The same for a host that has a line of its own in the group of `conn`, and that nobody has tried yet. */
void policy_explain_conn(const struct policy *policy, size_t conn, struct policy_answer *out);
void policy_cancel(struct policy *policy, uint64_t handle);
/*
 * The waiter's time is over (A4): private-or-clear flows get what failureshunt
 * says while the negotiation goes on, then `decided` comes with OPEN (after
 * policy_shunt_done) or WITHHELD; private: WITHHELD in the next tick.
 */
void policy_hurry(struct policy *policy, uint64_t handle, uint64_t now_us);

/*
 * Results. A CHILD SA of the flow goes to the data plane: policy_child_up() or policy_child_lost()
 * follows. Until then nothing takes down what the flow has there.
 */
void policy_child_coming(struct policy *policy, uint64_t flow, uint64_t now_us);
/* It does not stand, and is gone: what the flow's state demands is asked of the data plane again. */
void policy_child_lost(struct policy *policy, uint64_t flow, uint64_t now_us);
/* A CHILD SA of the flow is installed (N2); `ours`: the negotiation that we began is over with it. */
void policy_child_up(struct policy *policy, uint64_t flow, bool ours, uint64_t now_us);
/* A CHILD SA is gone; with the last one the flow is idle again, or waits for ours that still goes on (N1). */
void policy_child_down(struct policy *policy, uint64_t flow, const char *reason, uint64_t now_us);
/*
 * The same for less than the flow. `granted`: our own negotiation, of which the
 * peer grants no more than `what` ("tcp 0 443"); it is over.
 */
void policy_part_up(struct policy *policy, uint64_t flow, bool granted, const char *what, uint64_t now_us);
/* With the last part the rest is as if nothing had been granted or refused. */
void policy_part_down(struct policy *policy, uint64_t flow, uint64_t now_us);
/* Our negotiation failed. No effect when the flow is tunnelled by the peer's. */
void policy_failed(struct policy *policy, uint64_t flow, const char *reason, uint64_t now_us);
/* N5: an unauthenticated hint says that it will fail: waiters of `private` need not wait longer. */
void policy_failing(struct policy *policy, uint64_t flow, const char *reason, uint64_t now_us);
void policy_shunt_done(struct policy *policy, uint64_t flow, bool good, uint64_t now_us);
/* The data plane has ended a shunt before policy did. */
void policy_shunt_ended(struct policy *policy, uint64_t flow, uint64_t now_us);
void policy_tick(struct policy *policy, uint64_t now_us);
/* Forgets failures of one address, or of all when NULL (N6: addresses changed, oectl). */
void policy_forget_failures(struct policy *policy, const struct addr *remote, uint64_t now_us);

/* The responder's side. The conn that answers a stranger: of the strongest accepting line; -1 if none. */
int policy_conn_for(const struct policy *policy, const struct addr *local, const struct addr *remote);
/* Lines that cover `remote` and accept, strongest first (P1); gives how many were filled in. */
size_t policy_accepting_lines(const struct policy *policy, const struct addr *remote,
	const struct policy_line **out, size_t max);
/* Calls `each` for every line that covers `remote`, strongest first; it must not change policy. */
void policy_each_line(const struct policy *policy, const struct addr *remote,
	void (*each)(void *arg, const struct policy_line *line), void *arg);
/* The flow of a line and hosts, made when it is not there (trigger inbound). Its id. */
uint64_t policy_flow_want(struct policy *policy, uint32_t line, const struct addr *local,
	const struct addr *remote, uint64_t now_us);

bool policy_flow_get(const struct policy *policy, uint64_t flow, struct policy_flow *out);
bool policy_flow_find(const struct policy *policy, uint32_t line, const struct addr *local,
	const struct addr *remote, struct policy_flow *out);
/* Calls `each` for every flow; it must not change policy. */
void policy_each_flow(const struct policy *policy, void (*each)(void *arg, const struct policy_flow *flow),
	void *arg);
/* The same for the flows of one host. */
void policy_each_flow_of(const struct policy *policy, const struct addr *remote,
	void (*each)(void *arg, const struct policy_flow *flow), void *arg);
const struct policy_line *policy_line_get(const struct policy *policy, uint32_t line);
const struct policy_conn *policy_conn_get(const struct policy *policy, size_t conn);

struct policy_counters {
	size_t lines, flows, negotiating, tunnelled, waiters;
};
struct policy_counters policy_counters(const struct policy *policy);

#endif
