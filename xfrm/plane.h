/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the kernel data plane: the mirror of our policies, the lines, the
 * flows. Included by the files of xfrm/ only.
 */
#ifndef XFRM_PLANE_H
#define XFRM_PLANE_H

#include "lib/hash.h"
#include "lib/loop.h"
#include "xfrm/decode.h"
#include "xfrm/entry.h"
#include "xfrm/netlink.h"

struct flow;

/* A policy of ours that the kernel has. */
struct mirrored {
	struct entry entry;
	bool of_flow; /* belongs to a flow's host, not to a line */
	bool stale;    /* not as we would write it: left by an earlier run, or the kernel has refused a change */
	bool unwanted; /* marked before a sweep */
	bool seen;     /* guard.c only: the kernel has it */
	uint32_t part; /* of that flow: the rest of its key is in the entry */
	UT_hash_handle hh;
};

struct line {
	struct dp_line line;
	bool gone;   /* marked before a sweep */
	bool spread; /* a trap for each host (spread.c) */
	UT_hash_handle hh;
};

struct pair {
	uint32_t in_spi, out_spi;
	struct addr in_dst, out_dst;
	struct pair *next;
};

/* What is hashed and compared of struct dp_flow: without the padding at its end. */
#define FLOW_KEY_LEN (offsetof(struct dp_flow, remote) + sizeof(struct addr))

/*
 * AWAITED: SAs and inbound policies stand, packets still wait in the hold
 * until the peer has sent (or some time has passed).
 */
enum flow_stance { FLOW_IDLE, FLOW_HELD, FLOW_BLOCKED, FLOW_PASSED, FLOW_AWAITED, FLOW_ESTABLISHED };

/* What one host has under one line. Freed when it is idle. */
struct flow {
	struct dp_flow flow;
	enum flow_stance stance;
	uint32_t reqid;
	enum ipsec_mode mode; /* of the pair that is awaited */
	/* What a part of the line's traffic is; none: all of it. */
	struct traffic parts[TRAFFIC_MAX];
	size_t part_count;
	struct dataplane *dp;
	struct pair *pairs; /* youngest first */
	struct pair *sending; /* the one that the outbound policy names; NULL: none yet, or it is gone */
	/* One that we answered is sent on when the peer has sent on it, or after some time (K1). */
	struct pair *coming;
	struct loop_timer awaited;
	/* Cleartext that was under way when the tunnel came is let in still, where it was allowed before. */
	bool lenient;
	struct loop_timer strict;
	struct flow *prev, *next; /* of the parts */
	UT_hash_handle hh, by_reqid;
};

/* A larval state that an acquire has left (research/kernel.md 0.13): the trap is deaf until it goes. */
struct larval {
	uint32_t seq;
	struct addr src, dst;
	struct larval_host *host;
	struct larval *prev, *next; /* towards the same host */
	UT_hash_handle hh;
};

/* A `done` that waits for the loop's next turn. */
struct pending {
	dp_done done;
	void *arg;
	int error;
	struct pending *prev, *next;
};

/* The settings of a run; owned by the daemon. */
struct dataplane {
	struct loop *loop;
	struct dp_events events;
	void *arg;
	struct netlink *nl;
	struct mirrored *mirror;
	struct line *lines;
	struct flow *flows, *flows_by_reqid;
	struct flow *parts; /* of them, those that are a part */
	struct larval *larvals;
	struct larval_host *larval_hosts; /* state.c */
	struct waiting *waitings;	  /* waiting.c */
	struct addr *locals;
	size_t local_count;
	struct addr *broadcasts;
	size_t broadcast_count;
	struct prefix *masqueraded;
	size_t masqueraded_count;
	uint32_t last_reqid;
	size_t line_counts[2]; /* of IPv4, of IPv6 */
	bool adopted; /* what an earlier run left is in the mirror */
	struct dp_peer *peers; /* that it had SAs with; owned, NULL when they are taken */
	size_t peer_count;
	bool refused; /* the kernel has not taken something, or has kept it */
	struct loop_timer repair; /* runs then */
	uint64_t repair_us;
	struct loop_timer guard; /* guard.c */
	uint64_t guarded_us; /* when nothing of ours was missed */
	bool heal_due[2]; /* the kernel has refused one (mirror.c), of IPv4, of IPv6 */
	struct pending *pending;
	struct loop_timer deliver;
	struct departing *departing; /* departing.c */
	/* That the kernel has; had before us; has between bulks. */
	struct search_thresholds thresholds, found_thresholds, own_thresholds;
};

/* One of our addresses. */
bool is_local(const struct dataplane *dp, const struct addr *addr);

