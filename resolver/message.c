/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers (message.h): where their records are, the addresses in them, fates. */
#include "resolver/message.h"

#include "lib/mem.h"
#include "resolver/records.h"

#include <stdlib.h>
#include <string.h>

#define SVCB_IPV4HINT 4
#define SVCB_IPV6HINT 6
#define RR_ADDRS 64
#define TTL_AFTER_TYPE 4 /* RFC 1035 4.1.3: type, class, TTL */

/* --- parsing -------------------------------------------------------------------------------------- */

void message_skip_name(struct reader *r)
{
	for (;;) {
		uint8_t len = reader_u8(r);

		if (r->failed || len == 0)
			return;
		if (len > LABEL_MAX) { /* a pointer ends it; anything else is no name */
			reader_skip(r, 1);
			return;
		}
		reader_skip(r, len);
	}
}

/* Past a record, whose places go to *out. */
static void read_record(struct reader *r, struct record *out)
{
	out->owner = (uint16_t)r->pos;
	message_skip_name(r);
	out->type_at = (uint16_t)r->pos;
	out->type = reader_u16(r);
	reader_skip(r, 6);
	out->rdata_len = reader_u16(r);
	out->rdata = (uint16_t)r->pos;
	reader_skip(r, out->rdata_len);
}

/* Header and question; what follows are records. False when there is not just one question. */
static bool read_head(struct reader *r, uint16_t counts[SECTIONS])
{
	uint16_t questions;

	reader_skip(r, 4);
	questions = reader_u16(r);
	for (int section = 0; section < SECTIONS; section++)
		counts[section] = reader_u16(r);
	message_skip_name(r);
	reader_skip(r, 4);
	return !r->failed && questions == 1;
}

/* How many records there are; false when they cannot be walked. */
static bool count_records(struct reader r, const uint16_t counts[SECTIONS], size_t *total)
{
	struct record record;

	*total = 0;
	for (int section = 0; section < SECTIONS; section++) {
		for (uint16_t i = 0; i < counts[section] && !r.failed; i++)
			read_record(&r, &record);
		*total += counts[section];
	}
	return !r.failed;
}

static void place_records(struct message *message, struct reader *r, const uint16_t counts[SECTIONS])
{
	struct record *at = message->records;

	message->records_end = r->pos;
	for (int section = 0; section < SECTIONS; section++) {
		for (uint16_t i = 0; i < counts[section]; i++) {
			read_record(r, at);
			if (at->type == TYPE_OPT)
				continue;
			/* An OPT before it: what passes is no longer in one piece. */
			message->reshaped = message->reshaped || at->owner != message->records_end;
			message->records_end = r->pos;
			message->counts[section]++;
			at++;
		}
	}
}

struct message *message_parse(const uint8_t *packet, size_t len)
{
	struct reader r = reader_init(packet, len);
	uint16_t counts[SECTIONS];
	struct message *message;
	size_t total;

	if (len > MESSAGE_MAX || !read_head(&r, counts) || !count_records(r, counts, &total))
		return NULL;
	message = mem_zalloc(sizeof(*message) + total * sizeof(message->records[0]) + len);
	message->packet = (uint8_t *)&message->records[total];
	message->len = len;
	message->question_end = r.pos;
	memcpy(message->packet, packet, len);
	place_records(message, &r, counts);
	return message;
}

void message_free(struct message *message)
{
	free(message);
}

int message_rcode(const struct message *message)
{
	return message->packet[3] & 0xf;
}

/* --- addresses of one record ------------------------------------------------------------------- */

struct rr_addrs {
	size_t count;
	bool unclear; /* there may be more: too many, or malformed */
	struct addr list[RR_ADDRS];
};

static void add_addr(struct rr_addrs *out, const uint8_t *bytes, size_t len)
{
	if (out->count == RR_ADDRS || !addr_from_bytes(bytes, len, &out->list[out->count]))
		out->unclear = true;
	else
		out->count++;
}

static void add_hints(struct rr_addrs *out, struct reader *value, size_t len)
{
	while (reader_left(value) >= len)
		add_addr(out, reader_bytes(value, len), len);
	if (reader_left(value))
		out->unclear = true;
}

/* RFC 9460 2.2: priority, target name, parameters. */
static void read_svcb(struct rr_addrs *out, const uint8_t *rdata, size_t len)
{
	struct reader r = reader_init(rdata, len);
	uint8_t label;

	reader_skip(&r, 2);
	while ((label = reader_u8(&r)) != 0)
		reader_skip(&r, label);
	while (reader_left(&r)) {
		uint16_t key = reader_u16(&r);
		uint16_t value_len = reader_u16(&r);
		struct reader value = reader_sub(&r, value_len);

		if (key == SVCB_IPV4HINT)
			add_hints(out, &value, 4);
		else if (key == SVCB_IPV6HINT)
			add_hints(out, &value, 16);
	}
	if (r.failed)
		out->unclear = true;
}

