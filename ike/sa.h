/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the engine: the IKE SA, its tables and the one door for its state.
 * Included by the files of ike/ only.
 *
 *   initiator: INITIATING [-> INTERMEDIATE] -> SIGNING -> AUTH_SENT -> VERIFYING -> INSTALLING -> ESTABLISHED
 *   responder: HALF_OPEN -> CHECKING -> INSTALLING -> ESTABLISHED
 *   both:      ESTABLISHED -> DELETING -> DEAD; every state -> DEAD
 *
 * An SA that replaces another (rekey.c) begins ESTABLISHED; the other one is
 * then `is_replaced` and waits for its DELETE. The CHILD SAs go with the new one.
 *
 * A DEAD SA is out of all tables; it is freed when the public call ends, or
 * when its job has come back.
 */
#ifndef IKE_SA_H
#define IKE_SA_H

#include "ike/auth.h"
#include "ike/crypto/kex.h"
#include "ike/id.h"
#include "ike/ike.h"
#include "ike/keys.h"
#include "ike/message.h"
#include "ike/payload.h"
#include "ike/sk.h"
#include "lib/hash.h"
#include "lib/heap.h"

enum ike_sa_state {
	IKE_SA_INITIATING,
	IKE_SA_INTERMEDIATE,
	IKE_SA_SIGNING,
	IKE_SA_AUTH_SENT,
	IKE_SA_VERIFYING,
	IKE_SA_HALF_OPEN,
	IKE_SA_CHECKING,
	IKE_SA_INSTALLING,
	IKE_SA_ESTABLISHED,
	IKE_SA_DELETING,
	IKE_SA_DEAD,
};
const char *ike_sa_state_name(enum ike_sa_state state);

/* A message that we keep: bytes owned. */
struct ike_kept {
	uint8_t *data;
	size_t len;
};

/* So much of a nonce decides between two exchanges (2.8.1): none is shorter (2.10), and they are random. */
#define IKE_LOW_NONCE IKE_NONCE_MIN

/* The request that we have in flight; a window of one (RFC 7296 2.3). */
struct ike_request {
	struct ike_kept message; /* data NULL: none in flight */
	uint32_t id;
	uint32_t interval_us;
	uint64_t sent_us; /* the first time */
	uint64_t next_us; /* next retransmission */
	uint64_t give_up_us;
};

/* More than any certificate's chain needs. */
#define IKE_FRAGMENTS_MAX 32

/* Pieces of the peer's message that have come (RFC 7383); owned by the SA. */
struct ike_pieces {
	struct ike_sa *sa;
	struct ike_pieces *prev, *next; /* in ike.pieces */
	uint64_t began_us;
	uint32_t id;
	bool is_response;
	uint16_t total, have;
	uint8_t first; /* type of the first inner payload: number 1 says it */
	size_t bytes; /* of content */
	struct ike_kept pieces[IKE_FRAGMENTS_MAX];
};

/* TSi and TSr of one message, seen from here: our side's and the peer's, with the mode that goes with them. */
struct ike_selectors {
	struct ike_ts local[IKE_TS_MAX], remote[IKE_TS_MAX];
	size_t local_count, remote_count;
	bool transport; /* asked for, or granted */
};

/* What a CHILD SA is granted for: the first kind of traffic with the hosts, and more of them. */
struct ike_scope {
	struct selector selector;
	struct traffic more[TRAFFIC_MAX - 1];
	uint8_t more_count;
};

/* A job that an SA has given out: in ike.by_job until it comes back. Part of what the worker has. */
struct ike_errand {
	struct ike_sa *sa;
	uint64_t job; /* 0: none is under way */
	void (*done)(struct ike_sa *sa);
	UT_hash_handle by_job;
};

/* What IKE_AUTH needs and a half-open SA does not: nearly all of a handshake's memory. */
struct ike_auth_work {
	struct ike_errand errand;
	struct ike_nonce ni, nr;
	struct ike_id own_id;
	struct auth_task own_auth, peer_auth;
	struct ike_ppk_work *ppk; /* what we offer to mix in; NULL: nothing (ppk.c) */
	/* The peer's claim until its task is prepared; bytes owned. */
	uint8_t peer_method;
	struct ike_kept peer_proof;
	struct cert_chain peer_chain;
	/* The peer's offer of a CHILD SA: what we take of it, and its selectors. */
	struct ike_chosen esp;
	enum ike_choice esp_choice;
	struct ike_selectors selectors;
};

