/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages: queries of every kind, addresses in answers, filtering, what clients are sent. */
#include "lib/mem.h"
#include "resolver/message.h"
#include "t/tap.h"
#include "t/unit/resolver_packet.h"

#include <stdlib.h>

#define NAME "www.peer.example"

static struct packet p;
static uint8_t out[MESSAGE_MAX];

/* --- queries --------------------------------------------------------------------------------- */

static struct message_query question;
static int rcode;

static enum message_parsed parse(void)
{
	rcode = -1;
	return message_parse_query(p.data, p.w.len, &question, &rcode);
}

static void test_query(void)
{
	packet_begin(&p, 0x1234, 0x0130, "WwW.Peer.EXAMPLE", 28);
	packet_opt(&p, 4096, true);
	ok(parse() == MESSAGE_QUERY, "a query with EDNS");
	ok(question.id == 0x1234 && question.rd && question.cd && question.ad, "id and flags");
	is_str(question.text, NAME, "its name in lower case");
	is_mem(question.name, p.data + 12, question.name_len, "and as it was written");
	ok(question.type == 28 && question.class == 1, "type and class");
	ok(question.edns && question.dnssec_ok && question.udp_size == 4096, "EDNS");

	packet_begin(&p, 1, 0, NAME, 1);
	ok(parse() == MESSAGE_QUERY && !question.edns && question.udp_size == 512 && !question.rd,
		"a bare query");
	packet_begin(&p, 1, 0, "", 2);
	ok(parse() == MESSAGE_QUERY && strcmp(question.text, ".") == 0, "the root");
	packet_begin(&p, 1, 0, NAME, 1);
	packet_opt(&p, 100, false);
	ok(parse() == MESSAGE_QUERY && question.udp_size == 512, "512 bytes are the least (RFC 6891)");
}

static void test_odd_names(void)
{
	packet_begin(&p, 1, 0, "x", 1);
	p.data[13] = '.';
	ok(parse() == MESSAGE_QUERY && strcmp(question.text, "\\.") == 0, "a dot inside a label");
	p.data[13] = 0;
	ok(parse() == MESSAGE_QUERY && strcmp(question.text, "\\000") == 0, "a NUL inside a label");
	p.data[13] = '\\';
	ok(parse() == MESSAGE_QUERY && strcmp(question.text, "\\\\") == 0, "a backslash");
	p.data[12] = 0xc0;
	ok(parse() == MESSAGE_REPLY && rcode == MESSAGE_FORMERR, "a question has nothing to point to");
}

static void test_bad_queries(void)
{
	packet_begin(&p, 1, 0x8000, NAME, 1);
	ok(parse() == MESSAGE_DROP, "a response is dropped");
	packet_begin(&p, 1, 0, NAME, 1);
	p.w.len = 11;
	ok(parse() == MESSAGE_DROP, "less than a header is dropped");
	packet_begin(&p, 1, 0, NAME, 1);
	p.w.len -= 3;
	ok(parse() == MESSAGE_REPLY && rcode == MESSAGE_FORMERR, "a question cut short");
	packet_begin(&p, 1, 0, NAME, 1);
	p.data[5] = 2;
	ok(parse() == MESSAGE_REPLY && rcode == MESSAGE_FORMERR, "two questions");
	packet_begin(&p, 1, 0x2800, NAME, 6);
	ok(parse() == MESSAGE_REPLY && rcode == MESSAGE_NOTIMP, "an update");
	packet_begin(&p, 1, 0, NAME, 252);
	ok(parse() == MESSAGE_REPLY && rcode == MESSAGE_REFUSED, "a zone transfer");
	packet_begin(&p, 1, 0, NAME, 16);
	p.data[p.w.len - 1] = 3;
	ok(parse() == MESSAGE_DEBUG, "class CHAOS");
	p.data[p.w.len - 1] = 4;
	ok(parse() == MESSAGE_REPLY && rcode == MESSAGE_REFUSED, "another class");
	packet_begin(&p, 1, 0, NAME, 1);
	packet_opt(&p, 1232, false);
	packet_opt(&p, 1232, false);
	ok(parse() == MESSAGE_REPLY && rcode == MESSAGE_FORMERR, "two OPT records");
	packet_begin(&p, 1, 0, NAME, 1);
	packet_opt(&p, 1232, false);
	p.data[p.w.len - 5] = 1;
	ok(parse() == MESSAGE_REPLY && rcode == MESSAGE_BADVERS, "a later EDNS");
}