/* `done` is called with `error` in the loop's next turn. */
void plane_answer(struct dataplane *dp, dp_done done, void *arg, int error);

/* The kernel has refused something: all that lines and flows want is looked at again, soon and until it is there. */
void plane_repair_later(struct dataplane *dp);
/* It is. */
void plane_is_whole(struct dataplane *dp);

/* --- lines.c ----------------------------------------------------------------------------------------------- */
void lines_replace(struct dataplane *dp, const struct dp_line *lines, size_t count);
void locals_replace(struct dataplane *dp, const struct addr *locals, size_t count);
struct desired;
/* Before what is marked in the mirror is deleted, and the rest becomes as desired. */
void lines_begin_bulk(struct dataplane *dp, const struct desired *desired);
/* Deletes what is marked, with the heal that is due (K4). 0 or the first -errno. */
int lines_sweep_unwanted(struct dataplane *dp);
/* What plane_repair_later() has asked for; lines are as they were set. */
void lines_repair(struct loop_timer *timer);

/* --- guard.c: policies that somebody else takes away ------------------------------------------- */
void guard_open(struct dataplane *dp);
/* Somebody has deleted policies: were any of ours among them? */
void guard_look_later(struct dataplane *dp);

/* --- spread.c: which lines are a trap for each host (K10) ------------------------------------ */
/* Marks them among dp->lines. */
void spread_choose(struct dataplane *dp, const struct dp_line *lines, size_t count);
/* How many hosts it has; 0 where that are more than can be spread. */
size_t spread_hosts(const struct dp_line *line);

/* --- waiting.c: what waits in the queue of a trap that many hosts share ------------------------- */
/* A trap has fired: its packet waits. */
void waiting_note(struct dataplane *dp, const struct decoded_acquire *acquire);
/* The flow may leave, or is blocked: what waits in its line's queue goes now. */
void waiting_release(struct dataplane *dp, const struct dp_flow *flow);
/* Of lines and addresses that are no more. */
void waiting_drop_orphans(struct dataplane *dp);
void waiting_clear(struct dataplane *dp);

/* --- departing.c: inbound SAs that go a moment later ------------------------------------------ */
void departing_add(struct dataplane *dp, const struct addr *dst, uint32_t spi);
/* All go now. */
void departing_clear(struct dataplane *dp);

/* --- mirror.c: every policy that we write goes through here ------------------------------ */
/* Installs or replaces one policy, of a flow or (NULL) of a line, in one step. 0 or -errno. */
int mirror_put(struct dataplane *dp, const struct entry *entry, const struct dp_flow *owner);
/* The same, but writes nothing where it stands as it is. */
int mirror_keep(struct dataplane *dp, const struct entry *entry, const struct dp_flow *owner);
/* Removes it; one that the kernel has not is no error. Says whether a heal is due (K4). */
int mirror_del(struct dataplane *dp, const struct entry_key *key, bool *heal);
struct mirrored *mirror_find(const struct dataplane *dp, const struct entry_key *key);
/* Asks the kernel whether it has one. */
bool mirror_stands(struct dataplane *dp, const struct entry_key *key);
/* Writes one again that somebody else has removed. */
void mirror_restore(struct dataplane *dp, struct mirrored *mirrored);
/* The kernel has removed it by itself. */
void mirror_forget(struct dataplane *dp, struct mirrored *mirrored);
/* Sends any policy of the family again: cached routes of connected sockets end (K4, kernel.md 0.1). */
void mirror_heal(struct dataplane *dp, uint8_t family);
/* What of that was refused. */
void mirror_heal_due(struct dataplane *dp);
/* Sends one policy again unchanged: releases its queue. */
void mirror_touch(struct dataplane *dp, const struct entry_key *key);
/* Reads what an earlier run of ours has left; foreign ones are left alone. 0 or -errno. */
int mirror_adopt(struct dataplane *dp);
void mirror_clear(struct dataplane *dp);

/* --- search.c: how the kernel finds policies among many -------------------------------------------- */
void search_open(struct dataplane *dp);
/* What is good for these lines; counts from the next bulk's end on. */
void search_choose(struct dataplane *dp, const struct dp_line *lines, size_t count);
/* Nothing of ours is left: as it was before us. */
void search_restore(struct dataplane *dp);
/* Policies that are about to be replaced or deleted, by family and length of the remote prefix. */
struct search_bulk {
	size_t count[2];
	uint32_t lengths[2][129];
};
void search_count(struct search_bulk *bulk, const struct entry_key *key);
/* Around the changes that were counted. */
void search_begin_bulk(struct dataplane *dp, const struct search_bulk *bulk);
void search_end_bulk(struct dataplane *dp);

