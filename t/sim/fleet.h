/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hosts of a fleet, their network and their clock (fleet_hosts.c), for the
 * story that is told with them (fleet.c).
 */
#ifndef T_SIM_FLEET_H
#define T_SIM_FLEET_H

#include "ike/ike.h"
#include "lib/hash.h"
#include "lib/heap.h"
#include "policy/policy.h"

#define MS UINT64_C(1000)
#define SECOND UINT64_C(1000000)
/* A negotiation that has not ended by then never will. */
#define NEGOTIATION_MAX (30 * SECOND)

/* A CHILD SA in a host's data plane, with its keys. */
struct tunnel {
	struct ike_child child;
	bool installed;
	UT_hash_handle hh;	/* by child id */
	UT_hash_handle by_spi;	/* by our SPI */
};

/* A negotiation that a host has begun and that has not ended. */
struct attempt {
	uint64_t user, began_us;
	UT_hash_handle hh;
};

/* What a translator in front of a host has given it: one outer port for each of 500 and 4500. */
struct translator {
	bool present;
	uint16_t ports[2]; /* 0: none yet */
};

struct host {
	size_t number;
	struct addr addr;  /* its own … */
	struct addr outer; /* … and what the others see; the same without a NAT */
	struct translator nat;
	unsigned moves; /* changes of its address */
	struct ike *ike;
	struct policy *policy;
	uint64_t ike_timer, policy_timer, ahead_us; /* its clock is ahead by so much */
	struct heap_node wake;
	struct tunnel *tunnels, *by_spi;
	struct attempt *attempts;
	unsigned side; /* of a partition */
	unsigned life; /* goes up with each crash: what is under way to an earlier one is void */
	uint64_t changes; /* of what stands: ups and downs */
};

enum event_kind { EVENT_PACKET, EVENT_JOB, EVENT_INSTALLED, EVENT_SHUNT };

struct event {
	enum event_kind kind;
	struct heap_node due;
	size_t host;
	unsigned life;
	struct path path;
	uint8_t *data;
	size_t len;
	struct ike_job job;
	uint64_t id; /* of a child or a flow */
};

/* What the network does to datagrams. */
struct weather {
	unsigned loss, doubles; /* per cent */
	unsigned partitioned;
	uint64_t jitter_us;
};

extern size_t host_count;
extern uint64_t handshakes, violations;
extern uint64_t now_us, dice; /* the time, and the state of chance */
extern struct host *hosts;
extern struct heap queue, wakes; /* of events, of hosts */
extern struct weather weather;
extern bool trace;

uint64_t chance(void);
uint64_t below(uint64_t bound);
/* A line of the ladder, with --trace. */
__attribute__((format(printf, 1, 2))) void tell(const char *format, ...);
__attribute__((format(printf, 2, 3))) void violate(const struct host *host, const char *format, ...);
/* A host's own clock. */
uint64_t clock_of(const struct host *host);
struct addr addr_of(const struct host *host);
void take_random(void *arg, void *out, size_t len);
/* The same for all; the engine copies it. */
const struct ike_config *engine_config(bool no_rekey);
void start_host(struct host *host);
/* Its translator has lost its table; with `traffic` the peers' data planes see ESP from the new port. */
void rebind(struct host *host, bool traffic);
/* It has another address: what it had with the old one is over (N10). */
void move_host(struct host *host);
/* It is gone without a word, and with it what was under way to it. */
void stop_host(struct host *host);
void free_event(struct event *event);
/* Of every minute: what must hold for all. */
void check_all(void);
void run_until(uint64_t until_us);

#endif
