/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers (message.h) over ldns: addresses in them, filtering, building. */
#include "resolver/message.h"

#include "lib/mem.h"
#include "lib/wire.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#define SVCB_IPV4HINT 4
#define SVCB_IPV6HINT 6
#define RR_ADDRS 64
#define HEADER_LEN 12

struct message {
	ldns_pkt *pkt;
	bool changed;
};

struct message *message_parse(const uint8_t *packet, size_t len)
{
	struct message *message;
	ldns_pkt *pkt;

	if (!message_scan(packet, len) || ldns_wire2pkt(&pkt, packet, len) != LDNS_STATUS_OK)
		return NULL;
	message = mem_new(struct message);
	message->pkt = pkt;
	return message;
}

void message_free(struct message *message)
{
	if (!message)
		return;
	ldns_pkt_free(message->pkt);
	free(message);
}

int message_rcode(const struct message *message)
{
	return (int)ldns_pkt_get_rcode(message->pkt);
}

/* --- addresses of one record ------------------------------------------------------------------- */

struct rr_addrs {
	struct addr list[RR_ADDRS];
	size_t count;
	bool unclear; /* there may be more: too many, or malformed */
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

/* The rdata in wire form, whether ldns knows the type or not. */
static void read_svcb_rr(struct rr_addrs *out, const ldns_rr *rr)
{
	uint8_t rdata[4096];
	struct writer w = writer_init(rdata, sizeof(rdata));

	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *rdf = ldns_rr_rdf(rr, i);

		writer_bytes(&w, ldns_rdf_data(rdf), ldns_rdf_size(rdf));
	}
	read_svcb(out, rdata, w.len);
	if (w.failed)
		out->unclear = true;
}

static struct rr_addrs rr_addrs(const ldns_rr *rr)
{
	struct rr_addrs out = {.count = 0};
	unsigned type = (unsigned)ldns_rr_get_type(rr);

	if ((type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA) && ldns_rr_rd_count(rr) == 1)
		add_addr(&out, ldns_rdf_data(ldns_rr_rdf(rr, 0)),
			ldns_rdf_size(ldns_rr_rdf(rr, 0)));
	else if (type == MESSAGE_TYPE_SVCB || type == MESSAGE_TYPE_HTTPS)
		read_svcb_rr(&out, rr);
	return out;
}

static bool is_known(const struct addr *list, size_t count, const struct addr *addr)
{
	for (size_t i = 0; i < count; i++) {
		if (addr_equal(&list[i], addr))
			return true;
	}
	return false;
}

static size_t list_addresses(const ldns_rr_list *list, struct addr *out, size_t count, size_t max)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		struct rr_addrs addrs = rr_addrs(ldns_rr_list_rr(list, i));

		for (size_t j = 0; j < addrs.count && count < max; j++) {
			if (!is_known(out, count, &addrs.list[j]))
				out[count++] = addrs.list[j];
		}
	}
	return count;
}

