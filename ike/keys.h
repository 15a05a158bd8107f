/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of an IKE SA and of its CHILD SAs (RFC 7296 2.13, 2.14, 2.17). */
#ifndef IKE_KEYS_H
#define IKE_KEYS_H

#include "ike/crypto/aead.h"
#include "ike/crypto/cbc.h"
#include "ike/crypto/prf.h"
#include "ike/proposal.h"
#include "lib/secret.h"

/*
 * Embedded in its SA, zeroed at first; ike_keys_clear() wipes and frees.
 * Letters as in the RFC: SK_d, SK_ei, … They lie in one block, one behind the
 * other in the RFC's order, each no longer than its algorithm's key is.
 */
struct ike_keys {
	uint16_t encr;
	uint16_t integ; /* 0 with a combined-mode cipher, which has no SK_a */
	uint16_t prf;
	uint8_t encr_len, integ_len, prf_len;
	uint8_t *d; /* and the begin of the block */
	const uint8_t *ai, *ar, *ei, *er, *pi, *pr;
};

struct ike_nonce {
	size_t len;
	uint8_t data[IKE_NONCE_MAX];
};

bool ike_keys_derive(struct ike_keys *keys, const struct ike_chosen *chosen,
	const struct secret *shared, const struct ike_nonce *ni, const struct ike_nonce *nr,
	uint64_t spi_i, uint64_t spi_r);
/* SK(1) | SK(2) … of additional key exchanges at most (RFC 9370 2.2.4). */
#define IKE_MORE_SECRETS_MAX (IKE_ADDKE_MAX * SECRET_MAX)
/*
 * Those of an SA that replaces `old` (2.18). The PRF of both is the same: a rekey offers no
 * other. `more`: what additional key exchanges gave, one behind the other; NULL for none.
 */
bool ike_keys_rekey(struct ike_keys *keys, const struct ike_keys *old,
	const struct ike_chosen *chosen, const struct secret *shared, const struct chunk *more,
	const struct ike_nonce *ni, const struct ike_nonce *nr, uint64_t spi_i, uint64_t spi_r);
/*
 * The same SA's after an additional key exchange (RFC 9370 2.2.2): from SK_d and the new
 * secret, with the nonces of IKE_SA_INIT. False: the keys are as they were.
 */
bool ike_keys_update(struct ike_keys *keys, const struct ike_chosen *chosen, const struct secret *shared,
	const struct ike_nonce *ni, const struct ike_nonce *nr, uint64_t spi_i, uint64_t spi_r);
void ike_keys_clear(struct ike_keys *keys);

/* RFC 8784 3: a key of `len` bytes becomes prf+(PPK, key). */
bool ike_key_with_ppk(uint16_t prf, const struct secret *ppk, uint8_t *key, size_t len);
/* The same for SK_d, SK_pi and SK_pr; false, and nothing is to be done with them, when the PRF fails. */
bool ike_keys_with_ppk(struct ike_keys *keys, const struct secret *ppk);

/*
 * KEYMAT (2.17), with the shared secret of a key exchange of its own (PFS) or
 * NULL, and what additional key exchanges gave: the keys of the direction from the exchange's initiator to its
 * responder, and those of the other. Sets keys and their lengths only.
 */
bool ike_keys_child(const struct ike_keys *keys, const struct ike_chosen *esp,
	const struct secret *shared, const struct chunk *more, const struct ike_nonce *ni,
	const struct ike_nonce *nr, struct ipsec_sa *to_responder,
	struct ipsec_sa *to_initiator);

#endif
