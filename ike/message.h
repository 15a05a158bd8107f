/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame of an IKE message: header and payload chain (RFC 7296 3.1, 3.2),
 * read into a view that points into the datagram, and built by a writer.
 *
 * Reading validates the whole chain before anything is used: lengths must add
 * up exactly; an unknown payload with the critical bit is remembered for
 * UNSUPPORTED_CRITICAL_PAYLOAD; without it the payload is skipped. Reserved
 * bits and the minor version are ignored.
 */
#ifndef IKE_MESSAGE_H
#define IKE_MESSAGE_H

#include "ike/const.h"
#include "lib/wire.h"

struct ike_header {
	uint64_t spi_i, spi_r;
	uint8_t next;
	uint8_t version;
	uint8_t exchange;
	uint8_t flags;
	uint32_t id;
	uint32_t len;
};

struct ike_payload {
	uint8_t type;
	const uint8_t *data; /* after the generic header */
	size_t len;
};

/* More than any honest message has; a longer chain is malformed. */
#define IKE_MAX_PAYLOADS 64
/* Larger than any message that we build or take without fragmentation. */
#define IKE_MESSAGE_MAX 16384

struct ike_message {
	struct ike_header header;
	struct ike_payload payloads[IKE_MAX_PAYLOADS];
	size_t count;
	uint8_t unsupported;	   /* type of the first unknown critical payload, 0 if none */
	/* Of what was sealed: the whole content as it came, and the type of its first payload. */
	uint8_t first;
	const uint8_t *content;
	size_t content_len;
	uint8_t sk_first;	   /* when the chain ends in SK: type of its first inner payload */
};

/* True when the datagram has a plausible header (length, version not checked). */
bool ike_header_parse(const uint8_t *data, size_t len, struct ike_header *out);
/* The whole message; false when it is malformed in any way. */
bool ike_message_parse(const uint8_t *data, size_t len, struct ike_message *out);
/* A chain of payloads without a header (what SK contains), added to `out`. */
bool ike_chain_parse(uint8_t first, const uint8_t *data, size_t len, struct ike_message *out);

/* The first payload of a type, or NULL. */
const struct ike_payload *ike_message_find(const struct ike_message *message, uint8_t type);

/* --- building ------------------------------------------------------------------------ */

struct ike_builder {
	struct writer w;
	size_t next_at;	   /* where the type of the next payload goes */
	size_t payload_at; /* start of the payload being written */
	uint8_t first;	   /* type of the first payload */
	bool has_header;
};

/* A message: the header is written with a length that ike_build_finish() sets. */
struct ike_builder ike_build_message(void *out, size_t room, const struct ike_header *header);
/* A chain without header, for SK. */
struct ike_builder ike_build_chain(void *out, size_t room);
/* Begins and ends one payload; its body is written to builder->w in between. */
void ike_build_begin(struct ike_builder *builder, uint8_t type);
void ike_build_end(struct ike_builder *builder);
/* A whole payload at once. */
void ike_build_payload(struct ike_builder *builder, uint8_t type, const void *data, size_t len);
/* The length of what was built, 0 when it did not fit. */
size_t ike_build_finish(struct ike_builder *builder);

/* Writes a header (exactly IKE_HEADER_LEN bytes). */
void ike_header_build(struct writer *w, const struct ike_header *header);

#endif
