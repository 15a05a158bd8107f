/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug names (A10) over loopback sockets: what they say, to whom, how much and how often. */
#include "lib/loop.h"
#include "lib/mem.h"
#include "resolver/resolver.h"
#include "t/tap.h"
#include "t/unit/resolver_client.h"
#include "t/unit/resolver_server.h"

static const struct served names[] = {
	{.name = "pass.example", .addrs = "192.0.2.1"},
	{.name = "late.example", .addrs = "192.0.2.20"},
	{.name = "grace.example", .addrs = "192.0.2.20 192.0.2.1"},
	{.name = "six.example", .addrs = "192.0.2.50 2001:db8::1"},
	{.name = "block.example", .addrs = "192.0.2.60"},
	{.name = "some.example", .addrs = "192.0.2.1 192.0.2.50 192.0.2.60"},
	{.name = "broken.example", .broken = true},
	{.name = "silent.example", .silent = true},
	{0},
};

static struct server server;
static struct resolver *resolver;

/* --- the gate: it explains, and passes everything when it is asked in earnest ------------------- */

static const struct rule {
	const char *addr;
	enum resolver_verdict verdict;
	const char *group;
} rules[] = {
	{"192.0.2.20", RESOLVER_WAIT, "private"},
	{"192.0.2.50", RESOLVER_WITHHELD, "private"},
	{"192.0.2.60", RESOLVER_BLOCKED, "block"},
	{"2001:db8::30", RESOLVER_WAIT, "private"},
};
static unsigned wanted;

static void want(void *arg, uint64_t query, const char *qname, const struct addr *addr,
	resolver_decided decided, void *decided_arg, struct resolver_decision *out, uint64_t *handle)
{
	(void)arg, (void)query, (void)qname, (void)addr, (void)decided, (void)decided_arg, (void)handle;
	wanted++;
	*out = (struct resolver_decision){.verdict = RESOLVER_PASS, .max_ttl_s = UINT32_MAX};
}

static void explain(void *arg, uint64_t query, const char *qname, const struct addr *addr,
	struct resolver_decision *out, char *why, size_t room)
{
	char text[ADDR_TEXT];

	(void)arg, (void)query;
	*out = (struct resolver_decision){.verdict = RESOLVER_PASS, .max_ttl_s = UINT32_MAX};
	addr_format(addr, text);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (strcmp(rules[i].addr, text) != 0)
			continue;
		out->verdict = rules[i].verdict;
		strcpy(out->group, rules[i].group);
	}
	snprintf(why, room, "verdict %d for %s", (int)out->verdict, qname);
}

static const struct resolver_gate gate = {.want = want, .explain = explain};

static void stage(void *arg, uint64_t query, const char *qname, const struct resolver_event *event)
{
	(void)arg, (void)query, (void)qname, (void)event;
}

static const struct resolver_observer observer = {.stage = stage};

/* --- what the daemon says ----------------------------------------------------------------------- */

static void say_version(void *arg, resolver_line line, void *line_arg)
{
	(void)arg;
	line(line_arg, "a version");
}

/* One of 192.0.2.7 and of 2001:db8::7; of all, many. */
static void say_peers(void *arg, const struct addr *addr, resolver_line line, void *line_arg)
{
	char text[ADDR_TEXT];

	(void)arg;
	for (int i = 0; !addr && i < 5000; i++)
		line(line_arg, "a peer with a text of a certain length");
	if (addr && addr->bytes[addr->family == ADDR_IPV4 ? 3 : 15] == 7)
		line(line_arg, addr_format(addr, text));
}

static void say_groups(void *arg, resolver_line line, void *line_arg)
{
	char text[400];

	(void)arg;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	line(line_arg, text);
	line(line_arg, "short");
}

static const struct resolver_debug debug = {
	.version = say_version, .peers = say_peers, .groups = say_groups};

static void prepare_chaos(const char *name, uint16_t type, int edns)
{
	prepare(name, type, PLAIN, 0x4242);
	p.data[p.w.len - 1] = 3;
	if (edns != PLAIN)
		packet_opt(&p, 1232, edns == DO);
}

