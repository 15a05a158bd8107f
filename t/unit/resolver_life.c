/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole resolver over loopback sockets: a server upstream, a gate that
 * decides late or never, clients on UDP and TCP. Rules A1 to A9, A11, A12.
 */
#include "lib/loop.h"
#include "lib/mem.h"
#include "resolver/resolver.h"
#include "t/tap.h"
#include "t/unit/resolver_client.h"
#include "t/unit/resolver_server.h"

#include <errno.h>

#define HOLD_MS 400u
#define GRACE_MS 60u

static const uint8_t https[] = {0, 1, 0, 0, 4, 0, 4, 192, 0, 2, 66};
static const uint8_t silent_hint[] = {0, 1, 0, 0, 4, 0, 4, 192, 0, 2, 30};

static const struct served names[] = {
	{.name = "pass.example", .addrs = "192.0.2.1"},
	{.name = "tunnel.example", .addrs = "192.0.2.1 192.0.2.10"},
	{.name = "printer.home.arpa", .addrs = "192.0.2.1"},
	{.name = "1.2.0.10.in-addr.arpa", .addrs = "192.0.2.1"},
	{.name = "late.example", .addrs = "192.0.2.20"},
	{.name = "twice.example", .addrs = "192.0.2.20"},
	{.name = "pipelined.example", .addrs = "192.0.2.20"},
	{.name = "never.example", .addrs = "192.0.2.30"},
	{.name = "opens.example", .addrs = "192.0.2.40"},
	{.name = "opens2.example", .addrs = "192.0.2.40"},
	{.name = "grace.example", .addrs = "192.0.2.30 192.0.2.1"},
	{.name = "failed.example", .addrs = "192.0.2.50"},
	{.name = "lostsix.example", .addrs = "192.0.2.50", .silent_type = 28},
	{.name = "six.example", .addrs = "192.0.2.50 2001:db8::1"},
	{.name = "sixlate.example", .addrs = "192.0.2.50 2001:db8::20 2001:db8::30"},
	{.name = "dual.example", .addrs = "192.0.2.1 2001:db8::30", .https = silent_hint, .https_len = sizeof(silent_hint)},
	{.name = "duallate.example", .addrs = "192.0.2.20 2001:db8::30"},
	{.name = "dualfail.example", .addrs = "192.0.2.1 2001:db8::50"},
	{.name = "block.example", .addrs = "192.0.2.60"},
	{.name = "some.example", .addrs = "192.0.2.1 192.0.2.50 192.0.2.60"},
	{.name = "hint.example", .https = https, .https_len = sizeof(https)},
	{.name = "big.example", .many = 60},
	{.name = "crowd.example", .many = 70},
	{.name = "silent.example", .silent = true},
	{.name = "broken.example", .broken = true},
	{0},
};

static struct resolver *resolver;
static struct server server;

/* --- the gate: what is decided of an address, and when --------------------------------------- */

static const struct rule {
	const char *addr;
	enum resolver_verdict verdict; /* at once, or after delay_ms */
	unsigned delay_ms;
	bool on_hurry; /* only when it is hurried */
	bool never;
} rules[] = {
	{"192.0.2.10", RESOLVER_TUNNELLED, 0, false, false},
	{"192.0.2.20", RESOLVER_TUNNELLED, 120, false, false},
	{"192.0.2.30", RESOLVER_WAIT, 0, false, true},
	{"192.0.2.40", RESOLVER_PASS, 0, true, false},
	{"192.0.2.50", RESOLVER_WITHHELD, 0, false, false},
	{"192.0.2.60", RESOLVER_BLOCKED, 0, false, false},
	{"192.0.2.66", RESOLVER_WITHHELD, 0, false, false},
	{"2001:db8::20", RESOLVER_TUNNELLED, 30, false, false},
	{"2001:db8::30", RESOLVER_WAIT, 0, false, true},
	{"2001:db8::50", RESOLVER_WITHHELD, 0, false, false},
};

struct wait {
	uint64_t handle;
	const struct rule *rule;
	struct loop_timer timer;
	resolver_decided decided;
	void *arg;
};

static struct wait waits[64];
static uint64_t last_handle;
static unsigned wanted, hurried, waiting;

