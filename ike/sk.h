/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Encrypted payload (RFC 7296 3.14, RFC 5282) and the Encrypted Fragment
 * payload (RFC 7383 2.5), which is one with a number.
 */
#ifndef IKE_SK_H
#define IKE_SK_H

#include "ike/keys.h"
#include "ike/message.h"

/* The place of a fragment: 1 .. total. */
struct ike_place {
	uint16_t number, total;
};

/* What a sealed fragment is longer than its content at most, with any cipher. */
#define IKE_SKF_OVERHEAD_MAX                                                                       \
	(IKE_HEADER_LEN + IKE_GENERIC_LEN + 4 + 2 * CBC_BLOCK_LEN + CBC_ICV_MAX)

/* The most content that fits into a message of `len` bytes, or into a fragment of so many. */
size_t ike_sk_room(const struct ike_keys *keys, bool fragment, size_t len);

/*
 * A whole protected message, or one fragment of it (`place` not NULL; `first`
 * is then 0 but in number 1). `iv` must be new for each message under a key
 * (a counter; it is the IV of an AEAD cipher, and CBC's is made of it). The direction follows the initiator flag of `header`. Gives
 * the length, 0 when it does not fit or the cipher fails.
 */
size_t ike_sk_seal(const struct ike_keys *keys, const struct ike_header *header, uint64_t iv,
	uint8_t first, const struct ike_place *place, const uint8_t *inner, size_t inner_len,
	uint8_t *out, size_t room);

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
/* True when the message is a fragment; its place, which is not to be trusted before it is opened. */
bool ike_skf_place(const struct ike_message *outer, struct ike_place *out);
/* Opens one fragment: its piece of the content is then in `plain`, *plain_len bytes. */
enum ike_sk_result ike_skf_open(const struct ike_keys *keys, const uint8_t *data, size_t len,
	const struct ike_message *outer, uint8_t *plain, size_t *plain_len);
/* Parses content that was put together of pieces, as ike_sk_open() does. */
enum ike_sk_result ike_sk_parse(const struct ike_message *outer, uint8_t first,
	const uint8_t *content, size_t len, struct ike_message *inner);

#endif