/* Only while a negotiation lasts; freed by ike_sa_forget_handshake(). */
struct ike_handshake {
	struct kex kex;
	/* As on the wire, for AUTH. Nonces, the peer's KE and a cookie are read out of them. */
	struct ike_kept init_request, init_response;
	struct ike_agreement *agreement; /* while a worker has the key exchange (agree.h) */
	struct ike_auth_work *work; /* from IKE_AUTH on; a stranger's half-open SA has none */
	struct ike_intermediate *intermediate; /* from the first such exchange on */
	struct ike_child_sa *child; /* the one that IKE_AUTH negotiates; in ike_sa.children too */
	uint32_t auth_message_id; /* responder: the request that waits for its answer */
	uint8_t peer_hashes;	/* that the peer verifies signatures of (RFC 7427 4) */
	uint8_t restarts; /* cookies and INVALID_KE_PAYLOAD answered */
	bool run_own, run_peer; /* what the job under way is to compute */
	bool use_ppk;		/* both say USE_PPK (RFC 8784 3) */
	bool use_intermediate;	/* both say INTERMEDIATE_EXCHANGE_SUPPORTED (RFC 9242) */
	/* The peer's wish for the CHILD SA, kept while its AUTH is checked. */
	bool has_child_offer;
	bool childless; /* the peer neither asks for one nor grants one (RFC 6023) */
	bool initial_contact;
	uint16_t child_error; /* notify to answer instead of a CHILD SA */
};

/*
 * A CHILD SA, owned by its IKE SA:
 *
 *   NEGOTIATING -> INSTALLING -> UP -> REPLACED
 *                                 \________\______-> ENDED
 *
 * NEGOTIATING has an SPI of ours and nothing else; INSTALLING is with the data
 * plane; REPLACED still stands while a successor does (2.8); ENDED is out of the
 * data plane and nobody's, but the peer is to be told. Gone is freed.
 */
enum ike_child_state {
	IKE_CHILD_NEGOTIATING,
	IKE_CHILD_INSTALLING,
	IKE_CHILD_UP,
	IKE_CHILD_REPLACED,
	IKE_CHILD_ENDED,
};

struct ike_child_sa {
	struct ike_sa *sa;
	struct ike_child pub; /* as the outside sees it; keys only while ops->install runs */
	enum ike_child_state state;
	struct ike_chosen esp;
	/* How it came about, when it replaces another one (2.8.1). */
	uint64_t replaces;	/* id of the one before it; 0: none */
	bool further;		/* it was the IKE SA's next, in nobody's place (further.c) */
	bool ours;		/* we began the exchange */
	struct ike_wish *wish;	/* what it is negotiated for, until it is up; owned; NULL: nobody waits */
	uint8_t low_nonce[IKE_LOW_NONCE];	/* the lower nonce of the exchange */
	uint64_t up_us;		/* since when it is up, or the first of those in whose place it is */
	uint64_t rekey_us;	/* we replace it then; IKE_NEVER */
	uint64_t delete_us;	/* we delete it then; IKE_NEVER */
	bool deleting;		/* our DELETE for it is in flight */
	struct ike_traffic traffic; /* that it had carried at the last look (liveness.c) */
	UT_hash_handle by_id;
	UT_hash_handle by_spi; /* our SPI */
	struct ike_child_sa *user_prev, *user_next; /* in ike_user.children */
	struct ike_child_sa *prev, *next;	    /* in ike_sa.children */
};

/* The peer's SPI and endpoint as bytes: a key for hashing has no padding. */
struct ike_peer_key {
	uint8_t bytes[IKE_SPI_LEN + 1 + 16 + 2];
};

struct ike_sa {
	struct ike *ike;
	uint64_t id;
	/* Strangers have half-open ones by the thousand: no byte is wasted, and none of these crosses one. */
	enum ike_role role : 2; /* original initiator or responder */
	enum ike_sa_state state : 4;
	enum ike_reason fail_reason : 6;   /* of fail_us */
	enum ike_reason delete_reason : 6; /* of delete_us */
	bool request_taken : 1; /* the one that is expected has come, and has no answer yet */
	bool fragments : 1;	/* RFC 7383: both ends speak it */
	bool has_ppk : 1;	/* one is in the keys (RFC 8784) */
	bool confirmed : 1;	/* the peer has it up too: sure for an initiator, else once it is heard */
	bool resent : 1;	/* the request in flight has been sent more than once */
	bool delete_sent : 1;	/* the request in flight is our DELETE */
	bool reported : 1;	/* initiator: UP or FAILED was told for `user` */
	bool soft_failed : 1;	/* N5 */
	bool rekeyed_by_us : 1; /* who began the exchange that made it in another's place */
	bool is_replaced : 1;	/* a successor has its CHILD SAs; it waits for its DELETE */
	bool peer_tracked : 1;	/* it is in ike.by_peer */
	bool unanswered : 1;	/* liveness.c: we have sent, and nothing came since it was last heard */
	bool single : 1;	/* the peer wants no further CHILD SA on it */
	bool had_child : 1;	/* one was up */
	bool came_to_us : 1;	/* the peer began it, or the first of those in whose place it is */
	bool suspected : 1;	/* liveness.c: dead, by somebody's word; it is asked a second after it was last heard */
	uint8_t repeats : 5;	 /* of the last answer */
	bool asked : 1;		/* crossing.c: those that carry the same have been asked since it is to go */
	bool doubted : 1;	/* it was asked so, and has not answered yet */
	uint8_t lost_states : 4; /* STATE_NOT_FOUND in a row (RFC 9370 2.2.4) */
	uint8_t nat : 2;	 /* who is behind one: IKE_NAT_HERE, IKE_NAT_THERE (nat.h) */
	/* enum ike_auth: how each end shows, and when established has shown, who it is. */
	uint8_t local_auth, remote_auth;
	struct path path;
	size_t conn;
	uint64_t user;
	struct selector selector; /* initiator: what is asked for */
	uint64_t spi_i, spi_r;
	struct ike_chosen chosen;
	struct ike_keys *keys; /* NULL until they are derived: most half-open SAs never are */
	struct ike_kept peer_id; /* who the peer has said to be, packed (id.h); see ike_sa_peer_id() */
	/* Of its certificate, owned: the hosts, where the connection verifies names; the numbers. */
	struct cert_hosts *hosts;
	struct cert_serials *serials;
	struct ike_handshake *handshake;
	uint8_t low_nonce[IKE_LOW_NONCE]; /* first bytes of the lower nonce, for ikev2.md 1b */

