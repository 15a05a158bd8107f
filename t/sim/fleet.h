/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the fleet know of each other:
 *
 *   fleet.c         the story: a storm, its end, and what must hold then
 *   fleet_time.c    chance, the clock, the queue of events
 *   fleet_net.c     datagrams, ESP and translators; strangers
 *   fleet_hosts.c   a host's daemon: engine and policy, wired as in daemon/
 *   fleet_plane.c   a host's kernel: SAs, flows, queues, counters
 *   fleet_talks.c   who has something to say to whom
 *   fleet_checks.c  what must hold for every host at every time
 *
 * Times are microseconds since the beginning of the story. Hosts, the queue and
 * the weather are global: there is one story at a time.
 */
#ifndef T_SIM_FLEET_H
#define T_SIM_FLEET_H

#include "ike/ike.h"
#include "lib/hash.h"
#include "lib/heap.h"
#include "policy/policy.h"

#define MS UINT64_C(1000)
#define SECOND UINT64_C(1000000)

/* What the configuration of all hosts says, and what follows from it. */
#define DPD_DELAY (30 * SECOND)
#define RETRANSMIT_TIMEOUT (4 * SECOND)
#define IDLE_TIMEOUT (200 * SECOND)
#define CHILD_LIFETIME (300 * SECOND)
#define SHUNT_LIFETIME (900 * SECOND)
#define PRIVATE_MEMORY (30 * SECOND) /* N6 */
/* N7: a dead peer costs this much and no more; a negotiation is one more exchange. */
#define BLACK_MAX (DPD_DELAY + RETRANSMIT_TIMEOUT + RETRANSMIT_TIMEOUT)
/* A negotiation that has not ended by then never will. */
#define NEGOTIATION_MAX (3 * RETRANSMIT_TIMEOUT)
/* What an earlier fault may still be to blame for: the longest backstop, and an exchange on either side. */
#define AFTERMATH (60 * SECOND + BLACK_MAX)
/* No host is down, or sleeps, for longer. */
#define DOWN_MAX (40 * SECOND)
#define SLEEP_MAX (120 * SECOND)

struct flow;

/* A CHILD SA: the pair in a host's kernel, and what the daemon notes of it. */
struct tunnel {
	struct ike_child child; /* with its keys */
	struct flow *flow;	/* NULL: it lingers for what is on its way (xfrm/departing.c) */
	bool acknowledged, up;
	bool expired;		/* its outbound SA has used up its limit */
	uint64_t since_us;
	struct ike_traffic carried;
	uint64_t ike_spi;	  /* our own, of its IKE SA */
	uint64_t idle_packets, idle_since_us; /* daemon/idle.c: at the last look that found use */
	uint64_t idle_from_us;		      /* the same by the world's clock, in which nobody sleeps */
	struct tunnel *prev, *next;	      /* of the flow, youngest first */
	UT_hash_handle hh;		      /* by child id */
	UT_hash_handle by_spi;		      /* by our SPI */
};

/* What every host's configuration has: everything; and one service, as its client and as its server. */
enum line { LINE_ALL = 1, LINE_CLIENT, LINE_SERVER };
#define SERVICE_PORT 443

/* What an application sends: one packet of a talk, or the answer to one. */
struct message {
	size_t talk;
	uint32_t serial; /* of the talk: its place may have another tenant */
	uint8_t line;	 /* of the sender, that it goes by */
	bool is_answer;
};

/* What outbound packets of a flow meet (xfrm/plane.h). */
enum stance { STANCE_IDLE, STANCE_HELD, STANCE_PASSED, STANCE_BLOCKED, STANCE_AWAITED, STANCE_ESTABLISHED };

struct flow_key {
	struct addr local, remote;
	uint8_t line;
};

/* A line's share of one host, from one of our addresses, in the kernel. */
struct flow {
	struct flow_key key;
	enum stance stance;
	struct tunnel *tunnels;
	struct tunnel *sending; /* the one that the policy names; NULL: none yet, or it is gone */
	struct tunnel *coming;	/* sent on when the peer has sent on it, */
	uint64_t awaited_us;	/* or after this */
	uint64_t shunt_end_us, larval_end_us;
	struct message held[4];
	size_t held_count;
	UT_hash_handle hh;
};

/* Of an SA that is gone: why. */
struct grave {
	uint64_t child;
	uint32_t spi;
	enum ike_reason reason;
};
#define GRAVES 32