static struct resolver_decision decision_of(const struct rule *rule, enum resolver_verdict verdict)
{
	struct resolver_decision decision = {.verdict = verdict, .max_ttl_s = UINT32_MAX};

	if (rule) {
		strcpy(decision.group, verdict == RESOLVER_BLOCKED ? "block" : "private");
		strcpy(decision.cause, "because");
	}
	return decision;
}

static void decide(struct loop_timer *timer)
{
	struct wait *wait = timer->arg;
	struct resolver_decision decision = decision_of(wait->rule, wait->rule->verdict);

	wait->handle = 0;
	waiting--;
	wait->decided(wait->arg, &decision);
}

static void want(void *arg, uint64_t query, const char *qname, const struct addr *addr,
	resolver_decided decided, void *decided_arg, struct resolver_decision *out, uint64_t *handle)
{
	const struct rule *rule = NULL;
	struct wait *wait = waits;
	char text[ADDR_TEXT];

	(void)arg, (void)query, (void)qname;
	wanted++;
	addr_format(addr, text);
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (strcmp(rules[i].addr, text) == 0)
			rule = &rules[i];
	}
	*out = decision_of(rule, rule ? rule->verdict : RESOLVER_PASS);
	if (!rule || (!rule->delay_ms && !rule->on_hurry && !rule->never))
		return;
	out->verdict = RESOLVER_WAIT;
	while (wait->handle)
		wait++;
	*wait = (struct wait){.handle = ++last_handle, .rule = rule, .decided = decided,
		.arg = decided_arg, .timer = {.fired = decide, .arg = wait}};
	waiting++;
	*handle = wait->handle;
	if (rule->delay_ms)
		loop_timer_start(loop, &wait->timer, rule->delay_ms * 1000u);
}

static struct wait *find_wait(uint64_t handle)
{
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		if (handle && waits[i].handle == handle)
			return &waits[i];
	}
	return NULL;
}

static void cancel(void *arg, uint64_t handle)
{
	struct wait *wait = find_wait(handle);

	(void)arg;
	if (!wait) {
		ok(false, "only what waits is cancelled");
		return;
	}
	loop_timer_stop(loop, &wait->timer);
	wait->handle = 0;
	waiting--;
}

static void hurry(void *arg, uint64_t handle)
{
	struct wait *wait = find_wait(handle);

	(void)arg;
	hurried++;
	if (wait && wait->rule->on_hurry)
		loop_timer_start(loop, &wait->timer, 10000);
}

static const struct resolver_gate gate = {.want = want, .cancel = cancel, .hurry = hurry};

/* --- the observer: the stages of the last query ---------------------------------------------- */

static char stages[64];

static void stage(void *arg, uint64_t query, const char *qname, const struct resolver_event *event)
{
	static const char letters[] = {[RESOLVER_STAGE_QUERY] = 'Q',
		[RESOLVER_STAGE_UPSTREAM] = 'U',
		[RESOLVER_STAGE_ADDRESS] = 'A',
		[RESOLVER_STAGE_RELEASED] = 'R'};
	size_t len = event->stage == RESOLVER_STAGE_QUERY ? 0 : strlen(stages);

	(void)arg, (void)query, (void)qname;
	if (len < sizeof(stages) - 1)
		snprintf(stages + len, sizeof(stages) - len, "%c", letters[event->stage]);
}

static const struct resolver_observer observer = {.stage = stage};

/* --- tests --------------------------------------------------------------------------------------- */

