/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SA payloads (RFC 7296 3.3): offering our suite, choosing from the peer's
 * offer. Combined-mode ciphers, which have no integrity transform (or NONE,
 * 3.3.3), and the others, which have one, never share a proposal (3.3, RFC 5282 8).
 */
#ifndef IKE_PROPOSAL_H
#define IKE_PROPOSAL_H

#include "ike/conn.h"
#include "ike/message.h"

struct ike_chosen {
	uint8_t number;	 /* of the proposal */
	uint8_t protocol;
	uint16_t encr;
	uint16_t key_bits;
	uint16_t integ; /* 0 with a combined-mode cipher */
	uint16_t prf; /* IKE only */
	uint16_t ke;  /* IKE; of ESP: the group of a key exchange of its own (PFS), 0 for none */
	uint16_t addke[IKE_ADDKE_MAX]; /* additional key exchanges in their order (RFC 9370); 0: none */
	uint8_t addke_declined;	       /* types (a bit each) that were offered and are NONE */
	uint16_t esn; /* ESP: 1 for extended sequence numbers (RFC 4303 2.2.1) */
	uint64_t spi; /* the peer's: 4 bytes for ESP; 0 in IKE_SA_INIT */
};

/* `suite` with empty lists replaced by the defaults, for IKE or for ESP (whose list of groups is empty). */
struct ike_suite ike_suite_defaults(const struct ike_suite *suite, uint8_t protocol);
/* What was chosen, and nothing else. */
struct ike_suite ike_suite_chosen(const struct ike_chosen *chosen);

/*
 * All of the suite: a proposal for its combined-mode ciphers and one for its
 * others, in the order of the suite's first cipher; groups of ESP only in
 * CREATE_CHILD_SA. Where additional key exchanges may be left out, the same again
 * without, for peers that do not know them. `spi_len` 0, 4 or 8.
 */
void ike_proposal_offer(struct ike_builder *builder, uint8_t protocol, const struct ike_suite *suite,
	uint64_t spi, uint8_t spi_len);
/* The answer: one proposal with one transform of each type. */
void ike_proposal_answer(struct ike_builder *builder, const struct ike_chosen *chosen, uint64_t spi,
	uint8_t spi_len);

/* Whether there is a list of methods for one, and whether each may be left out. */
bool ike_suite_has_addke(const struct ike_suite *suite);
bool ike_suite_may_miss_addke(const struct ike_suite *suite);
/* The suite without them. */
struct ike_suite ike_suite_without_addke(const struct ike_suite *suite);
/* The index of the first additional key exchange from `from` on; IKE_ADDKE_MAX when there is none. */
size_t ike_addke_next(const struct ike_chosen *chosen, size_t from);

enum ike_choice {
	IKE_CHOICE_MADE,
	IKE_CHOICE_NONE,      /* NO_PROPOSAL_CHOSEN */
	IKE_CHOICE_MALFORMED, /* INVALID_SYNTAX */
};

/*
 * The first proposal of which each transform type has one that the suite
 * allows; within it our preference counts, but for the group: `guess`, the
 * group of the peer's KE payload (0 for none), is taken if it is allowed, to
 * save a round trip.
 *
 * No method is used twice (RFC 9370 2.2.1).
 */
enum ike_choice ike_proposal_choose(const struct ike_payload *sa, uint8_t protocol,
	const struct ike_suite *suite, uint16_t guess, struct ike_chosen *out);

/* The protocol of the first proposal; IKE_PROTOCOL_NONE for a payload that is missing or malformed. */
uint8_t ike_proposal_protocol(const struct ike_payload *sa);

/* "AES_GCM_16_256/HMAC_SHA2_256/CURVE25519", "AES_CBC_128-…", "…/CURVE25519/KE1_ECP_384". */
#define IKE_PROPOSAL_TEXT 192
const char *ike_proposal_format(const struct ike_chosen *chosen, char out[IKE_PROPOSAL_TEXT]);

#endif