	struct ike_request request;
	uint32_t next_request; /* id of our next request */
	uint32_t expected;     /* id of the peer's next request */
	struct ike_kept response;   /* our last response, to request expected - 1 */
	uint64_t forget_response_us; /* it is kept until then */
	uint64_t iv;
	struct ike_pieces *pieces; /* of the message that is waited for; NULL: none came */

	struct ike_child_sa *children;

	char *detail; /* more of why it failed, for people; owned, NULL if there is none */
	uint64_t fail_us;   /* the negotiation fails then; IKE_NEVER */
	uint64_t delete_us; /* the SA is deleted then; IKE_NEVER */
	/* CREATE_CHILD_SA under way (create.c): that we began, that the peer began. */
	struct ike_create *ours, *theirs;
	uint64_t rekey_us;	 /* we replace the IKE SA then; IKE_NEVER */
	uint8_t *rekey_nonce; /* lower nonce of the exchange that made it (rekeyed_by_us); owned, NULL: none did */
	uint64_t successor;	 /* id of the IKE SA that has taken its place; 0: none */
	uint64_t expire_us; /* half-open or without a child: gone then; IKE_NEVER */
	uint64_t created_us, established_us, sent_us;
	/* Liveness (N7): when the peer was last heard, for sure; when the data plane was last looked at. */
	uint64_t heard_us, looked_us;

	struct heap_node due;

	UT_hash_handle by_id;
	UT_hash_handle by_spi; /* our own SPI */
	UT_hash_handle by_peer; /* responder before AUTH: the peer's SPI and endpoint */
	struct ike_peer_key peer_key;
	uint32_t rtt_us; /* what the last answer took, at most (rtt.c); 0: none came */
	union {
		struct ike_source *source; /* that it is counted to, while it is half-open (guard.c) */
		/* With the peer's other SAs, once it is established (established_us). */
		struct ike_peer *peer; /* contact.c */
		struct ike_host *host; /* anonymous.c: where remote_auth is IKE_AUTH_NULL */
	};
	struct ike_sa *peer_prev, *peer_next; /* in ike_peer.sas or ike_host.sas */
	struct ike_share *share; /* begun by us or established: it may carry several flows (wish.c); owned */
	uint64_t own_spi;
	struct ike_sa *next_dead;
};

/* The CHILD SAs for one `user` word: usually one, two after a crossing or while one is replaced. */
struct ike_user {
	uint64_t user;
	struct ike_child_sa *children;
	UT_hash_handle hh;
};

struct ike {
	struct ike_ops ops;
	void *arg;
	struct ike_config config; /* deep copy */
	struct ike_retired *retired; /* keys and CAs of earlier ones that jobs may still use */
	uint64_t now_us;	  /* of the public call under way */
	const struct path *from;  /* of the datagram under way */
	uint64_t last_id;
	struct ike_sa *by_id, *by_spi, *by_peer;
	struct ike_errand *by_job;
	struct ike_child_sa *children, *children_by_spi;
	struct ike_user *users;
	struct ike_peer *peers; /* by proved identity */
	struct ike_route *routes; /* by both addresses (wish.c) */
	struct heap due; /* of SAs */
	uint64_t timer_us; /* what ops->timer was last told */
	struct ike_sa *dead;
	uint64_t next_refusal_us; /* to a foreign version: not before */
	struct ike_pieces *pieces; /* that SAs collect, the oldest first */
	size_t piece_bytes;
	struct ike_guard *guard;
	struct ike_host *hosts; /* that are anonymous, by address (anonymous.c) */
	struct ike_site *sites;
	struct heap sites_by_weight;
	size_t anonymous; /* established SAs of theirs */
	struct ike_rtt *rtts; /* by the peer's address, the oldest first (rtt.c) */
	struct ike_counters counters;
};

/* --- sa.c ------------------------------------------------------------------------------- */
struct ike_sa *ike_sa_new(struct ike *ike, enum ike_role role, const struct path *path, size_t conn);
/* The one door: checks the edge, runs the entry action (DEAD leaves all tables). */
void ike_sa_set_state(struct ike_sa *sa, enum ike_sa_state state);
void ike_sa_forget_handshake(struct ike_sa *sa);
/* Recomputes when the SA is next due. Call after any of its times has changed. */
void ike_sa_schedule(struct ike_sa *sa);
/* Gives out a job (ops->job; its id is filled in), and takes it back: a dead SA is freed only then. */
void ike_errand_begin(struct ike_errand *errand, struct ike_sa *sa, const struct ike_job *job,
	void (*done)(struct ike_sa *sa));
