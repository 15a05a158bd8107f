/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building what a client is sent (message.h). An answer whose records are all
 * there, in their order, is copied as it came: the question before them has the
 * same length, so the names that point into the packet still do. Else the
 * records are written one by one, with names in full where they would point.
 */
#include "resolver/message.h"

#include "resolver/records.h"

#include <ctype.h>
#include <string.h>

#define FLAG_QR 0x8000
#define FLAG_AA 0x0400
#define FLAG_TC 0x0200
#define FLAG_RD 0x0100
#define FLAG_RA 0x0080
#define FLAG_AD 0x0020
#define FLAG_CD 0x0010
#define EDNS_DO 0x8000
#define EDNS_SIZE 1232
#define EDE_OPTION 15
#define POINTER 0xc000u
#define COUNTS_AT 6 /* of answers, RFC 1035 4.1.1 */
#define QUESTION_NAME_AT HEADER_LEN
#define TYPE_TXT 16
#define TYPE_RRSIG 46
#define TYPE_NSEC 47
#define TYPE_NSEC3 50

/* --- head and tail ---------------------------------------------------------------------------------- */

/* Counts of records and the question; the letters are as the client wrote them: many check (0x20). */
static void put_head(struct writer *w, const struct message_query *query, uint16_t flags,
	const uint16_t counts[SECTIONS])
{
	bool has_question = query->name_len > 0;

	flags = (uint16_t)(flags | FLAG_QR | FLAG_RA | (query->rd ? FLAG_RD : 0) | (query->cd ? FLAG_CD : 0));
	writer_u16(w, query->id);
	writer_u16(w, flags);
	writer_u16(w, has_question);
	writer_u16(w, counts[SECTION_ANSWER]);
	writer_u16(w, counts[SECTION_AUTHORITY]);
	writer_u16(w, (uint16_t)(counts[SECTION_ADDITIONAL] + query->edns));
	if (has_question) {
		writer_bytes(w, query->name, query->name_len);
		writer_u16(w, query->type);
		writer_u16(w, query->class);
	}
}

/* RFC 6891 6.1 and RFC 8914: OPT with an extended error, for who has sent one. */
static void put_opt(struct writer *w, const struct message_query *query, int rcode,
	const struct message_error *error)
{
	bool has_error = error && error->present;
	size_t text_len = has_error ? strlen(error->text) : 0;

	if (!query->edns)
		return;
	writer_u8(w, 0);
	writer_u16(w, TYPE_OPT);
	writer_u16(w, EDNS_SIZE);
	writer_u8(w, (uint8_t)(rcode >> 4));
	writer_u8(w, 0);
	writer_u16(w, query->dnssec_ok ? EDNS_DO : 0);
	writer_u16(w, (uint16_t)(has_error ? 6 + text_len : 0));
	if (!has_error)
		return;
	writer_u16(w, EDE_OPTION);
	writer_u16(w, (uint16_t)(2 + text_len));
	writer_u16(w, error->code);
	writer_bytes(w, error->text, text_len);
}

static size_t build_bare(const struct message_query *query, uint16_t flags, int rcode,
	const struct message_error *error, uint8_t *out, size_t room)
{
	static const uint16_t nothing[SECTIONS];
	struct writer w = writer_init(out, room);

	put_head(&w, query, (uint16_t)(flags | (rcode & 0xf)), nothing);
	put_opt(&w, query, rcode, error);
	return w.failed ? 0 : w.len;
}

size_t message_build_error(const struct message_query *query, int rcode,
	const struct message_error *error, uint8_t *out, size_t room)
{
	return build_bare(query, (uint16_t)(query->opcode << 11), rcode, error, out, room);
}

