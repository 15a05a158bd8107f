/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world of two hosts: two engines, a virtual clock, a network that delays and
 * loses, and data planes that only remember. Everything comes from one seed,
 * so a run can be repeated.
 *
 * The world owns all; world_clear() frees and leaves nothing behind.
 */
#ifndef T_SIM_WORLD_H
#define T_SIM_WORLD_H

#include "ike/ike.h"

#define WORLD_CHILDREN 1024
#define WORLD_WIRE 4096
#define WORLD_MS 1000u
/* Lines of both hosts for one TCP port of host 1 each, beside the one for all between them. */
#define WORLD_FLOWS 48

struct world;

/* A datagram under way. */
struct packet {
	size_t from; /* index of the sending host */
	struct path path; /* as the sender sees it */
	size_t len;
	uint8_t *data;
	bool answer; /* flag of the header */
	uint8_t exchange;
	uint32_t id;
};

/* One datagram that was sent, for assertions. */
struct wire_entry {
	uint64_t at_us;
	size_t from;
	uint8_t exchange;
	bool answer;
	uint32_t id;
	size_t len;
	uint64_t hash;
};

/* A CHILD SA in a host's data plane, with its keys. */
struct world_child {
	struct ike_child child;
	bool installed, up;
	struct ike_traffic traffic; /* something more at each look, while somebody sends */
};

/* What has become of one of them. */
struct world_flow {
	unsigned wanted, ended, ups, downs, faileds;
	enum ike_reason reason; /* of the last failure */
};

struct world_host {
	struct world *world;
	struct ike *ike;
	struct addr addr;
	struct ike_conn conns[2];
	struct ike_psk psk, ppk; /* the PPK is in config where a test wants it */
	struct ike_config config;
	uint64_t timer_us;
	/* How the host behaves. */
	bool silent;	     /* it receives nothing and its clock stands */
	bool no_daemon;	     /* so does its daemon; but its data plane carries on */
	bool quiet;	     /* nobody on it sends; else somebody does, at every moment */
	bool refuses_install;
	bool refuses_narrow;
	const char *demands; /* the name that a peer's certificate must be for, where the conn verifies names; NULL: none */
	struct world_flow flows[WORLD_FLOWS];
	size_t lines;	     /* so many of them it grants; before them the other */
	struct traffic allows; /* as responder; protocol 0: all */
	bool ignores_strangers;
	int answers_by; /* the connection that is for strangers */
	uint64_t install_us, job_us; /* how long these take */
	/* What happened. */
	struct world_child children[WORLD_CHILDREN];
	size_t child_count;
	unsigned initiated, ups, faileds, downs, softs, stages, retransmissions, jobs;
	unsigned jobs_of[IKE_JOB_LONG + 1]; /* by rank */
	unsigned keepalives, childless_ups, claims;
	enum ike_reason failed_reason, down_reason, soft_reason;
	unsigned refusals;
	char failed_detail[256], refused_detail[256];
	uint64_t up_us, failed_us, down_us;
};

struct world {
	uint64_t now_us;
	uint64_t random; /* state of the generator */
	struct world_host hosts[2];
	struct world_event *queue; /* sorted by time */
	uint64_t delay_us;	   /* of the network */
	uint64_t jitter_us;
	unsigned loss_percent, duplicate_percent;
	/* Decides on each datagram: false drops it. It may change the data in place. */
	bool (*filter)(struct world *world, struct packet *packet);
	void *filter_arg;
	unsigned filter_count;
	struct wire_entry wire[WORLD_WIRE];
	size_t wire_count;
};

/* Two hosts 10.9.0.1 and 10.9.0.2 with one connection each and the same PSK. */
void world_init(struct world *world, uint64_t seed, enum ike_auth auth);
void world_clear(struct world *world);
uint64_t world_random(struct world *world);
/* Runs until a time; world_run_for() counts from now. */
void world_run(struct world *world, uint64_t until_us);
void world_run_for(struct world *world, uint64_t us);
/* Host `from` starts a negotiation with the other one; gives the SA's id. */
uint64_t world_initiate(struct world *world, size_t from);
/* The same by another connection of its own. */
uint64_t world_initiate_by(struct world *world, size_t from, size_t conn);
/* The same for the line of one port. */
uint64_t world_want(struct world *world, size_t from, size_t conn, size_t flow);
/* Which of its lines an offer is for: the first that has all of it. What is known of the flow of a user. */
bool world_line_for(const struct world_host *host, const struct ike_offer *offer, struct selector *selector,
	uint64_t *user);
struct world_flow *world_flow_of(struct world_host *host, uint64_t user);
/* A host's pairs for it that are up. */
size_t world_pairs_of(const struct world *world, size_t host, size_t flow);
/* Frees a host's engine and starts a new one that knows nothing; its data plane is empty. */
void world_restart(struct world *world, size_t host);
/* The host begins to replace its oldest IKE SA. */
void world_replace_sa(struct world *world, size_t host);
/* New engine with the host's changed configuration (before anything has begun). */
void world_reload(struct world *world, size_t host);
struct path world_path(const struct world *world, size_t from);
struct selector world_selector(const struct world *world, size_t from);
/* Puts bytes on the wire as if host `from` had sent them. */
void world_inject(struct world *world, size_t from, const uint8_t *data, size_t len, uint64_t delay_us);

/* Installed children of a host. */
size_t world_up_count(const struct world *world, size_t host);
/* True when both hosts hold the same pairs: SPIs, keys and selectors mirror each other. */
bool world_agrees(const struct world *world);
/* Datagrams that a host has sent of an exchange, requests or answers. */
size_t world_sent(const struct world *world, size_t from, uint8_t exchange, bool answer);

/*
 * Host 0 negotiates while datagrams are lost, doubled and late; then the weather clears up. True when
 * that ended as it should: both hosts hold one pair, or it was given up.
 */
bool world_weather(
	struct world *world, unsigned loss_percent, unsigned duplicate_percent, unsigned jitter_ms);
/* Somebody on the way makes a notify of IKE_SA_INIT one that nobody knows. */
void world_spoil_notify(struct packet *packet, uint16_t type);

#endif