void ike_errand_end(struct ike_errand *errand);
bool ike_sa_has_job(const struct ike_sa *sa);
/* Whether strangers may have more of them: who waits for too long is gone before it is its turn. */
bool ike_errands_admit(const struct ike *ike);
void ike_agreement_free(struct ike_agreement *agreement);
/* Takes them over; they are wiped with the SA. */
void ike_sa_take_keys(struct ike_sa *sa, struct ike_keys *keys);
void ike_sa_track_peer(struct ike_sa *sa);
struct ike_sa *ike_find_half_open(struct ike *ike, const struct path *path, uint64_t spi_i);
/*
 * Keys and CAs that a new configuration replaces stay until the jobs that
 * were under way have ended. Takes them out of `old`.
 */
void ike_retire(struct ike *ike, struct ike_config *old);
void ike_forget_retired(struct ike *ike);
/* Frees the dead and tells the timer; the end of every public call. */
void ike_settle(struct ike *ike);
/* A random SPI that is free; an SA that is made later takes it. */
uint64_t ike_fresh_spi(struct ike *ike);
void ike_sa_set_own_spi(struct ike_sa *sa, uint64_t spi);
const struct ike_conn *ike_sa_conn(const struct ike_sa *sa);
bool ike_sa_is_half_open(const struct ike_sa *sa);
void ike_kept_set(struct ike_kept *kept, const uint8_t *data, size_t len);
void ike_kept_clear(struct ike_kept *kept);

/* --- engine.c: takes a datagram from the wire, or one that was held ------------------------- */
void ike_take_datagram(struct ike *ike, const struct path *path, const uint8_t *data, size_t len);

/* --- exchange.c: sending, retransmitting, caching ------------------------------------------ */
/* Starts a request: keeps and sends it, arms retransmission. `data` is a whole message. */
void ike_send_request(struct ike_sa *sa, const uint8_t *data, size_t len);
/* The answer came: nothing is in flight any more. The same when its coming has been measured already (rtt.c). */
void ike_request_answered(struct ike_sa *sa);
void ike_request_settled(struct ike_sa *sa);
/* Nothing is in flight any more; no answer came. */
void ike_request_forget(struct ike_sa *sa);
/* N4: how long the answer to any is waited for. */
uint64_t ike_request_budget_us(const struct ike_sa *sa);
/* N5: how long the answer is waited for on when an error has come instead; never past the negotiation's end. */
uint64_t ike_soft_wait_us(const struct ike_sa *sa);
/* Sends a response to the peer's request `id` and keeps it for retransmissions. */
void ike_send_response(struct ike_sa *sa, uint32_t id, const uint8_t *data, size_t len);
/* 2.1: "responders are allowed to forget the response after a timeout of several minutes". */
#define IKE_RESPONSE_LIFE_US (180 * UINT64_C(1000000))
/* Forgets it, if it is time; true when it did. */
bool ike_response_tick(struct ike_sa *sa);
/* Sends a response of ours once more, to who asks for it just now, within bounds. */
void ike_send_again(struct ike_sa *sa, const struct ike_kept *response);
/* Seals a chain of payloads and sends it as our next request, or as the response to `id`. */
void ike_send_sealed_request(struct ike_sa *sa, uint8_t exchange, struct ike_builder *chain);
void ike_send_sealed_response(
	struct ike_sa *sa, uint8_t exchange, uint32_t id, struct ike_builder *chain);
/* Retransmits or gives up, if it is time. */
void ike_request_tick(struct ike_sa *sa);
/* Sends the request in flight once more at once (N5). */
void ike_request_resend(struct ike_sa *sa);

/* --- rtt.c: how long peers take to answer (N4, N5) ------------------------------------------ */
/* What we know of it, the most that it may be; 0: nothing. */
uint64_t ike_rtt(const struct ike_sa *sa);
/* The answer to the request in flight has come. */
void ike_rtt_take(struct ike_sa *sa);
/* A measurement; gives what is known with it. */
uint32_t ike_rtt_note(struct ike *ike, const struct addr *peer, uint32_t rtt_us);
void ike_rtts_free(struct ike *ike);

/* --- liveness.c ---------------------------------------------------------------------------- */
/* When the peer is to be looked after; IKE_NEVER. At that time: looks, and asks it if need be. */
uint64_t ike_live_due(const struct ike_sa *sa);
void ike_live_tick(struct ike_sa *sa);
/* The peer has said something authentic. */
void ike_live_heard(struct ike_sa *sa);
/* 2.21.4: somebody says that the peer knows nothing of the SA. Anybody may: no more than a question follows. */
void ike_live_doubt(struct ike_sa *sa);
/* Looks at what the CHILD SAs carry; true when something came in since the last look. */
bool ike_live_look(struct ike_sa *sa);

