/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An upstream's answer as we keep it: the packet, and where its records are.
 * What passes untouched is copied as it came; message.c and message_build.c
 * alone look inside.
 */
#ifndef RESOLVER_RECORDS_H
#define RESOLVER_RECORDS_H

#include "lib/wire.h"
#include "resolver/message.h"

#define HEADER_LEN 12
#define LABEL_MAX 63
#define TYPE_OPT 41

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };
#define SECTIONS 3

/* Places are offsets in the packet. */
struct record {
	uint16_t owner;
	uint16_t type_at; /* behind the owner: type, class, TTL, length of the data */
	uint16_t rdata, rdata_len;
	uint16_t type;
};

/* Owned by the query that it answers; one piece of memory. */
struct message {
	uint8_t *packet; /* our copy: TTLs are changed in place */
	size_t len;
	size_t question_end, records_end; /* what passes untouched is between; the OPT is not */
	bool changed;  /* is not what was signed (A6) */
	bool reshaped; /* records went or moved: names that point into the packet point wrong */
	uint16_t counts[SECTIONS];
	struct record records[]; /* one section after the other, without the OPT */
};

/* Past a name: its end, or a pointer. What it points to is not looked at. */
void message_skip_name(struct reader *r);

#endif
