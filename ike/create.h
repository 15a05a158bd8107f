/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CREATE_CHILD_SA (RFC 7296 1.3): a further CHILD SA, one in another's place, a new
 * IKE SA; with additional key exchanges behind it (RFC 9370). At most one exchange of
 * ours and one of the peer's is under way, sa->ours and sa->theirs.
 */
#ifndef IKE_CREATE_H
#define IKE_CREATE_H

#include "ike/sa.h"

/* --- create.c: theirs, and what both share ------------------------------------------------------ */
enum ike_create_kind {
	IKE_CREATE_CHILD,	/* a further CHILD SA (further.c) */
	IKE_CREATE_REKEY_CHILD, /* one that takes another's place */
	IKE_CREATE_REKEY_IKE,
};

/* CHILD SAs that a peer ends before its answer about them is here: at most so many of one exchange. */
#define IKE_CREATE_GONE_MAX 4

/* One exchange under way. */
struct ike_create {
	enum ike_create_kind kind;
	uint32_t message_id; /* theirs: the request that waits for its answer */
	struct kex kex;	     /* group 0: none; of the exchange that is under way */
	struct secret shared; /* of the first */
	struct ike_followup *followup; /* others follow (followup.c); NULL: none */
	struct ike_nonce ni, nr;
	struct ike_child_sa *child; /* the new one; owned by the SA's list */
	uint64_t old;		    /* id of the CHILD SA that it replaces */
	struct ike_chosen chosen;
	uint64_t spi; /* ours of a new IKE SA */
	struct ike_scope scope; /* of the CHILD SA, once both ends know it; of a further one of ours, before that its wish */
	enum ipsec_mode mode;
	uint32_t gone[IKE_CREATE_GONE_MAX]; /* SPIs that the peer has deleted and we do not know; 0: none */
	unsigned tries;
	enum ike_reason why; /* what the peer has granted is of no use; NONE: it makes no sense */
};
/* Frees both of an SA that ends. */
void ike_creates_free(struct ike_sa *sa);
void ike_create_free(struct ike_create **link);
void ike_create_nonce(struct ike_sa *sa, struct ike_nonce *nonce);
/* Both ends know all of the CHILD SA: it goes to the data plane. False: its keys cannot be made. */
bool ike_create_install(const struct ike_create *create, bool ours);
/* The peer has it, and we do not: it is deleted there, and what it was for has another chance, or fails. */
void ike_create_give_back(struct ike_child_sa *child, enum ike_reason reason);
/* So many CHILD SAs, and flows that wait for one, are enough. */
bool ike_sa_is_full(const struct ike_sa *sa);
void ike_take_create_request(struct ike_sa *sa, const struct ike_message *inner);
/* The data plane's word on the CHILD SA of one of the two exchanges. */
void ike_create_installed(struct ike_sa *sa, struct ike_child_sa *child, bool good);
/* All key exchanges are done: makes what was asked for, and answers when that is there, or refuses. */
void ike_create_complete_theirs(struct ike_sa *sa);
/* A CHILD SA goes; an exchange of theirs that was to make it goes with it. */
void ike_create_forget_child(const struct ike_child_sa *child);
/* Theirs is not gone on with, without a word. */
void ike_create_drop_theirs(struct ike_sa *sa);

/* --- create_ours.c ------------------------------------------------------------------------------ */
/* Begins to replace a CHILD SA, or the IKE SA; nothing must be in flight. */
void ike_rekey_child(struct ike_child_sa *old, uint16_t group, unsigned tries);
void ike_rekey_sa(struct ike_sa *sa, uint16_t group, unsigned tries);
/* For those who begin one: the exchange with our nonce and key exchange. */
struct ike_create *ike_create_begin(struct ike_sa *sa, enum ike_create_kind kind, uint16_t group, unsigned tries);
/* These two as payloads, of either end. */
void ike_create_build_exchange(struct ike_builder *chain, const struct ike_nonce *nonce, const struct kex *kex);
/* 1.3: which other group the peer wants for a new try; 0: none that we give it. */
uint16_t ike_create_other_group(
	const struct ike_sa *sa, const struct ike_create *create, const struct ike_notify *notify);