/* --- fragment.c ---------------------------------------------------------------------------- */
/* Room for a sealed message in as many pieces as it takes. */
#define IKE_SEALED_MAX (IKE_MESSAGE_MAX + IKE_FRAGMENTS_MAX * IKE_SKF_OVERHEAD_MAX)
/* 2.3: whether both say IKEV2_FRAGMENTATION_SUPPORTED; `init` is the peer's IKE_SA_INIT message. */
bool ike_fragments_agreed(const struct ike_sa *sa, const struct ike_message *init);
/* Seals content as one datagram, or as several where that is agreed and needed; the length of all. */
size_t ike_seal(struct ike_sa *sa, const struct ike_header *header, uint8_t first,
	const uint8_t *inner, size_t len, uint8_t *out, size_t room);
/* Sends every datagram of a message that we keep to the remote end of a path. */
void ike_send_kept(struct ike_sa *sa, const struct ike_kept *message, const struct path *path);
/* Whether bytes that came back (ICMP) are the beginning of a datagram of the request in flight. */
bool ike_is_in_flight(const struct ike_sa *sa, const uint8_t *quoted, size_t len);
/*
 * Takes a fragment. True with a result when there is something to do: forged,
 * malformed, or the message is whole and parsed to `inner` (in `plain`, room for
 * IKE_MESSAGE_MAX bytes). False while pieces are missing.
 */
bool ike_take_piece(struct ike_sa *sa, const struct ike_message *outer, const uint8_t *data, size_t len,
	uint8_t *plain, struct ike_message *inner, enum ike_sk_result *result);
void ike_pieces_clear(struct ike_sa *sa);
/* When what is not whole is forgotten; IKE_NEVER. Forgets it, if it is time: true. */
uint64_t ike_pieces_due(const struct ike_sa *sa);
bool ike_pieces_tick(struct ike_sa *sa);

/* --- events.c ---------------------------------------------------------------------------------- */
void ike_tell_stage(struct ike_sa *sa, enum ike_stage stage);
void ike_tell_up(struct ike_child_sa *child);
void ike_tell_childless(struct ike_sa *sa);
void ike_tell_failed(struct ike_sa *sa, enum ike_reason reason);
void ike_tell_moved(struct ike_child_sa *child);
/* For a key log, if the owner wants one. */
void ike_tell_keys(const struct ike_sa *sa);
void ike_tell_child_down(struct ike_child_sa *child, enum ike_reason reason);
void ike_tell_refused(struct ike_sa *sa, enum ike_reason reason);
void ike_tell_soft_failure(struct ike_sa *sa, enum ike_reason reason);

/* --- child.c ------------------------------------------------------------------------------------ */
/* A new one for `user`, NEGOTIATING, with an SPI of ours that no other has. */
struct ike_child_sa *ike_child_new(struct ike_sa *sa, uint64_t user);
/* By id; by the peer's SPI among those of one SA and of its successor; by ours. NULL if there is none. */
struct ike_child_sa *ike_child_find(struct ike *ike, uint64_t id);
struct ike_child_sa *ike_child_of_peer_spi(const struct ike_sa *sa, uint32_t spi);
struct ike_child_sa *ike_child_of_own_spi(struct ike *ike, uint32_t spi);
/* Those that the data plane has for a `user`, linked by user_next. */
struct ike_child_sa *ike_children_of_user(struct ike *ike, uint64_t user);

/* What makes its keys (2.17): the nonces and, with PFS, the shared secret (else NULL) of the exchange. */
struct ike_child_seed {
	const struct ike_nonce *ni, *nr;
	const struct secret *shared;
	struct chunk more; /* SK(1) … of additional key exchanges (RFC 9370); may be empty */
	bool initiator; /* we began the exchange */
};
/* Fills it with keys and hands it to the data plane; false when keys fail. */
bool ike_child_install(struct ike_child_sa *child, const struct ike_scope *scope,
	enum ipsec_mode mode, const struct ike_chosen *esp, const struct ike_child_seed *seed);
/* The data plane has it: UP is told. */
void ike_child_set_up(struct ike_child_sa *child);
/* Takes it out of the data plane, tells if it was up, and frees it. */
void ike_child_remove(struct ike_child_sa *child, enum ike_reason reason);
/* Takes an UP or REPLACED one out of the data plane and from its flow; it is freed when the peer has been told. */
void ike_child_end(struct ike_child_sa *child, enum ike_reason reason);
/* Both are for one flow, and for the same of it. */
bool ike_child_same(const struct ike_child_sa *a, const struct ike_child_sa *b);
void ike_children_remove(struct ike_sa *sa, enum ike_reason reason);
/* Those that stand, to another IKE SA of the same peer (2.8: a rekeyed one's are inherited). */
void ike_children_move(struct ike_sa *from, struct ike_sa *to);
/* Silent: for an engine that is freed. */
void ike_children_forget(struct ike_sa *sa);