static void test_passes(void)
{
	struct reply reply = ask("PaSS.example", 1, PLAIN);

	ok(reply.good && reply.id == 0x4242 && reply_rcode(&reply) == 0, "an answer");
	is_str(reply_addr(&reply, 0), "192.0.2.1", "with its address");
	is_mem(reply.name, "\4PaSS", 5, "and the letters of the question");
	is_str(stages, "QUAR", "the observer saw each stage once");
	reply = ask("tunnel.example", 1, EDNS);
	is_str(reply_addr(&reply, 0), "192.0.2.10", "tunnelled addresses come first");
	is_int(reply.counts[ANSWER], 2, "before the others");
	ok(!reply.has_error && took_ms < 100, "nothing to explain, nothing to wait for");
	reply = ask("missing.example", 1, PLAIN);
	ok(reply.good && reply_rcode(&reply) == 3, "NXDOMAIN");
	reply = ask("printer.home.arpa", 1, PLAIN);
	is_int(reply.counts[ANSWER], 1, "a home's own zone is its forwarder's business (RFC 8375)");
	reply = ask("1.2.0.10.in-addr.arpa", 1, PLAIN);
	is_int(reply.counts[ANSWER], 1, "and so are reverse names of private addresses");
	ask("pass.example", 1, PLAIN);
	reply = ask("broken.example", 1, EDNS);
	ok(reply.good && reply_rcode(&reply) == 2 && reply.count == 0,
		"SERVFAIL from upstream, and nothing of the answer before: %s", reply_addr(&reply, 0));
	is_int(reply.error, 22, "with its cause");
	is_int((intmax_t)resolver_counters(resolver).held, 0, "nothing was held");
}

static void test_waits(void)
{
	struct reply reply = ask("late.example", 1, EDNS);
	int fd = connect_to("127.0.0.1", SOCK_DGRAM);
	unsigned before;

	is_str(reply_addr(&reply, 0), "192.0.2.20", "held until its tunnel stands (A2)");
	ok(took_ms >= 110 && took_ms < HOLD_MS, "no longer: %u ms", took_ms);

	before = wanted;
	prepare("twice.example", 1, PLAIN, 7);
	send_to(fd);
	wait_for(fd, 40);
	is_int((intmax_t)resolver_counters(resolver).held_now, 1, "a query is held");
	send_to(fd);
	reply = receive(fd, 3000);
	ok(reply.good, "a retransmission joins it (A9)");
	is_int(wanted - before, 1, "the gate was asked once");
	ok(!receive(fd, 150).good, "and there is one answer");
	is_int((intmax_t)resolver_counters(resolver).held_now, 0, "nothing is held any more");
	close(fd);
}

static void test_deadline(void)
{
	struct reply reply = ask("opens.example", 1, PLAIN);

	is_str(reply_addr(&reply, 0), "192.0.2.40", "dns-hold is over: the gate's last word (A4)");
	ok(took_ms >= HOLD_MS - 10 && took_ms < HOLD_MS + 90, "right after it: %u ms", took_ms);
	is_int(hurried, 1, "after it was hurried");
	reply = ask("never.example", 1, EDNS);
	ok(reply.good && reply_rcode(&reply) == 2, "not decided in time: left out, SERVFAIL");
	ok(took_ms < HOLD_MS + 250, "in bounded time: %u ms", took_ms);
	is_int(reply.error, 0, "with an extended error (A8)");
	is_str(reply.text, "192.0.2.30: private: because", "that names address, group and cause");
	is_int(waiting, 0, "the gate was told");
	reply = ask("grace.example", 1, EDNS);
	is_str(reply_addr(&reply, 0), "192.0.2.1", "one can be used: the other is left out");
	is_int(reply.counts[ANSWER], 1, "only it");
	ok(took_ms >= GRACE_MS - 10 && took_ms < HOLD_MS, "after dns-hold-grace (A3): %u ms", took_ms);
	ok(reply.has_error, "and the error names who is missing");
	is_int(waiting, 0, "the gate was told again");
}

static void test_nothing_usable(void)
{
	struct reply reply = ask("failed.example", 1, EDNS);

	ok(reply.good && reply_rcode(&reply) == 2 && reply.error == 0, "private that failed: SERVFAIL");
	reply = ask("six.example", 1, EDNS);
	ok(reply.good && reply_rcode(&reply) == 0 && reply.count == 0,
		"the other family can be used: empty, without SOA (A5)");
	is_str(reply.text, "192.0.2.50: private: because", "and the reason");
	reply = ask("six.example", 28, PLAIN);
	is_str(reply_addr(&reply, 0), "2001:db8::1", "which is answered");
	reply = ask("sixlate.example", 1, EDNS);
	ok(reply.good && reply_rcode(&reply) == 0 && reply.count == 0,
		"the other family gets its tunnel first");
	ok(took_ms >= 25 && took_ms < 25 + GRACE_MS, "and nobody waits for more: %u ms", took_ms);
	reply = ask("lostsix.example", 1, EDNS);
	ok(reply.good && reply_rcode(&reply) == 2 && reply.error == 0,
		"nobody waits on for the other family when dns-hold is over");
	reply = ask("block.example", 1, EDNS);
	ok(reply.good && reply_rcode(&reply) == 0 && reply.count == 0, "block alone: NODATA");
	ok(reply.has_error && reply.error == 15, "code 15 for it");
	reply = ask("some.example", 1, EDNS);
	ok(reply.good && reply.counts[ANSWER] == 1 && reply.has_error && reply.error == 0,
		"what can be used of several");
	is_int(waiting, 0, "nobody waits");
}