static void test_errors(void)
{
	struct message_error error = {.present = true, .code = MESSAGE_EDE_BLOCKED, .text = "why"};
	struct reply reply;

	packet_begin(&p, 77, 0x0110, "Www.Peer.Example", 1);
	packet_opt(&p, 1232, true);
	parse();
	reply = read_reply(out, message_build_error(&question, MESSAGE_SERVFAIL, &error, out, 512));
	ok(reply.good && reply.id == 77 && reply.flags == 0x8192, "SERVFAIL with QR, RD, RA and CD");
	is_mem(reply.name, p.data + 12, question.name_len, "with the question's letters");
	ok(reply.edns && reply.dnssec_ok && reply.error == 15 && !strcmp(reply.text, "why"),
		"and an extended error");
	packet_begin(&p, 77, 0x0100, NAME, 1);
	parse();
	reply = read_reply(out, message_build_error(&question, MESSAGE_SERVFAIL, &error, out, 512));
	ok(reply.good && !reply.edns, "no EDNS to a client without");
	p.w.len -= 3;
	parse();
	reply = read_reply(out, message_build_error(&question, rcode, NULL, out, 512));
	ok(reply.good && reply.id == 77 && reply_rcode(&reply) == 1 && !reply.name,
		"FORMERR without a question that could not be read");
}

/* --- answers ----------------------------------------------------------------------------------- */

static const uint8_t https[] = {0, 1, 0, /* priority 1, the owner's own name */
	0, 1, 0, 3, 2, 'h', '2',	 /* alpn */
	0, 4, 0, 8, 192, 0, 2, 1, 192, 0, 2, 2, 0, 6, 0, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 1};

static struct message *answer(void)
{
	return message_parse(p.data, p.w.len);
}

static struct message_fate fate(const char *text, bool usable, bool first, uint32_t max_ttl_s)
{
	struct message_fate fate = {.usable = usable, .first = first, .max_ttl_s = max_ttl_s};

	addr_parse(text, &fate.addr);
	return fate;
}

static struct message_query client(bool edns, bool dnssec_ok)
{
	packet_begin(&p, 99, 0x0120, "wWw.pEEr.example", 1);
	if (edns)
		packet_opt(&p, 1232, dnssec_ok);
	parse();
	return question;
}

static struct reply build(struct message *message, const struct message_query *query, size_t limit)
{
	struct message_error error = {.present = true, .code = 0, .text = "192.0.2.2: private: failed"};
	size_t len = message_build(message, query, true, &error, limit, out, sizeof(out));

	message_free(message);
	return read_reply(out, len);
}

/* A CNAME, three addresses with their signature, an authority and an additional address. */
static struct message *full_answer(void)
{
	static const uint8_t target[] = {4, 'h', 'o', 's', 't', 0xc0, 0x10};

	packet_begin(&p, 0, 0x8180, NAME, 1);
	packet_rr(&p, ANSWER, NULL, 5, 300, target, sizeof(target));
	packet_addr(&p, ANSWER, NULL, "192.0.2.1", 300);
	packet_addr(&p, ANSWER, NULL, "192.0.2.2", 300);
	packet_addr(&p, ANSWER, NULL, "192.0.2.3", 300);
	packet_rrsig(&p, ANSWER, 1);
	packet_rr(&p, AUTHORITY, NULL, 2, 300, target, sizeof(target));
	packet_addr(&p, ADDITIONAL, "host.peer.example", "2001:db8::7", 300);
	packet_opt(&p, 1232, true);
	return answer();
}