/* --- rekey.c: when something is replaced, and what of several stays ----------------------------------- */
/* Sets the time of the next rekey; after it came up. */
void ike_rekey_plan_child(struct ike_child_sa *child);
void ike_rekey_plan_sa(struct ike_sa *sa);
/* The earliest time at which the SA or one of its CHILD SAs wants something. */
uint64_t ike_rekey_due(const struct ike_sa *sa);
/* Whether we are making a successor of it: in an exchange, or in the data plane. */
bool ike_rekey_is_begun(const struct ike_child_sa *old);
/* Whether one that we, or the peer, began is in its place, or about to be. */
bool ike_rekey_has_successor(const struct ike_child_sa *old, bool ours);
/* How much of a CHILD SA's bytes or packets (0: no limit) are used before it is replaced. */
uint64_t ike_rekey_amount(struct ike_sa *sa, uint64_t max);
/* Does what is due, one exchange at a time; true when it began one. */
bool ike_rekey_tick(struct ike_sa *sa);
/* A CHILD SA that replaces another is up: which of them goes, and who deletes it (2.8.1). */
void ike_rekey_settle_child(struct ike_child_sa *fresh);
/* The same for IKE SAs (2.8.2); moves the CHILD SAs to the one that stays. */
void ike_rekey_settle_sa(struct ike_sa *old, struct ike_sa *fresh);
/* The new IKE SA of a finished exchange, ESTABLISHED; NULL when its keys fail (2.18). */
struct ike_sa *ike_sa_succeed(struct ike_sa *old, const struct ike_create *create, bool ours);
/* The IKE SA that has taken its place; NULL if none has, or if that is gone. */
struct ike_sa *ike_sa_successor(const struct ike_sa *sa);
/* Another CHILD SA has its flow: it stands until its DELETE, ours after a moment, or the peer's. */
void ike_rekey_retire(struct ike_child_sa *child, bool by_us);
/* Again later, by chance not when the peer does (2.25). A CHILD SA may be gone by then: nothing is to be done. */
void ike_rekey_retry_sa(struct ike_sa *sa);
void ike_rekey_retry_child(struct ike *ike, uint64_t id);
/* The first bytes of the lower of two nonces. */
void ike_low_nonce(const struct ike_nonce *ni, const struct ike_nonce *nr, uint8_t out[IKE_LOW_NONCE]);

/* --- contact.c: INITIAL_CONTACT --------------------------------------------------------------------- */
/* An SA is established, an SA ends. */
void ike_contact_add(struct ike_sa *sa);
void ike_contact_remove(struct ike_sa *sa);
/* 2.4: the peer of an SA whose AUTH is good says that it has no other; those that we have end. */
void ike_contact_obey(struct ike_sa *fresh);

/* --- crossing.c ---------------------------------------------------------------------------------- */
/* After a child came up: what of the older SAs of the same user goes (1b, N7). */
void ike_settle_crossing(struct ike_child_sa *child);
/* Deletes a redundant SA, if it is sure by now that another one carries its flow. */
void ike_drop_redundant(struct ike_sa *sa);

/* --- the ends of an SA (informational.c) ----------------------------------------------------------- */
/* The negotiation or SA is over: tells, removes the child, dies; no word on the wire. */
void ike_sa_end(struct ike_sa *sa, enum ike_reason reason);
/* The same, with a DELETE to the peer first if keys exist; waits for the answer. */
void ike_sa_delete(struct ike_sa *sa, enum ike_reason reason);
/* The same, and the DELETE leaves now, whatever is in flight: nobody will wait. */
void ike_sa_delete_now(struct ike_sa *sa, enum ike_reason reason);
void ike_take_informational(struct ike_sa *sa, const struct ike_message *inner);
bool ike_is_farewell(const struct ike_message *inner); /* a DELETE of the IKE SA */
void ike_take_informational_answer(struct ike_sa *sa);
void ike_send_probe(struct ike_sa *sa);

/* --- initiator.c --------------------------------------------------------------------------------------- */
void ike_take_init_response(struct ike_sa *sa, const struct ike_message *message, const uint8_t *data,
	size_t len);
void ike_initiator_signed(struct ike_sa *sa);
void ike_take_intermediate_response(struct ike_sa *sa, const struct ike_message *inner);
void ike_take_auth_response(struct ike_sa *sa, const struct ike_message *inner);
void ike_initiator_verified(struct ike_sa *sa);
void ike_initiator_installed(struct ike_sa *sa, bool good);
/* N5: an unauthenticated hint that it will fail. */
void ike_soft_failure(struct ike_sa *sa, enum ike_reason reason);

/* --- guard.c: strangers in number ------------------------------------------------------------------ */
/*
 * Whether an IKE_SA_INIT request may make a half-open SA. False: it was
 * challenged with a cookie or dropped, and nothing is kept (2.6).
 */
bool ike_guard_admits(struct ike *ike, const struct path *path, const struct ike_message *message);
/* Counts a half-open SA to its source; the end of being half-open takes it back. */
void ike_guard_count(struct ike_sa *sa);
void ike_guard_uncount(struct ike_sa *sa);
/* Tells who sends a request to an SPI that is not ours that we know nothing of it (2.21.4). */
void ike_refuse_spi(struct ike *ike, const struct path *path, const struct ike_header *request);
void ike_guard_free(struct ike *ike);
/*
 * Whom an address counts to, as bytes: an IPv4 address as a whole, of an IPv6 address so many octets;
 * a site has a /48.
 */
