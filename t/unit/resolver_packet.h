/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS messages for the resolver's tests, written and read by hand: nothing of
 * the code under test, so that a mistake there is not repeated here.
 */
#ifndef T_UNIT_RESOLVER_PACKET_H
#define T_UNIT_RESOLVER_PACKET_H

#include "lib/addr.h"
#include "lib/wire.h"

#include <string.h>

enum { ANSWER, AUTHORITY, ADDITIONAL };

struct packet {
	uint8_t data[8192];
	struct writer w;
	uint16_t counts[3];
};

__attribute__((unused)) static void put_name(struct writer *w, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");

		writer_u8(w, (uint8_t)len);
		writer_bytes(w, name, len);
		name += len;
		name += *name == '.';
	}
	writer_u8(w, 0);
}

__attribute__((unused)) static void packet_begin(
	struct packet *p, uint16_t id, uint16_t flags, const char *name, uint16_t type)
{
	memset(p, 0, sizeof(*p));
	p->w = writer_init(p->data, sizeof(p->data));
	writer_u16(&p->w, id);
	writer_u16(&p->w, flags);
	writer_u16(&p->w, 1);
	writer_zero(&p->w, 6);
	put_name(&p->w, name);
	writer_u16(&p->w, type);
	writer_u16(&p->w, 1);
}

/* Sections in their order. A NULL name is a pointer to the question's. */
__attribute__((unused)) static void packet_rr(struct packet *p, int section, const char *name,
	uint16_t type, uint32_t ttl, const void *rdata, size_t len)
{
	if (name)
		put_name(&p->w, name);
	else
		writer_u16(&p->w, 0xc00c);
	writer_u16(&p->w, type);
	writer_u16(&p->w, 1);
	writer_u32(&p->w, ttl);
	writer_u16(&p->w, (uint16_t)len);
	writer_bytes(&p->w, rdata, len);
	writer_patch_u16(&p->w, (size_t)(6 + 2 * section), ++p->counts[section]);
}

__attribute__((unused)) static void packet_addr(
	struct packet *p, int section, const char *name, const char *text, uint32_t ttl)
{
	struct addr addr;

	if (addr_parse(text, &addr))
		packet_rr(p, section, name, addr.family == ADDR_IPV4 ? 1 : 28, ttl, addr.bytes,
			addr_len(&addr));
}

__attribute__((unused)) static void packet_opt(struct packet *p, uint16_t size, bool dnssec_ok)
{
	writer_u8(&p->w, 0);
	writer_u16(&p->w, 41);
	writer_u16(&p->w, size);
	writer_u32(&p->w, dnssec_ok ? 0x8000 : 0);
	writer_u16(&p->w, 0);
	writer_patch_u16(&p->w, 10, ++p->counts[ADDITIONAL]);
}

/* An RRSIG over `type`, good enough to be carried. */
__attribute__((unused)) static void packet_rrsig(struct packet *p, int section, uint16_t type)
{
	uint8_t rdata[64];
	struct writer w = writer_init(rdata, sizeof(rdata));

	writer_u16(&w, type);
	writer_u8(&w, 13);
	writer_u8(&w, 3);
	writer_u32(&w, 300);
	writer_u32(&w, 0x70000000);
	writer_u32(&w, 0x60000000);
	writer_u16(&w, 12345);
	put_name(&w, "example");
	writer_zero(&w, 16);
	packet_rr(p, section, NULL, 46, 300, rdata, w.len);
}

/* --- reading ------------------------------------------------------------------------------- */

struct record {
	int section;
	uint16_t type;
	uint32_t ttl;
	const uint8_t *rdata;
	uint16_t len;
};

struct reply {
	bool good; /* all of it could be read */
	uint16_t id, flags;
	uint16_t counts[3]; /* without the OPT */
	const uint8_t *name; /* of the question */
	uint16_t type;
	struct record records[256];
	size_t count;
	bool edns, dnssec_ok, has_error;
	uint16_t error;
	char text[256];
};

static void read_past_name(struct reader *r)
{
	for (uint8_t len = reader_u8(r); len; len = reader_u8(r)) {
		reader_skip(r, len >= 0xc0 ? 1 : len);
		if (len >= 0xc0)
			return;
	}
}

static void read_options(struct reply *out, const uint8_t *data, size_t len)
{
	struct reader r = reader_init(data, len);

	while (reader_left(&r) >= 4) {
		uint16_t code = reader_u16(&r);
		struct reader value = reader_sub(&r, reader_u16(&r));

		if (code != 15)
			continue;
		out->has_error = true;
		out->error = reader_u16(&value);
		reader_copy(&value, out->text, reader_left(&value) < 255 ? reader_left(&value) : 255);
	}
}

static void read_record(struct reader *r, int section, struct reply *out)
{
	struct record *record = &out->records[out->count];
	uint16_t class;

	read_past_name(r);
	record->section = section;
	record->type = reader_u16(r);
	class = reader_u16(r);
	record->ttl = reader_u32(r);
	record->len = reader_u16(r);
	record->rdata = reader_bytes(r, record->len);
	if (r->failed)
		return;
	if (record->type == 41) {
		out->edns = class > 0;
		out->dnssec_ok = record->ttl & 0x8000;
		read_options(out, record->rdata, record->len);
		return;
	}
	out->counts[section]++;
	if (out->count < 255)
		out->count++;
}

__attribute__((unused)) static struct reply read_reply(const uint8_t *data, size_t len)
{
	struct reply out = {0};
	struct reader r = reader_init(data, len);
	uint16_t counts[3], questions;

	out.id = reader_u16(&r);
	out.flags = reader_u16(&r);
	questions = reader_u16(&r);
	for (int i = 0; i < 3; i++)
		counts[i] = reader_u16(&r);
	if (questions) {
		out.name = data + 12;
		read_past_name(&r);
		out.type = reader_u16(&r);
		reader_u16(&r);
	}
	for (int section = 0; section < 3; section++) {
		for (uint16_t i = 0; i < counts[section] && !r.failed; i++)
			read_record(&r, section, &out);
	}
	out.good = reader_done(&r);
	return out;
}

__attribute__((unused)) static int reply_rcode(const struct reply *reply)
{
	return reply->flags & 0xf;
}

/* The n-th record of a type in a section; NULL if there is none. */
__attribute__((unused)) static const struct record *reply_record(
	const struct reply *reply, int section, uint16_t type, size_t n)
{
	for (size_t i = 0; i < reply->count; i++) {
		const struct record *record = &reply->records[i];

		if (record->section == section && record->type == type && n-- == 0)
			return record;
	}
	return NULL;
}

/* The n-th address of an answer as text; "" if there is none. */
__attribute__((unused)) static const char *reply_addr(const struct reply *reply, size_t n)
{
	static char text[ADDR_TEXT];
	struct addr addr;

	*text = '\0';
	for (size_t i = 0; i < reply->count; i++) {
		const struct record *record = &reply->records[i];

		if (record->section == ANSWER && (record->type == 1 || record->type == 28) &&
			n-- == 0 && addr_from_bytes(record->rdata, record->len, &addr))
			addr_format(&addr, text);
	}
	return text;
}

#endif