/* --- desired.c: what lines and addresses install ----------------------------------------------- */
struct desired {
	struct entry *entries;
	size_t count, room;
};
void desired_of(const struct dataplane *dp, const struct dp_line *lines, size_t count,
	struct desired *out);
void desired_add(struct desired *desired, const struct entry *entry);
/* What one line installs, without the exemptions. */
void desired_add_line(const struct dataplane *dp, struct desired *desired, const struct dp_line *line);
void desired_clear(struct desired *desired);
/* The out trap (or other outbound stance) of a line for one of our addresses; false if it has none. */
bool desired_out(const struct dp_line *line, const struct addr *local, struct entry *out);
/* The same for one host of it: its hold, and where the line is spread its trap. */
bool desired_host(const struct dp_line *line, const struct addr *local, const struct addr *remote,
	struct entry *out);
/* Writes protocol and ports as a packet of the key's direction has them. */
void entry_key_set_traffic(struct entry_key *key, const struct traffic *traffic);
struct entry_key desired_key(const struct dp_line *line, enum entry_dir dir, const struct prefix *local);

/* --- host.c: the policies of a tunnel with one host -------------------------------------------- */
/* Of the flow's selectors in a direction, without those of a part. */
struct entry_key host_key(const struct dp_line *line, const struct flow *flow, enum entry_dir dir);
/* Installs or updates what the flow, or the part, has in a direction. 0 or -errno. */
int host_put(struct dataplane *dp, const struct dp_line *line, const struct flow *flow, enum entry_dir dir);
/* In and fwd. */
int host_put_inbound(struct dataplane *dp, const struct dp_line *line, const struct flow *flow);
/* In and fwd of a whole go: those of its line, which say what comes in, lie beneath. */
void host_return_inbound(struct dataplane *dp, const struct dp_line *line, const struct flow *flow);
/* A part goes, before its SAs. */
void host_remove_parts(struct dataplane *dp, const struct dp_line *line, const struct flow *flow);

/* --- flow.c -------------------------------------------------------------------------------------- */
int flow_hold(struct dataplane *dp, const struct dp_flow *flow);
int flow_shunt(struct dataplane *dp, const struct dp_flow *flow, enum dp_stance stance,
	uint32_t lifetime_s);
int flow_establish(struct dataplane *dp, const struct dp_flow *flow, const struct sa_pair *pair);
int flow_remove_pair(struct dataplane *dp, const struct dp_flow *flow, const struct sa_pair *pair);
int flow_move_pair(struct dataplane *dp, const struct dp_flow *flow, const struct sa_pair *pair);
int flow_idle(struct dataplane *dp, const struct dp_flow *flow);
/* The peer has sent its first packet on a pair: what waits may leave. */
void flow_peer_sent(struct dataplane *dp, uint32_t reqid, uint32_t in_spi);
struct flow *flow_by_reqid(const struct dataplane *dp, uint32_t reqid);
/* A shunt's end in the kernel. */
void flow_policy_expired(struct dataplane *dp, struct mirrored *mirrored);
/* Its line is gone: the SAs too. The policies are the sweep's. */
void flow_drop(struct dataplane *dp, struct flow *flow);
/* Ends all parts under a line of one host, policies too. */
void flow_end_parts(struct dataplane *dp, uint32_t line);
/* Its tunnel is there, be it for what waits for the peer's first packet. */
bool flow_has_tunnel(const struct flow *flow);
/* What it has in the kernel; FLOW_IDLE when it is not known. */
enum flow_stance flow_stance(const struct dataplane *dp, const struct dp_flow *flow);
uint32_t flow_fresh_reqid(struct dataplane *dp);
struct line *line_find(const struct dataplane *dp, uint32_t id);

/* --- state.c: SAs and larval states ------------------------------------------------------------------ */
void larval_note(struct dataplane *dp, const struct decoded_acquire *acquire);
void larval_forget(struct dataplane *dp, uint32_t seq);
/* Removes those towards a host, so that the next packet acquires again. */
void larval_clear(struct dataplane *dp, const struct addr *dst);
void larval_clear_table(struct dataplane *dp);
/* Deletes larval states under our lines and, where `pairs` says so, SAs of ours that no flow has. */
int states_sweep(struct dataplane *dp, bool pairs);
/* Removes one; that there is none is no error. */
void state_delete(struct dataplane *dp, const struct addr *dst, uint32_t spi);
int state_counters(struct dataplane *dp, const struct addr *dst, uint32_t spi, uint64_t *packets,
	uint64_t *bytes, uint64_t *last_used_s);
/* Loads the kernel's modules by a state that nobody uses; logs when there is no ESP. */
void states_warm_up(struct dataplane *dp);

#endif
