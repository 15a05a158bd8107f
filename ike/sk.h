/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Encrypted payload (RFC 7296 3.14, RFC 5282). */
#ifndef IKE_SK_H
#define IKE_SK_H

#include "ike/keys.h"
#include "ike/message.h"

/*
 * A whole protected message. `iv` must be new for each message under a key
 * (a counter). The direction follows the initiator flag of `header`. Gives
 * the length, 0 when it does not fit or the cipher fails.
 */
size_t ike_sk_seal(const struct ike_keys *keys, const struct ike_header *header, uint64_t iv,
	uint8_t first, const uint8_t *inner, size_t inner_len, uint8_t *out, size_t room);

enum ike_sk_result {
	IKE_SK_OPENED,
	IKE_SK_FORGED,	  /* not protected, or the integrity check failed: as if never received */
	IKE_SK_MALFORMED, /* authentic, but its content does not parse: INVALID_SYNTAX */
};

/*
 * Opens the message `data` that was parsed to `outer` and parses its content
 * to `inner`, which points into `plain` (room for `len` bytes).
 */
enum ike_sk_result ike_sk_open(const struct ike_keys *keys, const uint8_t *data, size_t len,
	const struct ike_message *outer, uint8_t *plain, struct ike_message *inner);

#endif