static void test_addresses(void)
{
	struct message *message = full_answer();
	struct addr list[16];
	char text[ADDR_TEXT];

	is_int((intmax_t)message_addresses(message, list, 16), 4, "answer and additional section");
	is_str(addr_format(&list[3], text), "2001:db8::7", "the additional one last");
	is_int((intmax_t)message_addresses(message, list, 2), 2, "no more than there is room for");
	message_free(message);

	packet_begin(&p, 0, 0x8180, NAME, 65);
	packet_rr(&p, ANSWER, NULL, 65, 300, https, sizeof(https));
	packet_addr(&p, ADDITIONAL, NULL, "192.0.2.1", 300);
	message = answer();
	is_int((intmax_t)message_addresses(message, list, 16), 3, "hints of HTTPS, each address once");
	is_str(addr_format(&list[2], text), "2001:db8::1", "ipv6hint too");
	message_free(message);
	ok(!message_parse(out, 5), "no message at all");
}

static void test_apply(void)
{
	struct message_fate fates[] = {fate("192.0.2.1", true, false, UINT32_MAX),
		fate("192.0.2.2", false, false, 0), fate("192.0.2.3", true, true, 60),
		fate("2001:db8::7", false, false, 0)};
	struct message *message = full_answer();
	struct message_query query = client(true, false);
	struct reply reply;

	message_apply(message, fates, 4, false);
	reply = build(message, &query, 1232);
	ok(reply.good && reply.id == 99, "a filtered answer");
	is_int(reply.counts[ANSWER], 3, "the CNAME and what can be used");
	is_str(reply_addr(&reply, 0), "192.0.2.3", "the tunnelled one first");
	is_str(reply_addr(&reply, 1), "192.0.2.1", "then the other");
	is_int(reply.records[0].type, 5, "the CNAME stays where it was");
	is_int(reply_record(&reply, ANSWER, 1, 0)->ttl, 60, "a TTL is capped");
	is_int(reply_record(&reply, ANSWER, 1, 1)->ttl, 300, "or left alone");
	is_int(reply.counts[ADDITIONAL], 0, "the additional address is gone too");
	is_int(reply.flags & 0x30, 0, "what was changed loses AD");
	ok(reply.edns && !reply.dnssec_ok && reply.has_error, "an extended error goes along");
	is_str(reply.text, "192.0.2.2: private: failed", "with its text");
	is_mem(reply.name, question.name, question.name_len, "the question's letters");
	ok(!reply_record(&reply, ANSWER, 46, 0), "no signature to who did not set DO");
}

static void test_whole(void)
{
	struct message_fate fates[] = {fate("192.0.2.1", false, false, 0),
		fate("192.0.2.2", false, false, 0), fate("192.0.2.3", true, true, 60),
		fate("2001:db8::7", false, false, 0)};
	struct message *message = full_answer();
	struct message_query query = client(true, true);
	struct reply reply;

	message_apply(message, fates, 4, true);
	reply = build(message, &query, 1232);
	ok(reply.good && reply_record(&reply, ANSWER, 1, 2), "DO: the set is whole (A6)");
	is_str(reply_addr(&reply, 0), "192.0.2.3", "in our order");
	ok(reply_record(&reply, ANSWER, 46, 0) && reply.dnssec_ok, "with its signature");
	is_int(reply.counts[ADDITIONAL], 0, "an additional address is no part of it");
}

