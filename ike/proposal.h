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
 * CREATE_CHILD_SA. `spi_len` 0, 4 or 8.
 */
void ike_proposal_offer(struct ike_builder *builder, uint8_t protocol, const struct ike_suite *suite,
	uint64_t spi, uint8_t spi_len);
/* The answer: one proposal with one transform of each type. */
void ike_proposal_answer(struct ike_builder *builder, const struct ike_chosen *chosen, uint64_t spi,
	uint8_t spi_len);

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
 */
enum ike_choice ike_proposal_choose(const struct ike_payload *sa, uint8_t protocol,
	const struct ike_suite *suite, uint16_t guess, struct ike_chosen *out);

/* The protocol of the first proposal; IKE_PROTOCOL_NONE for a payload that is missing or malformed. */
uint8_t ike_proposal_protocol(const struct ike_payload *sa);

/* "AES_GCM_16_256/HMAC_SHA2_256/CURVE25519", "AES_CBC_128-HMAC_SHA2_256_128/…". */
#define IKE_PROPOSAL_TEXT 96
const char *ike_proposal_format(const struct ike_chosen *chosen, char out[IKE_PROPOSAL_TEXT]);

#endif
