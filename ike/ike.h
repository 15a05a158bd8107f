/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IKEv2 engine (RFC 7296), both roles, seen from outside.
 *
 * Pure: no socket, no clock, no randomness of its own, no log. In come
 * datagrams, the time, commands and results; out go datagrams, one timer,
 * events, CHILD SAs to install and jobs, through `struct ike_ops`. All calls
 * are made from one thread. An op may be called from inside any ike_ function,
 * and must not call back into the engine before that function has returned
 * (queue the answer; the daemon's loop does so anyway).
 *
 * Times are microseconds of the caller's monotonic clock. SAs and CHILD SAs
 * are known outside by ids that are never reused within a process.
 */
#ifndef IKE_IKE_H
#define IKE_IKE_H

#include "ike/conn.h"

struct ike;

#define IKE_NEVER UINT64_MAX

enum ike_role { IKE_INITIATOR, IKE_RESPONDER };

/* Why a negotiation or an SA ended; names by ike_reason_name(). */
enum ike_reason {
	IKE_REASON_NONE,
	IKE_REASON_TIMEOUT,		/* the peer is silent */
	IKE_REASON_UNREACHABLE,		/* ICMP said so (N5) */
	IKE_REASON_NO_PROPOSAL,		/* NO_PROPOSAL_CHOSEN */
	IKE_REASON_AUTHENTICATION,	/* AUTHENTICATION_FAILED, theirs or ours */
	IKE_REASON_TS_UNACCEPTABLE,
	IKE_REASON_INVALID_SYNTAX,
	IKE_REASON_INVALID_KE,		/* the group game did not end */
	IKE_REASON_PEER_ERROR,		/* another error notify */
	IKE_REASON_INSTALL,		/* the data plane refused */
	IKE_REASON_UNAVAILABLE,		/* G7: authentication that cannot be done here */
	IKE_REASON_NAT,			/* a NAT is between, and N9 forbids what is asked for */
	IKE_REASON_PEER_DELETED,
	IKE_REASON_DELETED,		/* by us: command, shutdown */
	IKE_REASON_REDUNDANT,		/* lost against a crossing negotiation (ikev2.md 1b) */
	IKE_REASON_REKEYED,		/* another one has taken its place (RFC 7296 2.8) */
	IKE_REASON_IDLE,		/* nobody has used it (K8) */
	IKE_REASON_DEAD_PEER,		/* liveness check unanswered */
	IKE_REASON_CRYPTO,		/* key exchange or cipher failed */
	IKE_REASON_LIMIT,		/* one of our own bounds */
};

const char *ike_reason_name(enum ike_reason reason); /* "no answer", "NO_PROPOSAL_CHOSEN", … for people */

/* Steps of a negotiation that a timeline shows. */
enum ike_stage {
	IKE_STAGE_INIT_SENT,
	IKE_STAGE_INIT_RECEIVED, /* the response (initiator) or the request (responder) */
	IKE_STAGE_AUTH_SENT,
	IKE_STAGE_AUTH_RECEIVED,
	IKE_STAGE_INTERMEDIATE_SENT,
	IKE_STAGE_INTERMEDIATE_RECEIVED,
	IKE_STAGE_INSTALLING,	 /* keys handed to the data plane */
	IKE_STAGE_INSTALLED,	 /* the data plane acknowledged */
	IKE_STAGE_RETRANSMIT,
};
const char *ike_stage_name(enum ike_stage stage); /* "IKE_SA_INIT sent", … */

/* A CHILD SA that came up or goes. Keys are in `pair` only during ops->install. */
struct ike_child {
	uint64_t id;
	uint64_t sa;	 /* the IKE SA's id */
	uint64_t user;	 /* the caller's word: from ike_initiate() or ops->narrow() */
	enum ike_role role;
	struct path path;
	enum ike_auth local_auth, remote_auth;
	size_t conn;	 /* index into ike_config.conns */
	struct sa_pair pair;
};

/* What a CHILD SA has carried since it was installed. */
struct ike_traffic {
	uint64_t in_packets, out_packets;
};

enum ike_event_kind {
	IKE_EVENT_STAGE,	/* stage; every exchange, both roles */
	IKE_EVENT_UP,		/* child is installed, the exchange done */
	IKE_EVENT_CHILDLESS_UP, /* what we asked for without a CHILD SA stands (RFC 6023) */
	IKE_EVENT_FAILED,	/* a negotiation that WE started ended without a CHILD SA: reason */
	IKE_EVENT_CHILD_DOWN,	/* child is gone (ops->remove was called): reason */
	IKE_EVENT_CHILD_MOVED,	/* child has another IKE SA now: child->sa (a rekey) */
	IKE_EVENT_REFUSED,	/* we refused a peer's IKE_AUTH: reason, detail; it changes nothing (N2) */
	IKE_EVENT_SOFT_FAILURE, /* N5: an unauthenticated error or ICMP came; failure will follow unless more comes */
};

struct ike_event {
	enum ike_event_kind kind;
	uint64_t sa;
	uint64_t user; /* of the negotiation; 0 for a responder before ops->narrow() */
	enum ike_role role;
	struct path path;
	enum ike_stage stage;
	enum ike_reason reason;
	bool ends; /* UP, CHILDLESS_UP, FAILED: what ike_initiate() began is over with it */
	const char *detail; /* FAILED, REFUSED: more of the reason; NULL if there is no more */
	const struct ike_child *child; /* UP, CHILD_DOWN, CHILD_MOVED */
};

/* One traffic selector of the wire (RFC 7296 3.13.1), host order. */
struct ike_ts {
	uint8_t proto;
	uint16_t port_start, port_end;
	struct addr start, end;
};

struct ike_selectors;

/* What a responder is asked to accept, after the peer's AUTH verified. */
struct ike_offer {
	uint64_t sa;
	size_t conn;
	struct path path;
	enum ike_auth remote_auth;
	const struct ike_id *remote_id;
	const struct ike_selectors *selectors;
};

/* A peer of a connection with verify_name, once its certificate and AUTH are good. */
struct ike_claim {
	enum ike_role role; /* ours */
	size_t conn;
	struct path path;
	const struct cert_hosts *hosts; /* that the certificate is for */
};

/* How much of an offer a selector of one host and another would grant (RFC 7296 2.9), the best last. */
enum ike_fit {
	IKE_FIT_NONE,
	IKE_FIT_PART,
	IKE_FIT_FIRST, /* something of the peer's first choice */
	IKE_FIT_ALL,   /* all that the offer has for these hosts */
};
enum ike_fit ike_offer_fit(const struct ike_offer *offer, const struct selector *allowed);

/* Which job goes first where several wait. */
enum ike_job_rank {
	IKE_JOB_OURS,  /* of a negotiation that we began: somebody here may wait for it */
	IKE_JOB_BRIEF, /* a key exchange */
	IKE_JOB_LONG,  /* a signature */
};

/*
 * Slow work (DESIGN: jobs). The engine fills `run`, a pure function of
 * `data`, which any thread may call once; then ike_job_done(id) is called on
 * the engine's thread. `data` belongs to the engine and outlives the job.
 */
struct ike_job {
	uint64_t id;
	void (*run)(void *data);
	void *data;
	enum ike_job_rank rank;
};

/* SK_e and SK_a of an IKE SA (RFC 7296 2.14), while ops->keyed runs. */
struct ike_key_material {
	uint64_t spi_i, spi_r;
	uint16_t encr, key_bits, integ;
	size_t encr_len, integ_len; /* bytes of each key; encr with the salt of AEAD */
	const uint8_t *ei, *er, *ai, *ar;
};

struct ike_ops {
	/* Sends one datagram (no non-ESP marker; the caller adds it on port 4500). */
	void (*send)(void *arg, const struct path *path, const uint8_t *data, size_t len);
	/* Calls ike_tick() at this time (replaces the earlier wish); IKE_NEVER: none. */
	void (*timer)(void *arg, uint64_t at_us);
	void (*event)(void *arg, const struct ike_event *event);
	/* Which connection answers a stranger on this path; -1: none, stay silent. Rules N2, N3. */
	int (*conn_for)(void *arg, const struct path *path);
	/*
	 * Whether there may be an SA with the peer, for the hosts that its certificate is for; false:
	 * AUTHENTICATION_FAILED, and `why` gets the reason. May be NULL: then every peer is admitted.
	 */
	bool (*admit)(void *arg, const struct ike_claim *claim, char *why, size_t room);
	/*
	 * Chooses what may be granted of an offer, one host to another: fills
	 * *selector and *user, or false for TS_UNACCEPTABLE. What the offer has
	 * within it is granted, and TS_UNACCEPTABLE is the answer when that is nothing.
	 */
	bool (*narrow)(void *arg, const struct ike_offer *offer, struct selector *selector,
		uint64_t *user);
	/* Installs; answer with ike_installed(child->id, ok). The keys are wiped after the call. */
	void (*install)(void *arg, const struct ike_child *child);
	/* Removes what install put there; no answer. `pair` has SPIs and addresses, no keys. */
	void (*remove)(void *arg, const struct ike_child *child);
	/* The peer of an installed one is at another UDP port: pair.encap_remote_port; no answer, no keys. */
	void (*move)(void *arg, const struct ike_child *child);
	/* Sends a NAT keepalive (RFC 3948 2.3) as it is: no non-ESP marker, whatever the port. */
	void (*keepalive)(void *arg, const struct path *path, const uint8_t *data, size_t len);
	/*
	 * Fills in what an installed one has carried; `out` is all zero, and stays so where that cannot
	 * be told. May be NULL: then only IKE shows that a peer lives, and every silence is asked about.
	 */
	void (*traffic)(void *arg, const struct ike_child *child, struct ike_traffic *out);
	/* Which installed one sends to this address on this SPI; 0: none. May be NULL: then nobody is believed (1.5). */
	uint64_t (*outbound)(void *arg, const struct addr *to, uint32_t spi);
	/* Runs the job elsewhere, then ike_job_done(). */
	void (*job)(void *arg, const struct ike_job *job);
	/* An IKE SA has its keys: for a key log. May be NULL. */
	void (*keyed)(void *arg, const struct ike_key_material *keys);
	/* Fills with random bytes of cryptographic strength. Jobs call it, too: from any thread. */
	void (*random)(void *arg, void *out, size_t len);
};

/*
 * A notice for a peer that goes on sending on an SPI of ours that nobody knows any more, outside of any SA
 * (1.5): ours asks then whether we live. The length; 0 where there is no room.
 */
size_t ike_notice_build(uint8_t *out, size_t room, uint32_t spi);

/* Copies the ops; `config` is copied deeply. */
struct ike *ike_new(const struct ike_ops *ops, void *arg, const struct ike_config *config);
/* Frees all without a word on the wire. Jobs must have ended. */
void ike_free(struct ike *ike);
/*
 * A new configuration (C4). SAs keep the connection that they were made with if one of the
 * same name remains that would still give them to the same peer in the same way (reconfigure.c;
 * its new index counts). The others are deleted; what we had begun to negotiate begins again.
 */
void ike_reconfigure(struct ike *ike, const struct ike_config *config, uint64_t now_us);

/* Takes a datagram from the wire. Never fails: bad ones are counted and dropped. */
void ike_datagram(struct ike *ike, const struct path *path, const uint8_t *data, size_t len,
	uint64_t now_us);
/* Time has come (ops->timer). */
void ike_tick(struct ike *ike, uint64_t now_us);

/*
 * Starts a negotiation for a selector (our address(es) <-> the peer's) as the
 * initiator: on an IKE SA that the connection and the hosts have, or are about to have,
 * else with one of its own. Ends in exactly one of IKE_EVENT_UP, IKE_EVENT_CHILDLESS_UP or
 * IKE_EVENT_FAILED with this `user` and `ends`, never from inside; the event's SA may be
 * another by then. Gives the SA's id.
 */
uint64_t ike_initiate(struct ike *ike, size_t conn, const struct path *path,
	const struct selector *selector, uint64_t user, uint64_t now_us);
/* The answer to ops->install. */
void ike_installed(struct ike *ike, uint64_t child, bool ok, uint64_t now_us);
/* The answer to ops->job. */
void ike_job_done(struct ike *ike, uint64_t job, uint64_t now_us);
/* An ICMP unreachable came for a datagram of ours; `quoted` is what it quotes (may be short, N5). */
void ike_unreachable(struct ike *ike, const struct path *path, const uint8_t *quoted, size_t len,
	uint64_t now_us);
/* Authentic ESP for our SPI came from another UDP port of the peer, which is behind a NAT (RFC 7296 2.23). */
void ike_remap(struct ike *ike, uint32_t spi, uint16_t port, uint64_t now_us);
/* Replaces a CHILD SA soon: the data plane says that its counters run out (RFC 7296 2.8). */
void ike_rekey(struct ike *ike, uint64_t child, uint64_t now_us);
/* Replaces an IKE SA soon, and then each of its CHILD SAs, wherever rekey= says that nobody does by itself. */
void ike_renew(struct ike *ike, uint64_t sa, uint64_t now_us);
/* Ends a CHILD SA that nobody uses (K8), and its IKE SA with the last one: DELETE to the peer. */
void ike_close_idle(struct ike *ike, uint64_t child, uint64_t now_us);
/*
 * Ends a CHILD SA of which the data plane has a part at most: at once, without waiting for the peer, who is
 * told. Its IKE SA stays for the others that it has.
 */
void ike_end_child(struct ike *ike, uint64_t child, uint64_t now_us);
/* Ends an IKE SA with its children: DELETE to the peer when it is established. */
void ike_delete(struct ike *ike, uint64_t sa, uint64_t now_us);
/* Orderly stop: DELETE to every peer, best effort, one datagram each, no waiting. */
void ike_shutdown(struct ike *ike, uint64_t now_us);

struct ike_counters {
	uint64_t datagrams, malformed, unknown_spi, bad_icv, half_open_limit;
	uint64_t cookies; /* challenges sent */
	uint64_t initiated, responded, established, failed;
	size_t sas, half_open; /* now */
};
struct ike_counters ike_counters(const struct ike *ike);

/* What `oectl peers` shows of an SA; false when the id is not (no longer) there. */
struct ike_sa_info {
	uint64_t id;
	uint64_t own_spi;
	enum ike_role role;
	struct path path;
	bool established;
	enum ike_auth local_auth, remote_auth;
	struct ike_id remote_id;
	bool has_ppk; /* RFC 8784 */
	char proposal[192]; /* "AES_GCM_16_256/PRF_HMAC_SHA2_256/CURVE25519" */
};
bool ike_sa_info(const struct ike *ike, uint64_t sa, struct ike_sa_info *out);
/* The hosts that the peer's certificate is for, of a connection with verify_name; else NULL. Lives as long as the SA. */
const struct cert_hosts *ike_sa_hosts(const struct ike *ike, uint64_t sa);

#endif