static void read_addrs(const struct message *message, const struct record *record, struct rr_addrs *out)
{
	const uint8_t *rdata = message->packet + record->rdata;

	out->count = 0;
	out->unclear = false;
	switch (record->type) {
	case MESSAGE_TYPE_A:
	case MESSAGE_TYPE_AAAA:
		add_addr(out, rdata, record->rdata_len);
		break;
	case MESSAGE_TYPE_SVCB:
	case MESSAGE_TYPE_HTTPS:
		read_svcb(out, rdata, record->rdata_len);
		break;
	}
}

static bool is_known(const struct addr *list, size_t count, const struct addr *addr)
{
	for (size_t i = 0; i < count; i++) {
		if (addr_equal(&list[i], addr))
			return true;
	}
	return false;
}

/* Where a section begins among the records. */
static size_t section_begin(const struct message *message, enum section section)
{
	size_t begin = 0;

	for (int before = 0; before < (int)section; before++)
		begin += message->counts[before];
	return begin;
}

static size_t list_addresses(const struct message *message, enum section section, struct addr *out,
	size_t count, size_t max)
{
	const struct record *records = &message->records[section_begin(message, section)];

	for (size_t i = 0; i < message->counts[section]; i++) {
		struct rr_addrs addrs;

		read_addrs(message, &records[i], &addrs);
		for (size_t j = 0; j < addrs.count && count < max; j++) {
			if (!is_known(out, count, &addrs.list[j]))
				out[count++] = addrs.list[j];
		}
	}
	return count;
}

size_t message_addresses(const struct message *message, struct addr *out, size_t max)
{
	size_t count = list_addresses(message, SECTION_ANSWER, out, 0, max);

	/* Additional records are read by few, but they are read. */
	return list_addresses(message, SECTION_ADDITIONAL, out, count, max);
}

/* --- applying fates ---------------------------------------------------------------------------------- */

static const struct message_fate *fate_of(
	const struct message_fate *fates, size_t count, const struct addr *addr)
{
	for (size_t i = 0; i < count; i++) {
		if (addr_equal(&fates[i].addr, addr))
			return &fates[i];
	}
	return NULL;
}

/* What all the addresses of a record come to together. */
static struct message_fate rr_fate(
	const struct rr_addrs *addrs, const struct message_fate *fates, size_t count)
{
	struct message_fate out = {.usable = !addrs->unclear, .max_ttl_s = UINT32_MAX};

	for (size_t i = 0; i < addrs->count; i++) {
		const struct message_fate *fate = fate_of(fates, count, &addrs->list[i]);

		if (!fate) {
			out.usable = false;
			continue;
		}
		out.usable = out.usable && fate->usable;
		out.first = out.first || fate->first;
		if (fate->max_ttl_s < out.max_ttl_s)
			out.max_ttl_s = fate->max_ttl_s;
	}
	return out;
}

static void cap_ttl(struct message *message, const struct record *record, uint32_t max_ttl_s)
{
	size_t at = record->type_at + TTL_AFTER_TYPE;
	struct reader r = reader_init(message->packet, message->len);
	struct writer w = writer_init(message->packet, message->len);

	if (max_ttl_s == UINT32_MAX)
		return;
	reader_skip(&r, at);
	if (reader_u32(&r) <= max_ttl_s)
		return;
	w.len = message->len;
	writer_patch_u32(&w, at, max_ttl_s);
}

/* Moves records[from] behind the tunnelled ones that came before it. */
static void move_to(struct message *message, size_t from, size_t to)
{
	struct record record = message->records[from];

	for (; from > to; from--) {
		message->records[from] = message->records[from - 1];
		message->reshaped = true;
	}
	message->records[to] = record;
}

/*
 * Records [from, end) to `to` and what follows: first what is tunnelled, within
 * the places that addresses have. The end of what was kept.
 */
static size_t apply_section(struct message *message, size_t from, size_t end, size_t to,
	const struct message_fate *fates, size_t count, bool whole)
{
	size_t next_first = SIZE_MAX;

	for (; from < end; from++) {
		struct rr_addrs addrs;
		struct message_fate fate;

		read_addrs(message, &message->records[from], &addrs);
		fate = rr_fate(&addrs, fates, count);
		if (!fate.usable && !whole) {
			message->changed = message->reshaped = true;
			continue;
		}
		cap_ttl(message, &message->records[from], fate.max_ttl_s);
		message->records[to++] = message->records[from];
		if (addrs.count == 0)
			continue;
		if (next_first == SIZE_MAX)
			next_first = to - 1;
		if (fate.first)
			move_to(message, to - 1, next_first++);
	}
	return to;
}

void message_apply(struct message *message, const struct message_fate *fates, size_t count, bool whole)
{
	size_t from = 0, to = 0;

	for (int section = 0; section < SECTIONS; section++) {
		size_t end = from + message->counts[section], begin = to;

		if (section == SECTION_AUTHORITY) {
			while (from < end)
				message->records[to++] = message->records[from++];
		} else {
			/* No set in the additional section is promised to be complete. */
			to = apply_section(message, from, end, to, fates, count,
				whole && section == SECTION_ANSWER);
		}
		message->counts[section] = (uint16_t)(to - begin);
		from = end;
	}
}