/* A negotiation that a host has begun and that has not ended. */
struct attempt {
	uint64_t user, began_us;
	UT_hash_handle hh;
};

/* What has been seen of an IKE SA, by the host's own SPI. */
struct seen_sa {
	uint64_t spi;
	uint64_t sa;	  /* its id, once it was up */
	uint32_t request; /* the last that we sent: its id, */
	uint64_t hash;	  /* its bytes, */
	bool open;	  /* and that no answer has come */
	uint64_t at_us;
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
	bool is_up;
	struct ike *ike; /* NULL, and policy too: its daemon is dead */
	struct policy *policy;
	uint64_t ike_timer, policy_timer, ahead_us; /* its clock is ahead by so much */
	struct heap_node wake;
	struct flow *flows;
	struct tunnel *tunnels, *by_spi;
	struct attempt *attempts;
	struct seen_sa *seen;
	size_t seen_room;
	struct grave graves[GRAVES];
	size_t grave_next;
	unsigned side; /* of a partition */
	unsigned life; /* goes up with each death: what is under way to an earlier one is void */
	bool shutting_down;
	uint64_t changes;      /* of what stands: ups and downs */
	uint64_t disturbed_us; /* when a fault last struck it */
	uint64_t asked_us;     /* when an IKE_SA_INIT request last came */
};

enum event_kind {
	EVENT_PACKET,
	EVENT_ESP,
	EVENT_TALK,
	EVENT_HURRY,
	EVENT_START,
	EVENT_JOB,
	EVENT_INSTALLED,
	EVENT_SHUNT,
	EVENT_ACQUIRE,
	EVENT_MAPPING,
	EVENT_PEER_SENT,
	EVENT_AWAITED,
	EVENT_SOFT,
	EVENT_HARD,
	EVENT_DEPART,
	EVENT_IDLE,
};

/* ESP on its way: what the receiver's kernel sees, and what only we know. */
struct esp {
	uint32_t spi;
	bool in_udp;
	uint8_t key_len, key[IPSEC_KEY_MAX];
	size_t from;
	uint64_t child; /* the sender's id of it */
	uint64_t since_us; /* that it has had it */
	struct message message;
};

struct event {
	enum event_kind kind;
	struct heap_node due;
	size_t host;
	unsigned life;
	struct path path; /* of a datagram, as the receiver sees it; or the ends of a flow */
	uint8_t *data;
	size_t len;
	struct ike_job job;
	uint64_t id; /* of a child, a flow, a talk, a line */
	uint32_t serial;
	bool good;
	struct esp esp;
};

/* What the network does to datagrams. */
struct weather {
	unsigned loss, doubles; /* per cent */
	bool partitioned;
	uint64_t delay_us, jitter_us;
	uint64_t calm_since_us; /* nothing has been lost since; NEVER_CALM */
};
#define NEVER_CALM UINT64_MAX

/* What has happened, for the reader to judge whether anything was tested. */
struct tally {
	uint64_t handshakes; /* IKE_SA_INIT and IKE_AUTH */
	uint64_t pairs;	     /* that came up, with a handshake or on an IKE SA that there was */
	uint64_t violations;
	uint64_t esp, delivered, unknown, acquires, lookups, idle_ends, soft_expires, hard_expires, dead_peers, mappings;
	uint64_t checks; /* of all hosts at once */
};

extern size_t host_count;
extern struct tally tally;
extern uint64_t now_us, dice; /* the time, and the state of chance */
extern uint64_t digest;	      /* of all that has happened */
extern struct host *hosts;
extern struct heap queue, wakes; /* of events, of hosts */
extern struct weather weather;
extern bool trace;

/* --- fleet_time.c ----------------------------------------------------------------------------- */
uint64_t chance(void);
uint64_t below(uint64_t bound);
/* A line of the ladder, with --trace. */
__attribute__((format(printf, 1, 2))) void tell(const char *format, ...);
__attribute__((format(printf, 2, 3))) void violate(const struct host *host, const char *format, ...);
/* Something has happened, by enum event_kind, or a flow has left a state: it is part of the digest. */
#define NOTE_STATE 100u
void note(unsigned kind, uint64_t what, uint64_t size);
struct event *add_event(enum event_kind kind, const struct host *host, uint64_t delay_us);
void free_event(struct event *event);
void run_until(uint64_t until_us);