static void test_unjudged(void)
{
	struct message_fate known[] = {fate("192.0.2.1", true, false, UINT32_MAX),
		fate("192.0.2.2", true, false, UINT32_MAX), fate("2001:db8::1", true, false, UINT32_MAX)};
	struct message *message = full_answer();
	struct message_query query = client(true, false);
	uint8_t rdata[sizeof(https)];
	struct reply reply;

	message_apply(message, known, 1, false);
	reply = build(message, &query, 1232);
	ok(reply.good && reply_record(&reply, ANSWER, 1, 0) && !reply_record(&reply, ANSWER, 1, 1),
		"an address that nobody judged does not go out");

	packet_begin(&p, 0, 0x8180, NAME, 65);
	packet_rr(&p, ANSWER, NULL, 65, 300, https, sizeof(https));
	message = answer();
	message_apply(message, known, 3, false);
	reply = build(message, &query, 1232);
	is_int(reply.counts[ANSWER], 1, "an HTTPS record whose hints can be used stays");

	packet_begin(&p, 0, 0x8180, NAME, 65);
	packet_rr(&p, ANSWER, NULL, 65, 300, https, sizeof(https));
	message = answer();
	message_apply(message, known, 2, false);
	reply = build(message, &query, 1232);
	is_int(reply.counts[ANSWER], 0, "one with a hint that cannot be used goes");

	memcpy(rdata, https, sizeof(rdata));
	rdata[13] = 9; /* ipv4hint: two addresses and a byte */
	packet_begin(&p, 0, 0x8180, NAME, 65);
	packet_rr(&p, ANSWER, NULL, 65, 300, rdata, sizeof(rdata));
	message = answer();
	message_apply(message, known, 3, false);
	reply = build(message, &query, 1232);
	is_int(reply.counts[ANSWER], 0, "so does one that cannot be read to its end");
}

static void test_unchanged(void)
{
	struct message_fate fates[] = {fate("192.0.2.1", true, false, UINT32_MAX),
		fate("192.0.2.2", true, false, UINT32_MAX), fate("192.0.2.3", true, true, UINT32_MAX),
		fate("2001:db8::7", true, false, UINT32_MAX)};
	struct message *message = full_answer();
	struct message_query query = client(false, false);
	struct reply reply;

	message_apply(message, fates, 4, false);
	reply = build(message, &query, 512);
	ok(reply.good && !reply.edns && !reply.has_error, "no EDNS to a client without");
	is_int(reply.flags, 0x81a0, "QR, RD, RA, and AD of a validated answer that was asked for");
	is_int(reply.counts[ANSWER], 4, "all records");
	is_int(reply.counts[AUTHORITY], 1, "the authority section stays");

	query.ad = false;
	message = full_answer();
	message_apply(message, fates, 4, false);
	reply = build(message, &query, 512);
	is_int(reply.flags & 0x20, 0, "AD only for who sets AD or DO (RFC 6840 5.8)");
}

static void test_truncation(void)
{
	struct message_query query = client(false, false);
	struct message_fate fates[60];
	char text[ADDR_TEXT];

	for (size_t turn = 0; turn < 2; turn++) {
		struct message *message;
		struct reply reply;

		packet_begin(&p, 0, 0x8180, NAME, 1);
		for (unsigned i = 0; i < 60; i++) {
			snprintf(text, sizeof(text), "192.0.2.%u", i);
			packet_addr(&p, ANSWER, NULL, text, 300);
			fates[i] = fate(text, true, false, UINT32_MAX);
		}
		message = answer();
		message_apply(message, fates, 60, false);
		reply = build(message, &query, turn ? MESSAGE_MAX : 512);
		ok(reply.good && !!(reply.flags & 0x0200) == !turn &&
				reply.counts[ANSWER] == (turn ? 60 : 0),
			"%s", turn ? "over TCP it goes whole" : "too long for UDP: TC, no records");
	}
}

/* Names that pointed into the packet are written in full when records move. */
static void test_swollen(void)
{
	static const uint8_t target[] = {0xc0, 0x0c};
	struct message_fate none[] = {fate("192.0.2.1", false, false, 0)};
	struct message_query query = client(false, false);
	struct message_error error = {.present = false};
	char name[256] = "";
	struct message *message;

	for (unsigned i = 0; i < 4; i++)
		strcat(name, i ? ".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh" : "abcdefghijklmnop");
	packet_begin(&p, 0, 0x8180, name, 2);
	packet_addr(&p, ANSWER, NULL, "192.0.2.1", 300);
	for (unsigned i = 0; i < 400; i++)
		packet_rr(&p, ANSWER, NULL, 2, 300, target, sizeof(target));
	message = answer();
	message_apply(message, none, 1, false);
	is_int((intmax_t)message_build(message, &query, false, &error, MESSAGE_MAX, out, sizeof(out)), 0,
		"too long for TCP too: there is nowhere to come again with TC");
	message_free(message);
}