size_t message_addresses(const struct message *message, struct addr *out, size_t max)
{
	size_t count = list_addresses(ldns_pkt_answer(message->pkt), out, 0, max);

	/* Additional records are read by few, but they are read. */
	return list_addresses(ldns_pkt_additional(message->pkt), out, count, max);
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
	const ldns_rr *rr, const struct message_fate *fates, size_t count)
{
	struct rr_addrs addrs = rr_addrs(rr);
	struct message_fate out = {.usable = !addrs.unclear, .max_ttl_s = UINT32_MAX};

	for (size_t i = 0; i < addrs.count; i++) {
		const struct message_fate *fate = fate_of(fates, count, &addrs.list[i]);

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

/* Rebuilds a section: first what is tunnelled, within the places that addresses have. */
static void apply_list(struct message *message, ldns_rr_list *list, const struct message_fate *fates,
	size_t count, bool whole)
{
	size_t kept = 0, total = ldns_rr_list_rr_count(list), next_first = SIZE_MAX;

	for (size_t i = 0; i < total; i++) {
		ldns_rr *rr = ldns_rr_list_rr(list, i);
		struct message_fate fate = rr_fate(rr, fates, count);

		if (!fate.usable && !whole) {
			ldns_rr_free(rr);
			message->changed = true;
			continue;
		}
		if (fate.max_ttl_s < ldns_rr_ttl(rr))
			ldns_rr_set_ttl(rr, fate.max_ttl_s);
		ldns_rr_list_set_rr(list, rr, kept++);
		if (rr_addrs(rr).count == 0)
			continue;
		if (next_first == SIZE_MAX)
			next_first = kept - 1;
		if (fate.first) {
			/* Move it behind the tunnelled ones that came before it. */
			for (size_t at = kept - 1; at > next_first; at--)
				ldns_rr_list_set_rr(list, ldns_rr_list_rr(list, at - 1), at);
			ldns_rr_list_set_rr(list, rr, next_first++);
		}
	}
	ldns_rr_list_set_rr_count(list, kept);
}

static void count_sections(ldns_pkt *pkt)
{
	ldns_pkt_set_ancount(pkt, (uint16_t)ldns_rr_list_rr_count(ldns_pkt_answer(pkt)));
	ldns_pkt_set_nscount(pkt, (uint16_t)ldns_rr_list_rr_count(ldns_pkt_authority(pkt)));
	ldns_pkt_set_arcount(pkt, (uint16_t)ldns_rr_list_rr_count(ldns_pkt_additional(pkt)));
}

void message_apply(struct message *message, const struct message_fate *fates, size_t count, bool whole)
{
	apply_list(message, ldns_pkt_answer(message->pkt), fates, count, whole);
	/* No set there is promised to be complete. */
	apply_list(message, ldns_pkt_additional(message->pkt), fates, count, false);
	count_sections(message->pkt);
}

static void clear_list(ldns_rr_list *list)
{
	while (ldns_rr_list_rr_count(list))
		ldns_rr_free(ldns_rr_list_pop_rr(list));
}

void message_empty(struct message *message)
{
	clear_list(ldns_pkt_answer(message->pkt));
	clear_list(ldns_pkt_authority(message->pkt));
	clear_list(ldns_pkt_additional(message->pkt));
	count_sections(message->pkt);
	message->changed = true;
}

/* --- building ------------------------------------------------------------------------------------------- */

/* A client without DO gets no signatures, unless it asked for just that type (RFC 4035 3.2.1). */
static void strip_dnssec(ldns_rr_list *list, uint16_t asked)
{
	size_t kept = 0;

	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		ldns_rr *rr = ldns_rr_list_rr(list, i);
		ldns_rr_type type = ldns_rr_get_type(rr);
		bool goes = (type == LDNS_RR_TYPE_RRSIG || type == LDNS_RR_TYPE_NSEC ||
				    type == LDNS_RR_TYPE_NSEC3) &&
			    (unsigned)type != asked;

		if (goes)
			ldns_rr_free(rr);
		else
			ldns_rr_list_set_rr(list, rr, kept++);
	}
	ldns_rr_list_set_rr_count(list, kept);
}

static void set_edns(
	ldns_pkt *pkt, const struct message_query *query, const struct message_error *error)
{
	uint8_t data[2 + sizeof(error->text)];
	struct writer w = writer_init(data, sizeof(data));
	ldns_edns_option_list *options;

	ldns_pkt_set_edns_option_list(pkt, NULL);
	ldns_pkt_set_edns_udp_size(pkt, query->edns ? 1232 : 0);
	ldns_pkt_set_edns_do(pkt, query->edns && query->dnssec_ok);
	ldns_pkt_set_edns_extended_rcode(pkt, 0);
	if (!query->edns || !error->present)
		return;
	writer_u16(&w, error->code);
	writer_bytes(&w, error->text, strlen(error->text));
	options = ldns_edns_option_list_new();
	ldns_edns_option_list_push(
		options, ldns_edns_new_from_data(LDNS_EDNS_EDE, w.len, data));
	ldns_pkt_set_edns_option_list(pkt, options);
}

static void set_flags(struct message *message, const struct message_query *query, bool secure)
{
	ldns_pkt *pkt = message->pkt;

	ldns_pkt_set_id(pkt, query->id);
	ldns_pkt_set_qr(pkt, true);
	ldns_pkt_set_rd(pkt, query->rd);
	ldns_pkt_set_ra(pkt, true);
	ldns_pkt_set_cd(pkt, query->cd);
	ldns_pkt_set_aa(pkt, false);
	ldns_pkt_set_tc(pkt, false);
	/* A6: what we changed is not what was signed. RFC 6840 5.7: AD for who asks for it. */
	ldns_pkt_set_ad(
		pkt, secure && !message->changed && (query->dnssec_ok || query->ad));
}

/* The letters of the question as the client wrote them: many check (0x20). */
static void restore_question(uint8_t *out, size_t len, const struct message_query *query)
{
	if (len >= HEADER_LEN + query->name_len && out[4] == 0 && out[5] == 1)
		memcpy(out + HEADER_LEN, query->name, query->name_len);
}

static size_t to_wire(const struct message *message, uint8_t *out, size_t room)
{
	uint8_t *wire = NULL;
	size_t len = 0;

	if (ldns_pkt2wire(&wire, message->pkt, &len) != LDNS_STATUS_OK || len > room)
		len = 0;
	if (len)
		memcpy(out, wire, len);
	free(wire);
	return len;
}

size_t message_build(struct message *message, const struct message_query *query, bool secure,
	const struct message_error *error, size_t limit, uint8_t *out, size_t room)
{
	size_t len;

	if (!query->dnssec_ok) {
		strip_dnssec(ldns_pkt_answer(message->pkt), query->type);
		strip_dnssec(ldns_pkt_authority(message->pkt), query->type);
		strip_dnssec(ldns_pkt_additional(message->pkt), query->type);
	}
	count_sections(message->pkt);
	set_flags(message, query, secure);
	set_edns(message->pkt, query, error);
	len = to_wire(message, out, room);
	if (len > limit) {
		/* RFC 2181 9: the client comes again over TCP. */
		message_empty(message);
		ldns_pkt_set_tc(message->pkt, true);
		len = to_wire(message, out, room);
	}
	restore_question(out, len, query);
	return len;
}
