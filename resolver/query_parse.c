/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a client's query (message.h): what strangers on this host can send. */
#include "resolver/message.h"

#include "resolver/records.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FLAG_QR 0x8000
#define FLAG_RD 0x0100
#define FLAG_AD 0x0020
#define FLAG_CD 0x0010
#define EDNS_DO 0x8000
#define MIN_UDP 512

/* A name without compression (a question has nothing to point to). */
static bool read_name(struct reader *r, struct message_query *out)
{
	struct writer w = writer_init(out->name, sizeof(out->name));
	uint8_t len;

	do {
		const uint8_t *label;

		len = reader_u8(r);
		if (len > LABEL_MAX)
			return false;
		label = reader_bytes(r, len);
		writer_u8(&w, len);
		if (label)
			writer_bytes(&w, label, len);
	} while (len && !r->failed && !w.failed);
	out->name_len = w.len;
	return !r->failed && !w.failed;
}

static char *put_byte(char *at, uint8_t byte)
{
	if (byte == '.' || byte == '\\') {
		*at++ = '\\';
		*at++ = (char)byte;
		return at;
	}
	if (byte > ' ' && byte < 0x7f) {
		*at++ = (char)tolower(byte);
		return at;
	}
	return at + snprintf(at, 5, "\\%03u", byte);
}

/* RFC 1035 5.1. The room is enough for every byte in its longest form. */
static void write_text(struct message_query *query)
{
	const uint8_t *name = query->name;
	char *at = query->text;

	if (*name == 0)
		*at++ = '.';
	for (; *name; name += *name + 1) {
		if (at != query->text)
			*at++ = '.';
		for (uint8_t i = 1; i <= *name; i++)
			at = put_byte(at, name[i]);
	}
	*at = '\0';
}

/* RFC 6891; false when there are two, or the section is not all there. */
static bool read_additional(struct reader *r, unsigned count, struct message_query *out)
{
	for (unsigned i = 0; i < count; i++) {
		uint16_t type, class, len;
		uint32_t ttl;

		message_skip_name(r);
		type = reader_u16(r);
		class = reader_u16(r);
		ttl = reader_u32(r);
		len = reader_u16(r);
		reader_skip(r, len);
		if (r->failed)
			return false;
		if (type != TYPE_OPT)
			continue;
		if (out->edns)
			return false;
		out->edns = true;
		out->udp_size = class < MIN_UDP ? MIN_UDP : class;
		out->edns_version = (uint8_t)(ttl >> 16);
		out->dnssec_ok = ttl & EDNS_DO;
	}
	return true;
}

enum message_parsed message_parse_query(
	const uint8_t *data, size_t len, struct message_query *out, int *rcode)
{
	struct reader r = reader_init(data, len);
	uint16_t flags, questions, answers, authorities, additional;

	memset(out, 0, sizeof(*out));
	out->udp_size = MIN_UDP;
	out->id = reader_u16(&r);
	flags = reader_u16(&r);
	questions = reader_u16(&r);
	answers = reader_u16(&r);
	authorities = reader_u16(&r);
	additional = reader_u16(&r);
	if (r.failed || (flags & FLAG_QR))
		return MESSAGE_DROP;
	out->opcode = (uint8_t)(flags >> 11 & 0xf);
	out->rd = flags & FLAG_RD;
	out->cd = flags & FLAG_CD;
	out->ad = flags & FLAG_AD;
	*rcode = MESSAGE_FORMERR;
	if (out->opcode != 0) {
		*rcode = MESSAGE_NOTIMP;
		return MESSAGE_REPLY;
	}
	if (questions != 1 || answers || authorities || !read_name(&r, out)) {
		out->name_len = 0;
		return MESSAGE_REPLY;
	}
	out->type = reader_u16(&r);
	out->class = reader_u16(&r);
	if (r.failed) {
		out->name_len = 0;
		return MESSAGE_REPLY;
	}
	write_text(out);
	if (!read_additional(&r, additional, out))
		return MESSAGE_REPLY;
	if (out->edns_version != 0) {
		*rcode = MESSAGE_BADVERS;
		return MESSAGE_REPLY;
	}
	/* Zone transfers and the like are for servers. */
	if ((out->class != MESSAGE_CLASS_IN && out->class != MESSAGE_CLASS_CHAOS) ||
		(out->type >= 249 && out->type <= 254)) {
		*rcode = MESSAGE_REFUSED;
		return MESSAGE_REPLY;
	}
	return out->class == MESSAGE_CLASS_CHAOS ? MESSAGE_DEBUG : MESSAGE_QUERY;
}