/* --- fleet_net.c ------------------------------------------------------------------------------ */
/* Who has the address now; NULL if nobody has. */
struct host *host_of(const struct addr *addr);
/* The address that a host has after so many moves. */
struct addr addr_of(const struct host *host);
void change_weather(void);
void clear_weather(void);
void take_send(void *arg, const struct path *path, const uint8_t *data, size_t len);
void take_keepalive(void *arg, const struct path *path, const uint8_t *data, size_t len);
void send_esp(struct host *from, const struct tunnel *tunnel, const struct message *message);
void take_packet(struct host *host, const struct event *event);
void net_forget(void);
/* Its translator has lost its table. */
void rebind(struct host *host);
/* Bytes from nobody, or true ones that are changed or from elsewhere: what stands must stand as it did. */
void shout(struct host *host);

/* --- fleet_hosts.c ---------------------------------------------------------------------------- */
/* A host's own clock. */
uint64_t clock_of(const struct host *host);
void set_wake(struct host *host);
void start_host(struct host *host);
/* Its daemon dies without a word; its kernel carries on (K6). */
void stop_daemon(struct host *host);
/* It is gone without a word, kernel and all. */
void stop_host(struct host *host);
/* Its daemon stops in order, with a DELETE for each peer. */
void shut_down(struct host *host);
/* It has another address: what it had with the old one is over (N10). */
void move_host(struct host *host);
/* Of an SA that is gone, by its id or, if that is 0, by our SPI; NULL when it is forgotten. */
struct grave *grave_of(struct host *host, uint32_t spi, uint64_t child);
void do_event(struct event *event);
void do_wake(struct host *host);

/* --- fleet_plane.c ---------------------------------------------------------------------------- */
/* What the daemon asks of the kernel (xfrm/dataplane.h). */
void plane_hold(struct host *host, const struct policy_flow *flow);
void plane_shunt(struct host *host, const struct policy_flow *flow, bool pass, uint32_t lifetime_s);
void plane_idle(struct host *host, const struct policy_flow *flow);
void plane_establish(struct host *host, const struct ike_child *child, const struct policy_flow *flow);
void plane_remove(struct host *host, struct tunnel *tunnel);
void plane_clear(struct host *host);
/* Packets of applications, and of the network. */
void plane_send(struct host *host, const struct addr *local, const struct addr *remote,
	const struct message *message);
void plane_take_esp(struct host *host, const struct event *event);
/* What the kernel and its timers do later. */
void plane_peer_sent(struct host *host, uint32_t spi);
void plane_awaited(struct host *host, const struct path *path, uint8_t line);
void plane_depart(struct host *host, uint32_t spi);
struct tunnel *tunnel_of_child(const struct host *host, uint64_t child);
struct tunnel *tunnel_of_spi(const struct host *host, uint32_t spi);
struct flow *flow_of(const struct host *host, const struct addr *local, const struct addr *remote, uint8_t line);

/* --- fleet_talks.c ---------------------------------------------------------------------------- */
/* So many packets in such a distance, by a line; `answered`: the other end says something to each. */
size_t talk_begin(struct host *from, const struct host *to, enum line line, unsigned packets,
	uint64_t interval_us, bool answered);
/* One of chance's making; it may begin with a lookup. */
void talk_of_any_kind(struct host *from, const struct host *to);
void talk_due(size_t number, uint32_t serial);
void talk_hurry(size_t number, uint32_t serial);
/* What became of a packet: it left in ESP, it met a shunt, it has arrived. */
void talk_sent(const struct message *message);
void talk_shunted(const struct message *message);
void talk_arrived(struct host *at, const struct addr *local, const struct addr *remote,
	const struct message *message);
/* Packets that have arrived at their talk's end, answers too. */
uint64_t talk_delivered(size_t number);
void talk_end(size_t number);
void talks_end(void);

/* --- fleet_checks.c --------------------------------------------------------------------------- */
/* Nothing has struck two hosts or the network since. */
uint64_t undisturbed_since(const struct host *a, const struct host *b);
/* A flow was touched in this step; after the step it is looked at. */
void touch(const struct host *host, uint64_t user);
void check_touched(void);
void check_all(void);
/* Nobody knows the SPI of a packet. */
void check_loss(struct host *at, const struct esp *esp);
void check_keys(const struct host *host, const struct tunnel *tunnel);
/* The IKE SA of a tunnel lives, and no other has its SPI. */
void check_spi(struct host *host, struct tunnel *tunnel);
/* A host sends or gets an IKE datagram: one request at a time. */
void check_window(struct host *host, const uint8_t *data, size_t len, bool sent);
void checks_forget(struct host *host);

#endif