#define IKE_SITE_OCTETS 6
#define IKE_SOURCE_KEY (2 + 8)
void ike_source_key(const struct addr *addr, size_t octets, uint8_t key[IKE_SOURCE_KEY]);

/* --- intermediate.c: IKE_INTERMEDIATE (RFC 9242) with additional key exchanges (RFC 9370) -------------------- */
/* Whether the connection speaks it; whether both ends do. */
bool ike_intermediate_wanted(const struct ike_sa *sa);
bool ike_intermediate_agreed(const struct ike_sa *sa, const struct ike_message *init);
/* Whether no additional key exchange is to be done (any more). */
bool ike_intermediate_is_done(const struct ike_sa *sa);
/* Initiator: whether another exchange comes before IKE_AUTH. */
bool ike_intermediate_is_due(const struct ike_sa *sa);
/* Initiator: begins the next one; takes its answer, false when the SA must end. */
void ike_intermediate_send(struct ike_sa *sa);
bool ike_intermediate_take_response(struct ike_sa *sa, const struct ike_message *inner);
void ike_take_intermediate_request(struct ike_sa *sa, const struct ike_message *inner);
/*
 * Counts a message of one end to IntAuth: its header as it is on the wire, and
 * its content before it is sealed, under the keys of this moment.
 */
bool ike_intermediate_cover(struct ike_sa *sa, const uint8_t header[IKE_HEADER_LEN], bool of_initiator,
	uint8_t first, const uint8_t *content, size_t len);
/* Adds what there is to an AUTH, before its way is chosen. */
void ike_intermediate_cover_auth(const struct ike_sa *sa, struct auth_task *task);
void ike_intermediate_free(struct ike_intermediate *state);

/* --- responder.c ----------------------------------------------------------------------------------------- */
void ike_take_init_request(struct ike *ike, const struct path *path, const struct ike_message *message,
	const uint8_t *data, size_t len);
/* Answers an IKE_SA_INIT request with one notify, at a rate that serves nobody as a mirror. */
void ike_refuse_init(struct ike *ike, const struct path *path, const struct ike_message *message,
	uint16_t type, const void *data, size_t len);
/* Derives the keys of a half-open SA at its first IKE_INTERMEDIATE or IKE_AUTH, and takes that then; false: dropped. */
bool ike_responder_hold(struct ike_sa *sa, const uint8_t *data, size_t len);
/*
 * An answer that ends a half-open SA: one error notify and nothing else. What is left
 * repeats it, should it be lost, until the SA's time is over.
 */
void ike_refuse_half_open(struct ike_sa *sa, uint8_t exchange, uint32_t id, uint16_t type, const void *data,
	size_t len);
void ike_take_auth_request(struct ike_sa *sa, const struct ike_message *inner);
void ike_responder_checked(struct ike_sa *sa);
void ike_responder_installed(struct ike_sa *sa, bool good);

/* --- traversal.c: a NAT on the path (2.23) ------------------------------------------------------------------ */
/* Writes our NAT detection notifies; notes what the peer's IKE_SA_INIT message tells. */
void ike_nat_offer(struct ike_sa *sa, struct ike_builder *builder);
void ike_nat_note(struct ike_sa *sa, const struct ike_message *init);
/* The initiator goes to port 4500, if a NAT is there. */
void ike_nat_float(struct ike_sa *sa);
/* 2.23.1: for transport mode, the addresses that we see take the place of those that the peer sees. */
void ike_nat_substitute(const struct ike_sa *sa, struct ike_selectors *selectors);
/* N9: whether a peer may have a CHILD SA at all; whether another peer has that of this flow. Both note why. */
bool ike_nat_permits(struct ike_sa *sa, bool transport);
bool ike_nat_is_taken(struct ike_sa *sa, uint64_t user);
/* Whether a CHILD SA is in transport mode, when the peer asks for it or grants it. */
bool ike_in_transport(const struct ike_sa *sa, bool asked);
/* 2.11, 2.23: goes where an authentic request came from. */
void ike_nat_follow(struct ike_sa *sa);
/* When the mapping wants a keepalive; IKE_NEVER. Sends it if it is time: true. */
uint64_t ike_keepalive_due(const struct ike_sa *sa);
bool ike_keepalive_tick(struct ike_sa *sa);