static void put_texts(struct writer *w, const struct message_texts *texts, uint16_t counts[SECTIONS])
{
	struct reader r = reader_init(texts->list.text, texts->list.len);

	while (reader_left(&r) && !w->failed) {
		size_t len = strnlen((const char *)texts->list.text + r.pos, reader_left(&r));

		writer_u16(w, POINTER | QUESTION_NAME_AT);
		writer_u16(w, TYPE_TXT);
		writer_u16(w, MESSAGE_CLASS_CHAOS);
		writer_u32(w, 0);
		writer_u16(w, (uint16_t)(len + 1));
		writer_u8(w, (uint8_t)len);
		writer_bytes(w, reader_bytes(&r, len), len);
		reader_skip(&r, 1);
		counts[SECTION_ANSWER]++;
	}
}

size_t message_build_texts(const struct message_query *query, const struct message_texts *texts,
	size_t limit, uint8_t *out, size_t room)
{
	struct writer w = writer_init(out, limit < room ? limit : room);
	uint16_t counts[SECTIONS] = {0};

	put_head(&w, query, FLAG_AA, counts);
	put_texts(&w, texts, counts);
	put_opt(&w, query, 0, NULL);
	if (w.failed)
		return build_bare(query, FLAG_AA | FLAG_TC, 0, NULL, out, room);
	writer_patch_u16(&w, COUNTS_AT, counts[SECTION_ANSWER]);
	return w.len;
}

/* --- records one by one --------------------------------------------------------------------------- */

struct name {
	uint8_t bytes[MESSAGE_NAME_MAX];
	size_t len;
	size_t end; /* behind it in the packet */
};

/* RFC 1035 4.1.4, in full; pointers go backwards, so it ends. False when it is no name. */
static bool read_name(const struct message *message, size_t at, struct name *out)
{
	struct reader r = reader_init(message->packet, message->len);
	struct writer w = writer_init(out->bytes, sizeof(out->bytes));
	size_t bound = at;
	uint8_t len;

	out->end = 0;
	reader_skip(&r, at);
	do {
		const uint8_t *label;

		len = reader_u8(&r);
		if (len >= POINTER >> 8) {
			at = (size_t)(len & 0x3f) << 8 | reader_u8(&r);
			out->end = out->end ? out->end : r.pos;
			if (r.failed || at >= bound)
				return false;
			bound = at;
			r = reader_init(message->packet, message->len);
			reader_skip(&r, at);
			continue;
		}
		if (len > LABEL_MAX)
			return false;
		label = reader_bytes(&r, len);
		writer_u8(&w, len);
		if (label)
			writer_bytes(&w, label, len);
	} while (len && !r.failed && !w.failed);
	out->end = out->end ? out->end : r.pos;
	out->len = w.len;
	return !r.failed && !w.failed;
}

/* RFC 4343: letters are compared without case. The lengths of labels are no letters. */
static bool same_name(const struct name *a, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len && a->len == len; i++) {
		if (tolower(a->bytes[i]) != tolower(bytes[i]))
			return false;
	}
	return a->len == len;
}

/* What a record's data has before, as and behind names; types without an entry have none (RFC 3597 4). */
static const struct shape {
	uint16_t type;
	uint8_t before, names;
} shapes[] = {
	{2, 0, 1}, {3, 0, 1}, {4, 0, 1}, {5, 0, 1}, {7, 0, 1}, {8, 0, 1}, {9, 0, 1}, {12, 0, 1}, {39, 0, 1},
	{6, 0, 2}, {14, 0, 2}, {17, 0, 2}, /* SOA, MINFO, RP */
	{15, 2, 1}, {18, 2, 1}, {21, 2, 1}, {36, 2, 1}, /* MX, AFSDB, RT, KX */
	{26, 2, 2}, {33, 6, 1}, /* PX, SRV */
};

static struct shape shape_of(uint16_t type)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (shapes[i].type == type)
			return shapes[i];
	}
	return (struct shape){0};
}

