/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS messages: a client's query, the addresses in an answer, and the answer
 * that goes to the client. All through the bounds-checked cursors of lib/wire.h.
 */
#ifndef RESOLVER_MESSAGE_H
#define RESOLVER_MESSAGE_H

#include "lib/addr.h"
#include "lib/strbuf.h"

#define MESSAGE_MAX 65535
#define MESSAGE_NAME_MAX 255
#define MESSAGE_TEXT_NAME 1025 /* every byte as \DDD, and the NUL */

enum {
	MESSAGE_NOERROR = 0,
	MESSAGE_FORMERR = 1,
	MESSAGE_SERVFAIL = 2,
	MESSAGE_NXDOMAIN = 3,
	MESSAGE_NOTIMP = 4,
	MESSAGE_REFUSED = 5,
	MESSAGE_BADVERS = 16,
};

enum {
	MESSAGE_TYPE_A = 1,
	MESSAGE_TYPE_AAAA = 28,
	MESSAGE_TYPE_SVCB = 64,
	MESSAGE_TYPE_HTTPS = 65,
	MESSAGE_TYPE_ANY = 255,
};

#define MESSAGE_CLASS_IN 1
#define MESSAGE_CLASS_CHAOS 3

/* A query as its client sent it. */
struct message_query {
	uint16_t id;
	uint8_t opcode;
	bool rd, cd, ad;
	uint8_t name[MESSAGE_NAME_MAX]; /* wire form, letters as they came */
	size_t name_len;
	char text[MESSAGE_TEXT_NAME]; /* lower case, no final dot; "." for the root */
	uint16_t type, class;
	bool edns;
	uint8_t edns_version;
	uint16_t udp_size; /* what the client takes; 512 without EDNS */
	bool dnssec_ok;
};

enum message_parsed {
	MESSAGE_QUERY,	 /* to be resolved */
	MESSAGE_DEBUG,	 /* a name in class CHAOS (A10) */
	MESSAGE_DROP,	 /* no query at all: not even an error is due */
	MESSAGE_REPLY,	 /* to be answered with *rcode */
};
enum message_parsed message_parse_query(
	const uint8_t *data, size_t len, struct message_query *out, int *rcode);

/* An upstream's answer, parsed. Owned by the query that it answers. */
struct message;

/* Copies the packet; NULL when its records cannot be walked. */
struct message *message_parse(const uint8_t *packet, size_t len);
void message_free(struct message *message);
int message_rcode(const struct message *message);
/* Distinct addresses in A, AAAA and in the hints of SVCB and HTTPS; at most `max`. */
size_t message_addresses(const struct message *message, struct addr *out, size_t max);

/* What is to happen to an address in the answer. */
struct message_fate {
	struct addr addr;
	bool usable;	  /* else its records are taken out */
	bool first;	  /* tunnelled: goes before the others (A3) */
	uint32_t max_ttl_s; /* A7 */
};
/*
 * Applies fates. Records go that carry an address that is not usable, or one
 * without a fate (nobody has judged it), or that cannot be read to the end.
 * With `whole` (A6) the answer section stays as it is, only in another order.
 * An answer that was changed loses AD.
 */
void message_apply(struct message *message, const struct message_fate *fates, size_t count, bool whole);

/* A8. `text` may be "". */
struct message_error {
	bool present;
	uint16_t code;
	char text[200];
};
#define MESSAGE_EDE_OTHER 0
#define MESSAGE_EDE_BLOCKED 15

/*
 * The answer for the client, at most `limit` bytes (512 or more; MESSAGE_MAX for
 * TCP), else over UDP without records and with TC. `secure`: validated. The length,
 * 0 when it cannot be built.
 */
size_t message_build(struct message *message, const struct message_query *query, bool secure,
	const struct message_error *error, size_t limit, uint8_t *out, size_t room);
#define MESSAGE_TEXT_MAX 255 /* bytes of a line: a character-string of RFC 1035 3.3 */

/* Lines for TXT records, each with a NUL behind it and at most MESSAGE_TEXT_MAX bytes. */
struct message_texts {
	struct strbuf list;
	size_t count;
	bool full; /* more would not fit into a message */
};
/*
 * The answer with a TXT record for each line, at most `limit` bytes (512 or
 * more), else without records and with TC. The length, 0 when it cannot be built.
 */
size_t message_build_texts(const struct message_query *query, const struct message_texts *texts,
	size_t limit, uint8_t *out, size_t room);
/* An answer without records. */
size_t message_build_error(const struct message_query *query, int rcode,
	const struct message_error *error, uint8_t *out, size_t room);

#endif