/* --- negotiate.c: what both roles share of IKE_AUTH -------------------------------------------------------- */
/* Reads SAi2/SAr2, TSi and TSr into the handshake; false: a payload is malformed. */
bool ike_read_child_offer(struct ike_sa *sa, const struct ike_message *inner);
/* Makes room for IKE_AUTH in the handshake. */
void ike_begin_auth_work(struct ike_sa *sa);
/* Reads the peer's ID (of the payload type given), AUTH and certificates; false: malformed. */
bool ike_read_proof(struct ike_sa *sa, const struct ike_message *inner, uint8_t id_payload);
/* Whether the connection accepts the identity that the peer claims; notes it when not. */
bool ike_peer_id_good(struct ike_sa *sa);
/* Writes our ID (as that payload), certificates and AUTH. */
void ike_build_proof(struct ike_sa *sa, struct ike_builder *chain, uint8_t id_payload);
/* CERTREQ, when the peer is to show a certificate (3.7). */
void ike_build_certreq(struct ike_sa *sa, struct ike_builder *chain);
/* SIGNATURE_HASH_ALGORITHMS (RFC 7427 4), where either side may sign; and reading the peer's. */
void ike_build_hashes(struct ike_sa *sa, struct ike_builder *chain);
uint8_t ike_read_hashes(const struct ike_message *message);
/* What we call ourselves on its connection. */
struct ike_id ike_sa_own_id(const struct ike_sa *sa);
/* Who the peer has said to be; type 0 when it has not yet. */
struct ike_id ike_sa_peer_id(const struct ike_sa *sa);
/* Both peers have said to be the same. */
bool ike_sa_same_peer(const struct ike_sa *a, const struct ike_sa *b);
/*
 * The PSK of one side's AUTH in a configuration; NULL if there is none. `ours`: what we call
 * ourselves. The peer's identity counts as far as it is known: for our own AUTH as an initiator,
 * only what the connection expects.
 */
const struct secret *ike_sa_psk(const struct ike_sa *sa, const struct ike_config *config,
	const struct ike_id *ours, bool own);
/* Prepares the AUTH task of one side; false when there is no PSK. */
bool ike_prepare_auth(struct ike_sa *sa, bool own);
/* False when a PSK or PPK is needed that we do not have: nothing need be sent then (G7). */
bool ike_can_authenticate(const struct ike_sa *sa);
/* Says more of why the SA fails; the first word counts. */
void ike_note_detail(struct ike_sa *sa, const char *detail);
/* Whether no revocation list of a configuration names the peer's certificate, as far as it is known. */
bool ike_peer_permitted(const struct ike_sa *sa, const struct ike_config *config, const struct ike_conn *conn);
/* Runs the prepared tasks as a job. */
void ike_start_auth_job(struct ike_sa *sa);
/* The verdict on the peer's AUTH and on whom it is for (ops->admit); notes the reason when it is bad. */
bool ike_peer_auth_good(struct ike_sa *sa);
/* Those of IKE_SA_INIT, out of the messages that are kept; false when one is not there yet. */
bool ike_kept_nonce(const struct ike_kept *message, struct ike_nonce *out);
bool ike_read_nonces(const struct ike_handshake *h, struct ike_nonce *ni, struct ike_nonce *nr);
/* The SA is keyed: of the shared secret, which is wiped with our pair, and what those messages say. */
void ike_sa_derive_keys(struct ike_sa *sa, struct secret *shared);
/*
 * Reads TSi, TSr and USE_TRANSPORT_MODE of the peer's message, with the addresses that we see
 * (2.23.1); `ours`: we began the exchange. False: one is missing or malformed.
 */
bool ike_read_selectors(const struct ike_sa *sa, const struct ike_message *inner, bool ours,
	struct ike_selectors *out);
/* What we grant of a peer's proposal, by the caller's policy and N9: 0, or the notify that refuses it. */
uint16_t ike_grant(struct ike_sa *sa, const struct ike_selectors *asked, struct ike_scope *scope, uint64_t *user);
bool ike_take_nonce(const struct ike_message *message, struct ike_nonce *out);
struct crypto_random ike_random(struct ike *ike);

/* --- narrow.c: traffic selectors (2.9) ---------------------------------------------------------------------- */
/* What a proposal has within a selector of ours, or as much of it as can be expressed; false: nothing. */
bool ike_narrow(const struct ike_selectors *asked, const struct selector *allowed, struct ike_scope *out);
enum ike_fit ike_fit(const struct ike_selectors *asked, const struct selector *allowed);
/* Whether an answer grants some of what we asked for and nothing else: what it grants. */
bool ike_is_granted(
	const struct ike_selectors *answer, const struct selector *asked, struct ike_scope *out);
/* 2.8: whether a request to replace a pair asks for all that it has; whether an answer grants just that. */
bool ike_still_asks(const struct ike_selectors *asked, const struct sa_pair *pair);
bool ike_still_grants(const struct ike_selectors *answer, const struct sa_pair *pair);
/* To and from a pair. */
void ike_scope_put(const struct ike_scope *scope, struct sa_pair *pair);
struct ike_scope ike_scope_of(const struct sa_pair *pair);
/* TSi and TSr, as the exchange's initiator or its responder writes them. */
void ike_build_selectors(struct ike_builder *chain, const struct ike_scope *scope, bool initiator);

/* Bounds */
#define IKE_HALF_OPEN_LIFE_US 10000000u
#define IKE_CHILDLESS_LIFE_US 5000000u
#define IKE_SPARE_MAX 10000u
#define IKE_SPARE_LIFE_US 900000000u /* without a CHILD SA, of a peer that is somebody */
#define IKE_CROSSING_US 10000000u
#define IKE_MAX_RESTARTS 4

#endif