static bool put_rdata(struct writer *w, const struct message *message, const struct record *record)
{
	struct shape shape = shape_of(record->type);
	size_t at = record->rdata, end = at + record->rdata_len, begin = w->len;
	struct name name;

	writer_u16(w, 0);
	if (shape.before > record->rdata_len)
		return false;
	writer_bytes(w, message->packet + at, shape.before);
	at += shape.before;
	for (; shape.names; shape.names--) {
		if (!read_name(message, at, &name) || name.end > end)
			return false;
		writer_bytes(w, name.bytes, name.len);
		at = name.end;
	}
	writer_bytes(w, message->packet + at, end - at);
	writer_patch_u16(w, begin, (uint16_t)(w->len - begin - 2));
	return true;
}

/* The owner of the record before, and where it was written in full. */
struct last_owner {
	struct name name;
	size_t at;
};

/* Most owners are the question's name, or that of the record before. */
static void put_owner(struct writer *w, const struct message_query *query, const struct name *name,
	struct last_owner *last)
{
	if (same_name(name, query->name, query->name_len)) {
		writer_u16(w, POINTER | QUESTION_NAME_AT);
	} else if (last->at && last->at < POINTER >> 2 &&
		   same_name(name, last->name.bytes, last->name.len)) {
		writer_u16(w, (uint16_t)(POINTER | last->at));
	} else {
		last->name = *name;
		last->at = w->len;
		writer_bytes(w, name->bytes, name->len);
	}
}

/* False when one cannot be written, whatever room there is. */
static bool put_records(struct writer *w, const struct message *message, const struct message_query *query)
{
	struct last_owner last = {.at = 0};
	struct name name;
	size_t count = 0;

	for (int section = 0; section < SECTIONS; section++)
		count += message->counts[section];
	for (size_t i = 0; i < count && !w->failed; i++) {
		const struct record *record = &message->records[i];

		if (!read_name(message, record->owner, &name))
			return false;
		put_owner(w, query, &name, &last);
		writer_bytes(w, message->packet + record->type_at, 8); /* type, class, TTL */
		if (!put_rdata(w, message, record))
			return false;
	}
	return true;
}

/* --- answers ------------------------------------------------------------------------------------------- */

/* A client without DO gets no signatures, unless it asked for just that type (RFC 4035 3.2.1). */
static void strip_dnssec(struct message *message, uint16_t asked)
{
	size_t from = 0, to = 0;

	for (int section = 0; section < SECTIONS; section++) {
		size_t end = from + message->counts[section], begin = to;

		for (; from < end; from++) {
			uint16_t type = message->records[from].type;

			if ((type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_NSEC3) && type != asked)
				message->reshaped = true;
			else
				message->records[to++] = message->records[from];
		}
		message->counts[section] = (uint16_t)(to - begin);
	}
}

/* A6: what we changed is not what was signed. RFC 6840 5.7: AD for who asks for it. */
static uint16_t answer_flags(const struct message *message, const struct message_query *query, bool secure)
{
	bool ad = secure && !message->changed && (query->dnssec_ok || query->ad);

	return (uint16_t)(message_rcode(message) | (ad ? FLAG_AD : 0));
}

size_t message_build(struct message *message, const struct message_query *query, bool secure,
	const struct message_error *error, size_t limit, uint8_t *out, size_t room)
{
	struct writer w = writer_init(out, limit < room ? limit : room);
	uint16_t flags = answer_flags(message, query, secure);

	if (!query->dnssec_ok)
		strip_dnssec(message, query->type);
	put_head(&w, query, flags, message->counts);
	if (message->reshaped || w.len != message->question_end) {
		if (!put_records(&w, message, query))
			return 0;
	} else {
		writer_bytes(&w, message->packet + message->question_end,
			message->records_end - message->question_end);
	}
	put_opt(&w, query, 0, error);
	/* RFC 2181 9: the client comes again over TCP. From there it has nowhere to go. */
	if (w.failed)
		return limit >= MESSAGE_MAX ? 0 : build_bare(query, flags | FLAG_TC, flags & 0xf, error, out, room);
	return w.len;
}