/* Two queries, both under way at once; the answers in the order in which they come, and the address in the first. */
static char first_addr[ADDR_TEXT];

static void ask_two(const char *first, uint16_t first_type, const char *second, uint16_t second_type, int edns,
	struct reply replies[2])
{
	int fd = connect_to("127.0.0.1", SOCK_DGRAM);

	prepare(first, first_type, edns, first_type);
	send_to(fd);
	prepare(second, second_type, edns, second_type);
	send_to(fd);
	replies[0] = receive(fd, 3000);
	strcpy(first_addr, reply_addr(&replies[0], 0));
	replies[1] = receive(fd, 3000);
	close(fd);
}

/* An answer that was held to the end of dns-hold has been hurried before. */
static bool is_early_and_empty(const struct reply *reply, unsigned hurried_before)
{
	return reply->good && reply_rcode(reply) == 0 && reply->count == 0 && hurried == hurried_before;
}

/* A3: the first usable address of either family starts the grace of both queries. */
static void test_both_families(void)
{
	unsigned before = hurried, judged;
	struct reply replies[2];

	ask_two("dual.example", 1, "DUAL.example", 28, EDNS, replies);
	is_str(first_addr, "192.0.2.1", "A can be used");
	ok(is_early_and_empty(&replies[1], before), "AAAA is left out after the grace: empty, no SOA (A5)");
	is_str(replies[1].text, "2001:db8::30: private: because", "and says who is missing");
	ask_two("duallate.example", 28, "duallate.example", 1, PLAIN, replies);
	ok(replies[0].id == 1 && replies[1].id == 28, "AAAA waits; A waits, and then its tunnel stands");
	ok(is_early_and_empty(&replies[1], before), "that starts the grace");
	ask_two("dual.example", 65, "dual.example", 1, PLAIN, replies);
	ok(replies[0].id == 1 && is_early_and_empty(&replies[1], before), "a hint of HTTPS is left out too");
	ask("dualfail.example", 1, PLAIN);
	judged = wanted;
	ask_two("dualfail.example", 1, "dualfail.example", 28, PLAIN, replies);
	ok(is_early_and_empty(&replies[1], before), "AAAA that failed is empty at once");
	is_int(wanted - judged, 2, "nobody has to look A up again for that");
	is_int(waiting, 0, "the gate was told of all");
}

static void test_one_after_the_other(void)
{
	int fd = connect_to("127.0.0.1", SOCK_DGRAM);
	unsigned before = hurried;
	struct reply reply;

	prepare("dual.example", 1, PLAIN, 1);
	send_to(fd);
	reply = receive(fd, 3000);
	is_str(reply_addr(&reply, 0), "192.0.2.1", "A is answered");
	prepare("dual.example", 28, PLAIN, 2);
	send_to(fd);
	reply = receive(fd, 3000);
	ok(is_early_and_empty(&reply, before), "AAAA asked after that gets the grace (single-request)");
	close(fd);
	reply = ask("dual.example", 28, PLAIN);
	ok(reply.good && reply_rcode(&reply) == 0 && hurried == before + 1,
		"from a socket that has not asked for A, AAAA gets the whole of dns-hold");
}

static void test_both_signed(void)
{
	unsigned before = hurried;
	struct reply replies[2];

	ask_two("dual.example", 1, "dual.example", 28, DO, replies);
	ok(replies[0].id == 1 && reply_rcode(&replies[1]) == 2 && hurried == before + 1,
		"DO: SERVFAIL is all that could be sent, so AAAA gets its time (A6)");
}

