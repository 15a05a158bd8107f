/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data plane as the rest of the daemon sees it: lines (what stands while
 * nobody talks), flows (one host under one line) and SA pairs. The first
 * implementation is kernel XFRM (RFC 4301's SPD and SAD); a userspace one
 * must fit behind this header, so nothing here names a kernel structure.
 *
 * Requests are asynchronous: `done(arg, error)` is called exactly once with 0
 * or -errno, never from inside the request. Requests are carried out in the
 * order in which they were made. A request's `done` may be NULL.
 */
#ifndef XFRM_DATAPLANE_H
#define XFRM_DATAPLANE_H

#include "lib/ipsec.h"

struct dataplane;
struct loop;

/* What outbound traffic of a line (or of one flow) meets. */
enum dp_stance {
	DP_NOTHING,   /* no outbound policy: passes (clear-or-private while idle) */
	DP_ALLOW,     /* passes, on purpose, against wider lines */
	DP_BLOCK,     /* dropped; the sender sees EPERM */
	DP_TRAP,      /* packets wait, an acquire is raised */
	DP_TRAP_PASS, /* packets pass, an acquire is raised (negotiationshunt=pass) */
};

/* What inbound cleartext of a line meets while no tunnel stands. */
enum dp_inbound {
	DP_IN_NOTHING, /* no inbound policy: accepted, unless a wider line blocks */
	DP_IN_ALLOW,   /* accepted, against wider lines that block */
	DP_IN_BLOCK,   /* dropped */
};

struct dp_line {
	uint32_t id;	      /* 1 .. DP_LINE_MAX, stable while the line lives; tags what is installed */
	struct prefix remote; /* local is each of our addresses */
	uint8_t proto;
	uint16_t local_port;
	uint16_t remote_port;
	uint32_t slot; /* precedence (rule P1) computed by policy: 0 wins, < DP_SLOTS */
	enum dp_stance out;
	enum dp_inbound in;
	bool closed; /* private or block: stays when the daemon stops (K5), fails closed */
	/* Not closed, but within what is: when the daemon stops it stays open, as it would be elsewhere (K6). */
	bool excepted;
};

#define DP_LINE_MAX 0xfffffu
/* (129 prefix lengths) * (5 port ranks); see policy/line.h */
#define DP_SLOTS (129u * 5u)

/*
 * One host under one line, from one of our addresses. A tunnel that was granted
 * for less than the line's traffic is a part, a flow of its own beside the
 * whole: it has tunnels and no holds or shunts, and comes before the whole.
 */
struct dp_flow {
	uint32_t line; /* dp_line.id */
	uint32_t part; /* 0: the whole; else any number that the caller gives this part */
	struct addr local;
	struct addr remote;
};

struct dp_acquire {
	uint32_t line;		  /* whose trap fired; 0: not one of ours */
	struct selector selector; /* of the packet: hosts, protocol, ports */
};

struct dp_expire {
	uint32_t spi;
	struct addr dst;
	bool hard;
};

/* Of one SA pair, since it was installed. */
struct dp_counters {
	uint64_t in_packets, in_bytes;
	uint64_t out_packets, out_bytes;
	uint64_t in_last_used_s, out_last_used_s; /* CLOCK_REALTIME seconds; 0 never */
};

/* Authentic ESP in UDP came from another port of the peer: its NAT has another mapping (RFC 3948). */
struct dp_mapping {
	uint32_t spi; /* our inbound SA */
	uint16_t port;
};

struct dp_events {
	void (*acquire)(void *arg, const struct dp_acquire *acquire);
	void (*expire)(void *arg, const struct dp_expire *expire);
	void (*mapping)(void *arg, const struct dp_mapping *mapping);
	/* A shunt that dp_shunt() installed with a lifetime has ended by itself. */
	void (*shunt_ended)(void *arg, const struct dp_flow *flow);
	/* Events were lost (socket overrun); the dataplane has looked again by itself. */
	void (*lost)(void *arg);
	/* Somebody else has changed policies: dp_warnings() may have others to tell. */
	void (*foreign)(void *arg);
};

/* `error` is 0 or -errno. */
typedef void (*dp_done)(void *arg, int error);

/*
 * Opens the data plane in this network namespace: sockets, settings (K9:
 * larval_drop 0, acq_expires), warm-up. Needs CAP_NET_ADMIN from here on.
 * NULL with *error set (a static or heap-free text of `why`) when it cannot.
 */
struct dataplane *dp_open(struct loop *loop, const struct dp_events *events, void *arg, int *error);
/* Closes the sockets; nothing that is installed changes. No `done` is called after this. */
void dp_close(struct dataplane *dp);

/* Prepares an IKE or DNS socket so that no policy holds it (K3). 0 or -errno. */
int dp_bypass_socket(int fd, uint8_t family);

/*
 * Makes the installed set equal to `lines` for our addresses `locals`: takes
 * over what an earlier run left and is still wanted, updates, deletes what is
 * ours and stale; never touches foreign entries, never flushes (K2, K4, K7).
 * Also installs the exemptions (K3) for `locals` and `broadcasts`. Copies all.
 * Flows that stand keep their policies when their line stays.
 */
void dp_set_lines(struct dataplane *dp, const struct dp_line *lines, size_t line_count,
	const struct addr *locals, size_t local_count, const struct addr *broadcasts,
	size_t broadcast_count, dp_done done, void *arg);

/* A host that an earlier run, which has not stopped in order, had SAs with; one that it sends on. */
struct dp_peer {
	struct addr local, remote;
	uint32_t in_spi;
};
/*
 * Those whose SAs the first dp_set_lines() has found and removed, or dp_release() has found, each host
 * once; the array is the caller's.
 */
struct dp_peer *dp_take_peers(struct dataplane *dp, size_t *count);

/*
 * Lines of single hosts (their `remote` is one address) come, change or go:
 * `lines` are installed, those of `gone` that are not among them are removed.
 * All else stays, and costs nothing. As dp_set_lines() otherwise; where that has
 * failed before, all is tried again.
 */
void dp_change_lines(struct dataplane *dp, const uint32_t *gone, size_t gone_count,
	const struct dp_line *lines, size_t line_count, dp_done done, void *arg);

/*
 * Sources behind masquerading by this host (K7): what they send to a closed
 * line passes on to the masquerading, and meets that line as ours when it has
 * our address. Counts from the next dp_set_lines() on. Copied.
 */
void dp_set_masqueraded(struct dataplane *dp, const struct prefix *sources, size_t count);

/*
 * What lines of these prefixes (each as often as there are lines) would cost
 * every packet: with how many it is compared one by one, at worst. More than
 * DP_WALK_WARN is worth a word, more than DP_WALK_MAX not worth having. Pure.
 */
struct dp_weight {
	size_t walk;
	size_t at;	      /* one of the lines of that walk */
	uint8_t hash_bits[2]; /* of IPv4 and IPv6, for the data plane itself */
};
#define DP_WALK_NS 45u
#define DP_WALK_WARN 512u
#define DP_WALK_MAX 4096u
/* Lines that are installed at once; each costs 4 KiB of the kernel's memory. */
#define DP_LINES_MAX 100000u
void dp_weigh(const struct prefix *remotes, size_t count, struct dp_weight *out);

/*
 * What the kernel refuses of lines, or to give back, is tried again until it is as it should be.
 *
 * The flow's packets wait in a queue of their own while we negotiate (kernel.md A2 step 1). Neither
 * this nor a shunt changes a flow that has a tunnel; where its pairs have gone, it does.
 */
void dp_hold(struct dataplane *dp, const struct dp_flow *flow, dp_done done, void *arg);
/* ALLOW or BLOCK for the flow; the kernel ends it after lifetime_s by itself (0: never). */
void dp_shunt(struct dataplane *dp, const struct dp_flow *flow, enum dp_stance stance,
	uint32_t lifetime_s, dp_done done, void *arg);
/* Back to what the line says: per-flow policies and larval states go, SAs of the flow too. */
void dp_idle(struct dataplane *dp, const struct dp_flow *flow, dp_done done, void *arg);
/*
 * Installs inbound SA, outbound SA, in and fwd policies, then the outbound
 * policy; releases the held packets; clears larval states (K1, A2 3..7). A
 * second pair for a flow that stands (rekey, crossing negotiations) is added
 * beside the first, and is sent on from then on; one that we answered when the
 * peer has sent on it, or after a moment. On error nothing of the pair stays.
 * `pair` is copied and its copy wiped. Of a part: for what the first pair's
 * selectors say.
 */
void dp_establish(struct dataplane *dp, const struct dp_flow *flow, const struct sa_pair *pair,
	dp_done done, void *arg);
/* The peer of a pair is at another UDP port, pair->encap_remote_port; `pair` needs no keys. */
void dp_move_pair(struct dataplane *dp, const struct dp_flow *flow, const struct sa_pair *pair,
	dp_done done, void *arg);
/* Removes one pair's SAs; policies of the flow stay (call dp_idle for them), and another pair is sent on. */
void dp_remove_pair(struct dataplane *dp, const struct dp_flow *flow, const struct sa_pair *pair,
	dp_done done, void *arg);

/* Reads the counters of a pair, at once; 0 or -errno. */
int dp_read_counters(struct dataplane *dp, const struct sa_pair *pair, struct dp_counters *out);

/* Orderly stop: closed lines stay closed, all else of ours goes (K5). */
void dp_stop(struct dataplane *dp, dp_done done, void *arg);
/*
 * The same of what a dead daemon has left (K6). But its SAs stay, though nothing is sent on them any more:
 * the next start learns from them who its peers were. `locals` are our addresses; copied.
 */
void dp_release(struct dataplane *dp, const struct addr *locals, size_t local_count, dp_done done, void *arg);
/* Removes all that is ours, closed lines too (K5: flush). */
void dp_flush(struct dataplane *dp, dp_done done, void *arg);

/*
 * Foreign policies that have the selector of one of ours, or outrank a closed line, as texts for people;
 * the array and they are the caller's. Reads all policies.
 */
size_t dp_warnings(struct dataplane *dp, char ***texts);

#endif
