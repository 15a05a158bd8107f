/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of an IKE SA and of its CHILD SAs (RFC 7296 2.13, 2.14, 2.17). */
#ifndef IKE_KEYS_H
#define IKE_KEYS_H

#include "ike/crypto/aead.h"
#include "ike/crypto/prf.h"
#include "ike/proposal.h"
#include "lib/secret.h"

#define IKE_AEAD_KEY_MAX 36

/* Embedded in its SA; ike_keys_clear() wipes. Letters as in the RFC: SK_d, SK_ei, … */
struct ike_keys {
	uint16_t encr;
	uint16_t prf;
	size_t aead_len;
	size_t prf_len;
	uint8_t d[PRF_MAX], pi[PRF_MAX], pr[PRF_MAX];
	uint8_t ei[IKE_AEAD_KEY_MAX], er[IKE_AEAD_KEY_MAX];
};

struct ike_nonce {
	size_t len;
	uint8_t data[IKE_NONCE_MAX];
};

bool ike_keys_derive(struct ike_keys *keys, const struct ike_chosen *chosen,
	const struct secret *shared, const struct ike_nonce *ni, const struct ike_nonce *nr,
	uint64_t spi_i, uint64_t spi_r);
/* Those of an SA that replaces `old` (2.18). The PRF of both is the same: a rekey offers no other. */
bool ike_keys_rekey(struct ike_keys *keys, const struct ike_keys *old,
	const struct ike_chosen *chosen, const struct secret *shared, const struct ike_nonce *ni,
	const struct ike_nonce *nr, uint64_t spi_i, uint64_t spi_r);
void ike_keys_clear(struct ike_keys *keys);

/*
 * KEYMAT (2.17), with the shared secret of a key exchange of its own (PFS) or NULL: the key of the direction from the
 * exchange's initiator to its responder first, then the other; *key_len each.
 */
bool ike_keys_child(const struct ike_keys *keys, const struct ike_chosen *esp,
	const struct secret *shared, const struct ike_nonce *ni, const struct ike_nonce *nr, uint8_t to_responder[IPSEC_KEY_MAX],
	uint8_t to_initiator[IPSEC_KEY_MAX], size_t *key_len);

#endif