static void test_signed(void)
{
	struct reply reply = ask("some.example", 1, DO);

	is_int(reply.counts[ANSWER], 3, "DO: a set goes out whole (A6)");
	reply = ask("failed.example", 1, DO);
	is_int(reply_rcode(&reply), 2, "or as SERVFAIL");
	reply = ask("block.example", 1, DO);
	ok(reply_rcode(&reply) == 2 && reply.error == 15, "for block too");
	reply = ask("dualfail.example", 255, EDNS);
	is_int(reply.counts[ANSWER], 1, "ANY: what can be used");
	reply = ask("dualfail.example", 255, DO);
	is_int(reply_rcode(&reply), 2, "and with DO no set of which nothing can");
}

static void test_records(void)
{
	struct reply reply = ask("hint.example", 65, EDNS);

	ok(reply.good && reply_rcode(&reply) == 0 && reply.counts[ANSWER] == 0 && reply.has_error,
		"an HTTPS record whose hint failed is taken out, the lookup stands");
	reply = ask("crowd.example", 1, DO);
	ok(reply.good && reply_rcode(&reply) == 0, "more addresses than are judged");
}

static struct reply next_tcp(int fd)
{
	static uint8_t data[8192];
	uint8_t head[2];
	size_t len = receive_tcp(fd, head, 2) == 2 ? (size_t)(head[0] << 8 | head[1]) : 0;

	return len && len < sizeof(data) ? read_reply(data, receive_tcp(fd, data, len))
					 : (struct reply){0};
}

static size_t frame(uint8_t *out, const char *name, uint16_t id)
{
	prepare(name, 1, EDNS, id);
	out[0] = (uint8_t)(p.w.len >> 8);
	out[1] = (uint8_t)p.w.len;
	memcpy(out + 2, p.data, p.w.len);
	return p.w.len + 2;
}

static void test_tcp(void)
{
	struct reply reply = ask("big.example", 1, PLAIN);
	int fd = connect_to("127.0.0.1", SOCK_STREAM);
	uint8_t data[1024];
	size_t len, second;

	ok(reply.good && (reply.flags & 0x0200) && reply.count == 0, "too long for UDP: TC");
	len = frame(data, "big.example", 1);
	ok(send(fd, data, 1, 0) == 1, "a length in pieces");
	wait_for(fd, 20);
	ok(send(fd, data + 1, 9, 0) == 9, "and a message");
	wait_for(fd, 20);
	ok(send(fd, data + 10, len - 10, 0) > 0, "in pieces too");
	reply = next_tcp(fd);
	ok(reply.good && reply.id == 1 && reply.counts[ANSWER] == 60, "whole over TCP");

	second = frame(data, "pipelined.example", 2);
	len = second + frame(data + second, "pass.example", 3);
	ok(send(fd, data, len, 0) == (ssize_t)len, "two queries in one segment");
	is_int(next_tcp(fd).id, 3, "the second overtakes the first (RFC 7766 6.2.1.1)");
	is_int(next_tcp(fd).id, 2, "which is held");

	second = frame(data, "pipelined.example", 5);
	len = second + frame(data + second, "pass.example", 6);
	ok(send(fd, data, len, 0) == (ssize_t)len && shutdown(fd, SHUT_WR) == 0,
		"two queries, and the client's side is closed");
	is_int(next_tcp(fd).id, 6, "it gets the answer that is there");
	is_int(next_tcp(fd).id, 5, "and the one that is held");
	ok(wait_for(fd, 1000) && recv(fd, data, sizeof(data), MSG_DONTWAIT) == 0,
		"then the other side is closed too");
	close(fd);

	fd = connect_to("127.0.0.1", SOCK_STREAM);
	ok(send(fd, data, frame(data, "never.example", 4), 0) > 0, "a client asks");
	wait_for(fd, 50);
	close(fd);
	fd = connect_to("127.0.0.1", SOCK_DGRAM);
	wait_for(fd, HOLD_MS + 300);
	close(fd);
	is_int((intmax_t)resolver_counters(resolver).in_flight, 0, "and is gone before its answer");
}