void ike_take_create_response(struct ike_sa *sa, const struct ike_message *inner);
/* The peer deletes an SPI that is not known here: it may be what it has made for an exchange of ours. */
void ike_create_note_gone(struct ike_create *create, uint32_t spi);
/* All key exchanges are done: makes what was asked for. Frees it. */
void ike_create_complete_ours(struct ike_sa *sa, struct ike_create *create);
/* Ours is over: the peer refuses, or (NULL) what it says makes no sense. Frees it. */
void ike_create_fail_ours(struct ike_sa *sa, struct ike_create *create, const struct ike_notify *error);

/* --- create_suite.c ---------------------------------------------------------------------------------- */
/*
 * What is in use, and nothing else, but for the group of the new key exchange (0: none). The
 * first CHILD SA has none of its own: a later one has those of the IKE SA, where the peer
 * has them for CHILD SAs too.
 */
struct ike_suite ike_suite_in_use(
	const struct ike_sa *sa, const struct ike_child_sa *old, uint16_t group);
/* The same for a further CHILD SA: what the connection has, as in IKE_AUTH. */
struct ike_suite ike_suite_further(const struct ike_sa *sa, uint16_t group);
/* What we accept from the peer; the PRF stays as it is (research/ikev2.md 0.9). */
struct ike_suite ike_suite_accepted(const struct ike_sa *sa, uint8_t protocol);

/* --- further.c: a further CHILD SA (1.3.1) ---------------------------------------------------------------- */
struct ike_wish;
/* Asks for one; it has the wish then. Nothing must be in flight. */
void ike_further_begin(struct ike_sa *sa, struct ike_wish *wish, uint16_t group, unsigned tries);
/* Whether an answer grants some of what ours asks for; fills in what. */
bool ike_further_take(const struct ike_sa *sa, struct ike_create *create, const struct ike_selectors *answer);
void ike_further_refused(struct ike_sa *sa, struct ike_create *create, const struct ike_notify *error);
/* The wish fails. What the peer has made of it already is deleted there. */
void ike_further_fail(struct ike_child_sa *child, enum ike_reason reason);
/* It is up: of several for one flow, which goes, and who deletes it. */
void ike_further_settle(struct ike_child_sa *fresh);
/* The same when an IKE SA came with a CHILD SA for a flow that has a further one. */
bool ike_further_yields(struct ike_child_sa *further, const struct ike_child_sa *fresh);

/* --- followup.c: additional key exchanges behind CREATE_CHILD_SA (RFC 9370 2.2.4) ------------------------ */
/* Whether there are some to be done (still). */
bool ike_followup_is_due(const struct ike_create *create);
/* What they have given so far; empty if there were none. */
struct chunk ike_followup_secrets(const struct ike_create *create);
/* Responder: says that another exchange is to come, and waits for it. */
void ike_followup_expect(struct ike_sa *sa, struct ike_create *create, struct ike_builder *chain);
/* Initiator, with the peer's word that it waits: goes on; false when it does not say so. */
bool ike_followup_begin(struct ike_sa *sa, const struct ike_message *inner);
void ike_take_followup_request(struct ike_sa *sa, const struct ike_message *inner);
void ike_take_followup_response(struct ike_sa *sa, const struct ike_message *inner);
/* Responder: the answer to the last request. */
void ike_followup_answer(struct ike_sa *sa);
/* What we are replacing already, in exchanges behind the first. */
bool ike_followup_is_for(const struct ike_sa *sa, enum ike_create_kind kind, uint64_t old);
/* Both ends replace the same, and theirs waits for more. */
bool ike_followup_crosses(const struct ike_sa *sa);
/*
 * RFC 9370 2.2.4: both ends replace the same, and nothing is made yet. The exchange with the
 * lowest nonce is not gone on with by who began it; the peer knows, and forgets it in time.
 */
bool ike_followup_loses(const struct ike_sa *sa);
/* When a peer that does not go on has been waited for long enough. Forgets it, if it is time: true. */
uint64_t ike_followup_give_up(const struct ike_sa *sa);
bool ike_followup_tick(struct ike_sa *sa);
void ike_followup_free(struct ike_followup *followup);

#endif
