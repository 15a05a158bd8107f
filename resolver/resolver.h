/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stub resolver: takes queries on its listeners, has libunbound resolve
 * them, asks the gate about every address in the answer, holds the answer as
 * rules A1 to A9 say, and releases it.
 *
 * The resolver knows nothing of groups or IKE: the gate gives verdicts. One
 * client query is one object with one owner (query.c).
 */
#ifndef RESOLVER_RESOLVER_H
#define RESOLVER_RESOLVER_H

#include "resolver/config.h"

struct loop;
struct resolver;

/* The gate's word on one address. */
enum resolver_verdict {
	RESOLVER_PASS,	    /* usable without delay: clear, ours, clear-or-private, no line (A1) */
	RESOLVER_TUNNELLED, /* usable, its tunnel stands */
	RESOLVER_WAIT,	    /* not yet decided; `done` will be called */
	RESOLVER_WITHHELD,  /* private that failed, for now: taken out */
	RESOLVER_BLOCKED,   /* block: taken out */
};

struct resolver_decision {
	enum resolver_verdict verdict;
	uint32_t max_ttl_s; /* A7; UINT32_MAX leaves the TTL as it is */
	char group[32];	    /* of the line that matched; "" when none did */
	char cause[96];	    /* for people and the extended error (A8): "no answer to IKE_SA_INIT" */
};

typedef void (*resolver_decided)(void *arg, const struct resolver_decision *decision);

struct resolver_gate {
	/*
	 * Decides about an address of an answer to `qname` (presentation form, no
	 * final dot). Fills *out at once; when that is RESOLVER_WAIT, *handle is
	 * set and `decided` is called exactly once later, with a verdict other
	 * than WAIT, never from inside, never after cancel.
	 * `query` is the id of the query, for the timeline.
	 */
	void (*want)(void *arg, uint64_t query, const char *qname, const struct addr *addr,
		resolver_decided decided, void *decided_arg, struct resolver_decision *out,
		uint64_t *handle);
	/*
	 * What `want` would answer, without doing anything (A10): RESOLVER_WAIT
	 * where it would start or join a negotiation, or wait for the kernel. `why`
	 * gets a text of what would happen, and the line that says so.
	 */
	void (*explain)(void *arg, uint64_t query, const char *qname, const struct addr *addr,
		struct resolver_decision *out, char *why, size_t room);
	void (*cancel)(void *arg, uint64_t handle);
	/* The hold is over (A4): `decided` is to come as soon as the kernel has what the rules say. */
	void (*hurry)(void *arg, uint64_t handle);
};

/* Steps of one query's life, for `oectl trace`. */
enum resolver_stage {
	RESOLVER_STAGE_QUERY,	 /* it came */
	RESOLVER_STAGE_UPSTREAM, /* upstream has answered */
	RESOLVER_STAGE_ADDRESS,	 /* a verdict on an address */
	RESOLVER_STAGE_RELEASED, /* what went to the client */
};

/* A step, as values: every lookup makes some, and few are ever read. */
struct resolver_event {
	enum resolver_stage stage;
	union {
		uint16_t type; /* QUERY */
		struct {
			int rcode;
			bool secure;
		} upstream;
		struct {
			struct addr addr;
			struct resolver_decision decision;
		} address;
		struct {
			int rcode;
			bool bare; /* without records */
			size_t usable, count; /* addresses */
		} released;
	};
};
/* In words: "A", "rcode 0, secure", "192.0.2.7: private: tunnelled", "1 of 2 addresses". May be in `out`. */
const char *resolver_event_text(const struct resolver_event *event, char *out, size_t room);

struct resolver_observer {
	/* `qname` is in presentation form without the final dot; lower case. */
	void (*stage)(void *arg, uint64_t query, const char *qname, const struct resolver_event *event);
};

/* What the daemon says under the debug names (A10): calls `line` for each line, at most 255 bytes long. */
typedef void (*resolver_line)(void *arg, const char *text);
struct resolver_debug {
	void (*version)(void *arg, resolver_line line, void *line_arg);
	/* Of one address, in full; of all, when it is NULL. */
	void (*peers)(void *arg, const struct addr *addr, resolver_line line, void *line_arg);
	void (*groups)(void *arg, resolver_line line, void *line_arg);
};

/* Neither gate nor observer is copied: they must outlive the resolver. */
struct resolver *resolver_new(struct loop *loop, const struct resolver_gate *gate, void *gate_arg,
	const struct resolver_observer *observer, void *observer_arg);
void resolver_free(struct resolver *resolver);
/* Debug names are answered from now on; `debug` is not copied. */
void resolver_set_debug(struct resolver *resolver, const struct resolver_debug *debug, void *arg);

/*
 * Applies a configuration (start and reload): listeners that stay keep their
 * sockets, a changed forwarder gets a new context beside the old one. On
 * error nothing changes; 0 or -errno, and *why (free it) tells people what:
 * for an address in use also who holds it and the remedy (A11).
 */
int resolver_configure(struct resolver *resolver, const struct resolver_config *config, char **why);

/* The forwarders in use now, after rule A11; `count` of them, valid until the next configure or choice. */
const struct endpoint *resolver_forwarders(const struct resolver *resolver, size_t *count);
/*
 * Rule A11 once more, for where no dns-forward= is given: true when the
 * forwarders are others now, or none. A list that stays keeps its context and
 * cache; queries under way end at the forwarder that they asked. One that
 * libunbound refuses is not taken: false, and *why (free it; else NULL) says so.
 */
bool resolver_choose_again(struct resolver *resolver, char **why);
/* The files that rule A11 looks into, the first that names a forwarder counts; ended by NULL. */
const char *const *resolver_forward_files(const struct resolver *resolver);
/* Others in their place, not copied; exposed for its unit test. */
void resolver_set_forward_files(struct resolver *resolver, const char *const *files);

/*
 * Rule A11: what in this host's own files lets lookups go around us now, a
 * sentence each with place and remedy. How many; the caller frees *out and each text.
 */
size_t resolver_bypasses(const struct resolver *resolver, char ***out);

struct resolver_counters {
	uint64_t queries, answered, held, servfail, refused, malformed, timeouts;
	size_t in_flight, held_now;
};
struct resolver_counters resolver_counters(const struct resolver *resolver);

/* Rule A11: the nameservers of the first file that names one, ourselves left out. NULL texts end the list
 * of files. Caller frees *out. Exposed for its unit test. */
size_t resolver_find_forwarders(const char *const *files, const struct endpoint *self,
	size_t self_count, struct endpoint **out);
/* resolver_bypasses() for files and listeners of any place; exposed for its unit test. */
size_t resolver_find_bypasses(const char *resolv_conf, const char *nsswitch,
	const struct endpoint *self, size_t self_count, char ***out);

#endif