/* A client that asks and asks, and reads nothing: it is not let fill our memory, and sees that. */
static void test_deaf(void)
{
	int fd = connect_to("127.0.0.1", SOCK_STREAM), room = 1 << 16;
	uint8_t question[128], answer[4096];
	size_t len = frame(question, "big.example", 1), at = 0;
	unsigned asked = 0, turns = 0;
	ssize_t got = 1;

	/* The kernel does not keep them all for it. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	while (asked < 8000 && turns < 100000) {
		ssize_t sent = send(fd, question + at, len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN)
			break;
		at += sent > 0 ? (size_t)sent : 0;
		asked += at == len;
		at %= len;
		turns += sent < 0;
		loop_step(loop, false);
	}
	while (got > 0 && wait_for(fd, 2000))
		got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	ok(got <= 0, "the connection of a client that has asked %u times and read nothing is over", asked);
	close(fd);
}

static void test_refused(void)
{
	struct resolver_counters before = resolver_counters(resolver);
	int fd = connect_to("127.0.0.1", SOCK_DGRAM);

	prepare("pass.example", 1, PLAIN, 5);
	p.data[2] |= 0x80;
	send_to(fd);
	ok(!receive(fd, 60).good, "no answer to an answer");
	p.data[2] = 1;
	p.data[5] = 3;
	send_to(fd);
	is_int(receive(fd, 1000).flags & 0xf, 1, "FORMERR for three questions");
	prepare("version.oe", 16, PLAIN, 6);
	p.data[p.w.len - 1] = 3;
	send_to(fd);
	is_int(receive(fd, 1000).flags & 0xf, 5, "REFUSED for class CHAOS");
	is_int((intmax_t)(resolver_counters(resolver).malformed - before.malformed), 2, "all counted");
	is_int((intmax_t)(resolver_counters(resolver).refused - before.refused), 1, "by their kind");
	close(fd);
}

/* --- configuration ------------------------------------------------------------------------------- */

static struct resolver_config config = {.forward = &server.endpoint,
	.forward_count = 1,
	.hold_ms = HOLD_MS,
	.hold_grace_ms = GRACE_MS,
	.max_held = 100};
static struct endpoint listen_on[2];

static int configure(const char *where, char **why)
{
	endpoint_parse(where, port, &listen_on[0]);
	config.listen = listen_on;
	config.listen_count = 1;
	return resolver_configure(resolver, &config, why);
}

static void test_bounded(void)
{
	int first = connect_to("127.0.0.1", SOCK_DGRAM);
	struct reply reply;
	char *why;

	config.max_held = 1;
	configure("127.0.0.1", &why);
	prepare("never.example", 1, PLAIN, 8);
	send_to(first);
	wait_for(first, 30);
	reply = ask("opens2.example", 1, PLAIN);
	is_str(reply_addr(&reply, 0), "192.0.2.40", "over the bound the group's rule applies");
	ok(took_ms < HOLD_MS / 2, "at once (A9): %u ms", took_ms);
	receive(first, 2000);
	close(first);
	config.max_held = 100;
}

static void test_addresses(void)
{
	struct reply reply;
	char *why = NULL, owner[64];

	is_int(configure("0.0.0.0", &why), -EADDRINUSE, "an address that is taken");
	snprintf(owner, sizeof(owner), "resolver_life (pid %d", getpid());
	ok(why && strstr(why, owner) && strstr(why, "another dns-listen="),
		"its holder and the remedy are named");
	diag("%s", why ? why : "");
	free(why);
	reply = ask("pass.example", 1, PLAIN);
	ok(reply.good, "and nothing has changed");
	is_int(configure("127.0.0.2", &why), 0, "another address");
	reply = ask_at("127.0.0.2", "pass.example", 1, PLAIN);
	ok(reply.good, "is served");
	port = free_port();
	is_int(configure("0.0.0.0", &why), 0, "all addresses");
	reply = ask_at("127.0.0.3", "pass.example", 1, PLAIN);
	ok(reply.good, "the answer leaves from the address that was asked");
}

/* --- forwarders that come and go (A11) ------------------------------------------------------------- */

static char forward_file[] = "/tmp/resolver_life.XXXXXX";

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	if (file) {
		fputs(text, file);
		fclose(file);
	}
}