static struct reply ask_chaos(const char *name, uint16_t type)
{
	int fd = connect_to("127.0.0.1", SOCK_DGRAM);
	struct reply reply;

	prepare_chaos(name, type, EDNS);
	send_to(fd);
	reply = receive(fd, 3000);
	close(fd);
	return reply;
}

/* The n-th text of an answer. */
static const char *text_of(const struct reply *reply, size_t n)
{
	static char text[256];
	const struct record *record = reply_record(reply, ANSWER, 16, n);

	snprintf(text, sizeof(text), "%.*s", record ? record->rdata[0] : 0,
		record ? (const char *)record->rdata + 1 : "");
	return text;
}

/* libunbound turns the addresses of an answer round. */
static bool has_text(const struct reply *reply, const char *text)
{
	for (size_t i = 0; i < reply->counts[ANSWER]; i++) {
		if (strcmp(text_of(reply, i), text) == 0)
			return true;
	}
	return false;
}

static void test_names(void)
{
	static const struct {
		const char *name;
		uint16_t type;
		int rcode;
		size_t count;
	} cases[] = {{"version.oe", 16, 0, 1}, {"VERSION.OE", 255, 0, 1}, {"version.oe", 1, 0, 0},
		{"oe", 16, 0, 0}, {"peer.oe", 16, 0, 0}, {"explain.oe", 16, 0, 0},
		{"pass.example.explain.oe", 1, 0, 0}, {"192.0.2.7.peer.oe", 16, 0, 1},
		{"2001:db8::7.peer.oe", 16, 0, 1}, {"192.0.2.8.peer.oe", 16, 3, 0},
		{"nonsense.peer.oe", 16, 3, 0}, {"nonsense.oe", 16, 3, 0}, {"version.bind", 16, 5, 0},
		{"oe.example", 16, 5, 0}};
	struct reply reply;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		reply = ask_chaos(cases[i].name, cases[i].type);
		ok(reply.good && reply_rcode(&reply) == cases[i].rcode && reply.count == cases[i].count,
			"%s, type %u: rcode %d, %zu texts", cases[i].name, cases[i].type,
			reply_rcode(&reply), reply.count);
	}
	reply = ask_chaos("2001:db8::7.peer.oe", 16);
	is_str(text_of(&reply, 0), "2001:db8::7", "an IPv6 address in a name");
	reply = ask_chaos("groups.oe", 16);
	ok(reply.counts[ANSWER] == 2 && strlen(text_of(&reply, 0)) == 255, "a long line is cut");
	is_str(text_of(&reply, 1), "short", "the next one is whole");
	ok(reply.flags & 0x0400 && reply.edns, "AA, and EDNS for who has it");
}

static void test_size(void)
{
	struct reply reply = ask_chaos("peers.oe", 16);
	static uint8_t data[65535];
	int fd = connect_to("127.0.0.1", SOCK_STREAM);
	size_t len;

	ok(reply.good && reply.flags & 0x0200 && reply.count == 0, "a long list: TC over UDP");
	prepare_chaos("peers.oe", 16, PLAIN);
	data[0] = 0;
	data[1] = (uint8_t)p.w.len;
	memcpy(data + 2, p.data, p.w.len);
	ok(send(fd, data, p.w.len + 2, 0) > 0, "and over TCP");
	len = receive_tcp(fd, data, 2) == 2 ? (size_t)(data[0] << 8 | data[1]) : 0;
	ok(len > 50000 && receive_tcp(fd, data, len) == len, "as much as fits: %zu bytes", len);
	ok(len > 24 && memcmp(data + len - 24, "and more: see oectl peers" + 1, 24) == 0, "and how to see the rest");
	close(fd);
}