static void test_other_records(void)
{
	static const uint8_t mx[] = {0, 10, 4, 'h', 'o', 's', 't', 0xc0, 0x10};
	struct message_fate fates[] = {fate("192.0.2.1", false, false, 0)};
	struct message_query query = client(true, false);
	struct message *message;
	struct reply reply;

	packet_begin(&p, 0, 0x8180, NAME, 15);
	packet_rr(&p, ANSWER, NULL, 15, 300, mx, sizeof(mx));
	packet_addr(&p, ADDITIONAL, "host.peer.example", "192.0.2.1", 300);
	message = answer();
	message_apply(message, fates, 1, false);
	reply = build(message, &query, 1232);
	ok(reply.good && reply.counts[ANSWER] == 1 && reply.counts[ADDITIONAL] == 0,
		"an MX stays when its host's address goes");

	packet_begin(&p, 0, 0x8183, NAME, 1);
	reply = build(answer(), &query, 1232);
	ok(reply.good && reply_rcode(&reply) == 3, "NXDOMAIN is passed on");
}

/* A name in full, as put_name() writes it. */
static bool is_name(const uint8_t *data, const char *name)
{
	uint8_t wanted[256];
	struct writer w = writer_init(wanted, sizeof(wanted));

	put_name(&w, name);
	return memcmp(data, wanted, w.len) == 0;
}

/* Records that move: what pointed into the packet does not any more. */
static void test_moved_names(void)
{
	static const uint8_t host[] = {4, 'h', 'o', 's', 't', 0xc0, 0x10};
	static const uint8_t mx[] = {0, 10, 4, 'h', 'o', 's', 't', 0xc0, 0x10};
	static const uint8_t srv[] = {0, 1, 0, 2, 0, 3, 4, 'h', 'o', 's', 't', 0xc0, 0x10};
	static const uint8_t soa[] = {0xc0, 0x10, 0xc0, 0x0c, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0,
		0, 0, 5};
	struct message_fate fates[] = {fate("192.0.2.1", false, false, 0), fate("192.0.2.2", true, false, 7),
		fate("192.0.2.3", true, false, UINT32_MAX)};
	struct message_query query = client(true, false);
	const struct record *record;
	struct message *message;
	struct reply reply;

	packet_begin(&p, 0, 0x8180, NAME, 1);
	packet_rr(&p, ANSWER, NULL, 5, 300, host, sizeof(host));
	packet_addr(&p, ANSWER, "host.peer.example", "192.0.2.1", 300);
	packet_addr(&p, ANSWER, "host.peer.example", "192.0.2.2", 300);
	packet_addr(&p, ANSWER, "HOST.peer.example", "192.0.2.3", 300);
	packet_rr(&p, ANSWER, NULL, 15, 300, mx, sizeof(mx));
	packet_rr(&p, ANSWER, NULL, 33, 300, srv, sizeof(srv));
	packet_rr(&p, AUTHORITY, NULL, 6, 300, soa, sizeof(soa));
	message = answer();
	message_apply(message, fates, 3, false);
	reply = build(message, &query, 1232);
	ok(reply.good && reply.counts[ANSWER] == 5, "an answer whose second record went");
	record = reply_record(&reply, ANSWER, 5, 0);
	ok(record && record->len == 19 && is_name(record->rdata, "host.peer.example"), "a CNAME's target");
	record = reply_record(&reply, ANSWER, 15, 0);
	ok(record && record->len == 21 && record->rdata[1] == 10 &&
			is_name(record->rdata + 2, "host.peer.example"), "an MX");
	record = reply_record(&reply, ANSWER, 33, 0);
	ok(record && record->len == 25 && record->rdata[5] == 3 &&
			is_name(record->rdata + 6, "host.peer.example"), "an SRV");
	record = reply_record(&reply, AUTHORITY, 6, 0);
	ok(record && record->len == 14 + 18 + 20 && is_name(record->rdata, "peer.example") &&
			is_name(record->rdata + 14, "wWw.pEEr.example") == false &&
			is_name(record->rdata + 14, NAME) && record->rdata[14 + 18 + 19] == 5,
		"both names of an SOA, and what is behind them");
	record = reply_record(&reply, ANSWER, 1, 0);
	ok(record && is_name(record->rdata - 10 - 19, "host.peer.example") && record->ttl == 7,
		"an owner that is not the question's name, in full");
	record = reply_record(&reply, ANSWER, 1, 1);
	ok(record && record->rdata[-12] >= 0xc0, "and the same again as a pointer to it");
}