/* What is in use after another choice: "changed A:P B:P", "same", "refused". */
static const char *choose_again(void)
{
	static char out[256];
	char *why, text[ADDR_TEXT];
	bool is_other = resolver_choose_again(resolver, &why);
	size_t count;
	const struct endpoint *list = resolver_forwarders(resolver, &count);

	strcpy(out, is_other ? "changed" : why ? "refused" : "same");
	for (size_t i = 0; i < count && i < 4; i++)
		strcat(strcat(out, " "), endpoint_format(&list[i], text));
	free(why);
	return out;
}

static void test_chooses_again(void)
{
	static const char *const files[] = {"/nonexistent/resolv.conf", forward_file, NULL};
	const char *const *usual = resolver_forward_files(resolver);
	char anchor[] = "/tmp/resolver_life.XXXXXX", *why = NULL;
	struct reply reply;

	close(mkstemp(forward_file));
	close(mkstemp(anchor));
	write_file(anchor, ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n");
	is_str(usual[2], "/etc/resolv.conf", "the files of A11");
	resolver_set_forward_files(resolver, files);
	write_file(forward_file, "nameserver 192.0.2.7\n");
	ok(strncmp(choose_again(), "same 127.0.0.1:", 15) == 0, "dns-forward= is given: it stays");

	config.forward_count = 0;
	write_file(forward_file, "");
	is_int(configure("0.0.0.0", &why), 0, "none is given, and none found");
	is_str(choose_again(), "same", "nor again");
	reply = ask("pass.example", 1, EDNS);
	ok(reply_rcode(&reply) == 2 && strstr(reply.text, "no forwarder"), "SERVFAIL, and why");
	write_file(forward_file, "nameserver 192.0.2.7\nnameserver 192.0.2.8\n");
	is_str(choose_again(), "changed 192.0.2.7:53 192.0.2.8:53", "a file names two");
	is_str(choose_again(), "same 192.0.2.7:53 192.0.2.8:53", "which stay");
	write_file(forward_file, "nameserver 192.0.2.8\nnameserver 192.0.2.7\n");
	is_str(choose_again(), "changed 192.0.2.8:53 192.0.2.7:53", "another order is another list");

	config.trust_anchor_file = anchor;
	is_int(configure("0.0.0.0", &why), 0, "with a trust anchor");
	is_str(choose_again(), "same 192.0.2.8:53 192.0.2.7:53", "the same list is left alone");
	unlink(anchor);
	write_file(forward_file, "nameserver 192.0.2.9\n");
	is_str(choose_again(), "refused 192.0.2.8:53 192.0.2.7:53", "without its file: those in use stay");
	config.trust_anchor_file = NULL;
	is_int(configure("0.0.0.0", &why), 0, "without an anchor");
	unlink(forward_file);
	is_str(choose_again(), "changed", "the file has gone: none");
	config.forward_count = 1;
	is_int(configure("0.0.0.0", &why), 0, "dns-forward= again");
	reply = ask("pass.example", 1, PLAIN);
	is_str(reply_addr(&reply, 0), "192.0.2.1", "is asked");
}

/* Ends with a query held and another one asked: all is given back. */
static void test_end(void)
{
	int fd = connect_to("127.0.0.1", SOCK_DGRAM);

	prepare("never.example", 1, PLAIN, 9);
	send_to(fd);
	prepare("silent.example", 1, PLAIN, 10);
	send_to(fd);
	wait_for(fd, 60);
	is_int((intmax_t)resolver_counters(resolver).in_flight, 2, "two are under way");
	is_int(waiting, 1, "one of them waits for the gate");
	resolver_free(resolver);
	is_int(waiting, 0, "the end cancels it");
	close(fd);
}

int main(void)
{
	char *why = NULL;

	if (!server_start(&server, names))
		return 1;
	port = free_port();
	loop = loop_new();
	resolver = resolver_new(loop, &gate, NULL, &observer, NULL);
	is_int(configure("127.0.0.1", &why), 0, "configured");
	if (why)
		diag("%s", why);
	test_passes();
	test_waits();
	test_deadline();
	test_nothing_usable();
	test_both_families();
	test_one_after_the_other();
	test_both_signed();
	test_signed();
	test_records();
	test_tcp();
	test_deaf();
	test_refused();
	test_bounded();
	test_addresses();
	test_chooses_again();
	test_end();
	server_stop(&server);
	loop_free(loop);
	return tap_done();
}