static void test_explanations(void)
{
	unsigned before = wanted;
	struct reply reply = ask_chaos("some.example.explain.oe", 16);

	is_int(reply.counts[ANSWER], 5, "a line for each address, and what becomes of each family");
	ok(has_text(&reply, "192.0.2.1: verdict 0 for some.example"), "an address that passes");
	ok(has_text(&reply, "192.0.2.50: private verdict 3 for some.example"), "one that failed");
	ok(has_text(&reply, "192.0.2.60: block verdict 4 for some.example"), "a blocked one");
	is_str(text_of(&reply, 3), "A: answered at once, with 1 of 3 addresses", "what a client would get");
	is_str(text_of(&reply, 4), "AAAA: answered at once, without addresses", "for either family");
	reply = ask_chaos("late.example.explain.oe", 16);
	is_str(text_of(&reply, 1), "A: held until one is decided, for 400 ms at most", "held (A2)");
	reply = ask_chaos("grace.example.explain.oe", 16);
	is_str(text_of(&reply, 2), "A: held for those that wait, for 60 ms at most", "held, for a moment (A3)");
	reply = ask_chaos("block.example.explain.oe", 16);
	is_str(text_of(&reply, 1), "A: answered at once, without the addresses, all of them blocked", "block (A5)");
	reply = ask_chaos("six.example.explain.oe", 16);
	is_str(text_of(&reply, 1), "A: empty if the other family has an address to use, else SERVFAIL", "A5");
	reply = ask_chaos("missing.example.explain.oe", 16);
	is_str(text_of(&reply, 0), "A: answered at once, without addresses (rcode 3, NXDOMAIN)", "no such name");
	reply = ask_chaos("broken.example.explain.oe", 16);
	is_str(text_of(&reply, 0), "A: SERVFAIL: no answer from the forwarders", "no answer from upstream");
	reply = ask_chaos("broken.example.explain.oe", 16);
	is_str(text_of(&reply, 0), "A: answered at once, without addresses (rcode 2)", "a failure that is remembered");
	reply = ask_chaos("192.0.2.50.explain.oe", 16);
	is_str(text_of(&reply, 0), "192.0.2.50: private verdict 3 for 192.0.2.50", "an address by itself");
	reply = ask_chaos("2001:db8::30.explain.oe", 16);
	is_str(text_of(&reply, 1), "AAAA: held until one is decided, for 400 ms at most", "of either family");
	is_int(wanted - before, 0, "and nothing was done");
}

/* Programs on this host may ask without end. */
static void test_rate(void)
{
	int refused = 0;

	for (int i = 0; i < 100; i++) {
		struct reply reply = ask_chaos("version.oe", 16);

		refused += reply_rcode(&reply) == 5;
	}
	ok(refused > 0 && refused < 80, "%d of 100 were refused", refused);
	ok(ask("pass.example", 1, PLAIN).good, "lookups are not");
}

int main(void)
{
	struct endpoint listen_on;
	struct resolver_config config = {.listen = &listen_on,
		.listen_count = 1,
		.forward = &server.endpoint,
		.forward_count = 1,
		.hold_ms = 400,
		.hold_grace_ms = 60,
		.max_held = 100};
	char *why = NULL;
	int fd;

	if (!server_start(&server, names))
		return 1;
	port = free_port();
	loop = loop_new();
	endpoint_parse("127.0.0.1", port, &listen_on);
	resolver = resolver_new(loop, &gate, NULL, &observer, NULL);
	is_int(resolver_configure(resolver, &config, &why), 0, "configured");
	is_int(reply_rcode(&(struct reply){.flags = ask_chaos("version.oe", 16).flags}), 5,
		"REFUSED where nobody has anything to say");
	resolver_set_debug(resolver, &debug, NULL);
	test_names();
	test_size();
	test_explanations();
	test_rate();
	/* Ends with an explanation under way: all is given back. */
	fd = connect_to("127.0.0.1", SOCK_DGRAM);
	prepare_chaos("silent.example.explain.oe", 16, PLAIN);
	send_to(fd);
	wait_for(fd, 60);
	resolver_free(resolver);
	close(fd);
	server_stop(&server);
	loop_free(loop);
	return tap_done();
}