/* The names of a record that moves cannot be read: no answer, and no loop. */
static void test_bad_names(void)
{
	static const uint8_t self[] = {0xc0, 0x31}, ahead[] = {0xc0, 0xff}, cut[] = {3, 'a'}, open[] = {1, 'a'};
	const struct {
		const uint8_t *rdata;
		size_t len;
		const char *what;
	} bad[] = {{self, 2, "a pointer to itself"}, {ahead, 2, "a pointer out of the packet"},
		{cut, 2, "a label cut short"}, {open, 2, "a name without its end"}};
	struct message_fate none[1] = {fate("192.0.2.1", false, false, 0)};
	struct message_query query = client(true, false);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct message_error error = {.present = false};
		struct message *message;

		packet_begin(&p, 0, 0x8180, NAME, 1);
		packet_addr(&p, ANSWER, NULL, "192.0.2.1", 300);
		packet_rr(&p, ANSWER, NULL, 5, 300, bad[i].rdata, bad[i].len);
		/* The CNAME is the last; its data begins at the packet's end. */
		if (bad[i].rdata == self)
			p.data[p.w.len - 1] = (uint8_t)(p.w.len - 2);
		message = answer();
		message_apply(message, none, 1, false);
		is_int((intmax_t)message_build(message, &query, false, &error, 1232, out, sizeof(out)), 0,
			bad[i].what);
		message_free(message);
	}
}

static void test_odd_answers(void)
{
	struct message_fate known[1] = {fate("192.0.2.1", true, false, UINT32_MAX)};
	struct message_query query = client(true, false);
	struct message *message;
	struct reply reply;

	packet_begin(&p, 0, 0x8180, NAME, 1);
	packet_addr(&p, ANSWER, NULL, "192.0.2.1", 300);
	packet_opt(&p, 4096, true);
	packet_rr(&p, ADDITIONAL, NULL, 16, 300, "\3abc", 4);
	message = answer();
	message_apply(message, known, 1, false);
	reply = build(message, &query, 1232);
	ok(reply.good && reply.counts[ADDITIONAL] == 1 && !reply.dnssec_ok && reply_record(&reply, ADDITIONAL, 16, 0),
		"an OPT that is not the last: ours takes its place");

	packet_begin(&p, 0, 0x8180, "another.name.example", 1);
	packet_addr(&p, ANSWER, NULL, "192.0.2.1", 300);
	message = answer();
	message_apply(message, known, 1, false);
	reply = build(message, &query, 1232);
	ok(reply.good && is_name(reply.records[0].rdata - 10 - 22, "another.name.example"),
		"a question of another length: owners do not become the client's name");

	packet_begin(&p, 0, 0x8180, NAME, 1);
	packet_addr(&p, ANSWER, NULL, "192.0.2.1", 300);
	p.data[7] = 2;
	ok(!answer(), "more records are promised than there are");
	p.data[7] = 1;
	p.data[5] = 2;
	ok(!answer(), "two questions");
}

int main(void)
{
	test_query();
	test_odd_names();
	test_bad_queries();
	test_errors();
	test_addresses();
	test_apply();
	test_whole();
	test_unjudged();
	test_unchanged();
	test_truncation();
	test_swollen();
	test_other_records();
	test_moved_names();
	test_bad_names();
	test_odd_answers();
	return tap_done();
}
