/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signed answers and who validates (A6): AD, CD, DO, and what is bogus, over a
 * zone whose Ed25519 signatures (RFC 8080) were made once and hold until 2036.
 * The key's secret is 00 01 .. 1f; made with Python's cryptography.
 */
#include "lib/loop.h"
#include "lib/mem.h"
#include "resolver/resolver.h"
#include "t/tap.h"
#include "t/unit/resolver_client.h"
#include "t/unit/resolver_server.h"

#define ANCHOR "signed.example. IN DNSKEY 257 3 15 A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n"
#define KEY_TAG 34259
#define TYPE_DNSKEY 48
#define FLAG_AD 0x20
#define CAP_S 60

static const uint8_t public_key[] = {
	0x03, 0xa1, 0x07, 0xbf, 0xf3, 0xce, 0x10, 0xbe, 0x1d, 0x70, 0xdd, 0x18, 0xe7,
	0x4b, 0xc0, 0x99, 0x67, 0xe4, 0xd6, 0x30, 0x9b, 0xa5, 0x0d, 0x5f, 0x1d, 0xdc,
	0x86, 0x64, 0x12, 0x55, 0x31, 0xb8};

enum { KEY, GOOD, SOME, GONE, SETS };

static const uint8_t signatures[SETS][64] = {
	/* DNSKEY of the zone */
	[KEY] = {
		0x37, 0x68, 0x8a, 0x26, 0xe4, 0x91, 0x53, 0x57, 0x67, 0xcb, 0x0a, 0xac, 0x56,
		0x24, 0x85, 0xee, 0x4d, 0x23, 0x30, 0x5c, 0xac, 0xa8, 0x42, 0xb6, 0xf6, 0x70,
		0xf8, 0x3e, 0xac, 0x86, 0x1c, 0xb3, 0x5d, 0x64, 0x0d, 0xbd, 0xea, 0x6e, 0x4a,
		0xd6, 0x6e, 0xab, 0xf9, 0x84, 0x3c, 0xda, 0x7b, 0x1a, 0xdb, 0x68, 0x8e, 0x1c,
		0x03, 0x81, 0x49, 0x4d, 0x47, 0xdc, 0x2e, 0x6c, 0x29, 0x59, 0x79, 0x0b},
	/* good.signed.example, A 192.0.2.1 */
	[GOOD] = {
		0xe7, 0x97, 0xd8, 0xf5, 0x96, 0x96, 0xeb, 0x73, 0xdf, 0x87, 0xce, 0xf2, 0xc6,
		0xfc, 0xc4, 0x08, 0x68, 0x62, 0xf2, 0xe9, 0x23, 0xaf, 0xc9, 0xf7, 0xa8, 0x2f,
		0x00, 0x95, 0x61, 0x91, 0x6f, 0xf9, 0x20, 0x15, 0x2b, 0x1f, 0xde, 0xac, 0x13,
		0xe7, 0xb5, 0x3b, 0x3e, 0xc6, 0x17, 0x74, 0x36, 0x80, 0x73, 0xac, 0x3e, 0xac,
		0xb1, 0x47, 0x53, 0x63, 0xed, 0x63, 0x43, 0x6e, 0xe7, 0x60, 0x1a, 0x05},
	/* some.signed.example, A 192.0.2.1 192.0.2.50 */
	[SOME] = {
		0x4c, 0x5c, 0xd8, 0x7d, 0xa1, 0x62, 0x93, 0x65, 0xc9, 0x78, 0xdd, 0xd2, 0x03,
		0x96, 0x42, 0xc8, 0x32, 0xde, 0x17, 0x92, 0x7f, 0xf6, 0x72, 0x13, 0x0d, 0xb9,
		0x48, 0x36, 0x2c, 0x82, 0x90, 0x08, 0x90, 0x09, 0xee, 0x70, 0x11, 0xdc, 0x1f,
		0x21, 0x54, 0x98, 0xec, 0xa8, 0x16, 0x5a, 0x80, 0x31, 0xe9, 0xf9, 0x3e, 0xa4,
		0x8a, 0x61, 0x07, 0xf1, 0xe8, 0x12, 0x52, 0x07, 0xad, 0x76, 0x50, 0x0e},
	/* gone.signed.example, A 192.0.2.50 */
	[GONE] = {
		0x82, 0xca, 0x62, 0xab, 0x34, 0x44, 0x4e, 0x5f, 0x1a, 0x3a, 0xfe, 0x54, 0x79,
		0x3a, 0x56, 0x54, 0xec, 0x97, 0x14, 0x2c, 0xfb, 0x31, 0x03, 0x1f, 0xe8, 0x10,
		0xec, 0x4c, 0xad, 0x0a, 0x57, 0x6c, 0xa1, 0xc7, 0xbc, 0xd3, 0x27, 0xcc, 0xa4,
		0xa6, 0x66, 0x4b, 0x36, 0x07, 0x3c, 0x3a, 0xa0, 0x2e, 0xc1, 0x99, 0x2f, 0x11,
		0x08, 0xaf, 0xe2, 0x75, 0x57, 0xdb, 0x43, 0xd4, 0x11, 0xed, 0x1c, 0x0f},
};

/* RFC 4034 3.1 */
struct rrsig {
	uint8_t rdata[128];
	size_t len;
};

static struct rrsig make_rrsig(uint16_t type, uint8_t labels, const uint8_t signature[64])
{
	struct rrsig out;
	struct writer w = writer_init(out.rdata, sizeof(out.rdata));

	writer_u16(&w, type);
	writer_u8(&w, 15);
	writer_u8(&w, labels);
	writer_u32(&w, 300);
	writer_u32(&w, 0x7e000000);
	writer_u32(&w, 0x5e000000);
	writer_u16(&w, KEY_TAG);
	put_name(&w, "signed.example");
	writer_bytes(&w, signature, 64);
	out.len = w.len;
	return out;
}

static struct rrsig sigs[SETS];
static uint8_t dnskey[36] = {1, 1, 3, 15};

static struct served names[] = {
	{.name = "signed.example", .raw = dnskey, .raw_len = sizeof(dnskey), .raw_type = TYPE_DNSKEY},
	{.name = "good.signed.example", .addrs = "192.0.2.1"},
	{.name = "some.signed.example", .addrs = "192.0.2.1 192.0.2.50"},
	{.name = "gone.signed.example", .addrs = "192.0.2.50"},
	{.name = "forged.signed.example", .addrs = "192.0.2.1"},
	{.name = "unsigned.example", .addrs = "192.0.2.1"},
	{0},
};

static void sign_all(void)
{
	memcpy(dnskey + 4, public_key, sizeof(public_key));
	sigs[KEY] = make_rrsig(TYPE_DNSKEY, 2, signatures[KEY]);
	for (int set = GOOD; set < SETS; set++)
		sigs[set] = make_rrsig(1, 3, signatures[set]);
	for (int set = 0; set < SETS; set++) {
		names[set].rrsig = sigs[set].rdata;
		names[set].rrsig_len = sigs[set].len;
	}
	/* Another name's signature. */
	names[SETS].rrsig = sigs[GOOD].rdata;
	names[SETS].rrsig_len = sigs[GOOD].len;
}

/* --- the gate: 192.0.2.50 has failed, all else stands for a while --------------------------- */

static void want(void *arg, uint64_t query, const char *qname, const struct addr *addr,
	resolver_decided decided, void *decided_arg, struct resolver_decision *out, uint64_t *handle)
{
	bool failed = addr->bytes[3] == 50;

	(void)arg, (void)query, (void)qname, (void)decided, (void)decided_arg, (void)handle;
	*out = (struct resolver_decision){.verdict = failed ? RESOLVER_WITHHELD : RESOLVER_TUNNELLED,
		.max_ttl_s = CAP_S,
		.group = "private",
		.cause = "no answer"};
}

static const struct resolver_gate gate = {.want = want};

static void stage(void *arg, uint64_t query, const char *qname, const struct resolver_event *event)
{
	(void)arg, (void)query, (void)qname, (void)event;
}

static const struct resolver_observer observer = {.stage = stage};

/* --- tests -------------------------------------------------------------------------------------- */

/* `flags` beside RD: 0x20 asks for AD, 0x10 sets CD. */
static struct reply ask_with(const char *name, uint16_t flags, int edns)
{
	int fd = connect_to("127.0.0.1", SOCK_DGRAM);
	struct reply reply;

	packet_begin(&p, 7, 0x0100 | flags, name, 1);
	if (edns != PLAIN)
		packet_opt(&p, 1232, edns == DO);
	send_to(fd);
	reply = receive(fd, 5000);
	close(fd);
	return reply;
}

static bool has_ad(const struct reply *reply)
{
	return reply->flags & FLAG_AD;
}

static void test_valid(void)
{
	struct reply reply = ask_with("good.signed.example", 0, DO);
	const struct record *record = reply_record(&reply, ANSWER, 1, 0);

	ok(reply.good && reply_rcode(&reply) == 0 && has_ad(&reply), "DO: valid, so AD");
	ok(reply_record(&reply, ANSWER, 46, 0), "with its signature");
	ok(record && record->ttl <= CAP_S, "a TTL may be lower than the signed one (A7)");
	reply = ask_with("good.signed.example", 0, PLAIN);
	ok(reply.counts[ANSWER] == 1 && !has_ad(&reply), "without DO: neither signature nor AD");
	reply = ask_with("good.signed.example", FLAG_AD, PLAIN);
	ok(reply.counts[ANSWER] == 1 && has_ad(&reply), "who sets AD gets it (RFC 6840 5.7)");
	reply = ask_with("unsigned.example", FLAG_AD, DO);
	ok(reply.counts[ANSWER] == 1 && !has_ad(&reply), "nobody has signed this");
}

static void test_filtered(void)
{
	struct reply reply = ask_with("some.signed.example", FLAG_AD, EDNS);

	ok(reply.counts[ANSWER] == 1 && !has_ad(&reply), "an answer that we changed loses AD");
	reply = ask_with("some.signed.example", 0, DO);
	ok(reply.counts[ANSWER] == 3 && has_ad(&reply), "to DO the set goes out whole, and is valid");
	is_str(reply_addr(&reply, 0), "192.0.2.1", "what can be used comes first");
	reply = ask_with("gone.signed.example", 0, DO);
	ok(reply_rcode(&reply) == 2 && reply.error == 0 && !has_ad(&reply), "or as SERVFAIL");
}

static void test_bogus(void)
{
	struct reply reply = ask_with("forged.signed.example", 0, EDNS);

	ok(reply_rcode(&reply) == 2 && reply.count == 0, "a forged answer is SERVFAIL");
	ok(reply.has_error && reply.error == 6, "DNSSEC Bogus (RFC 8914): %s", reply.text);
	reply = ask_with("forged.signed.example", 0x10, DO);
	ok(reply_rcode(&reply) == 0 && reply.counts[ANSWER] == 2 && !has_ad(&reply),
		"who sets CD gets it, to check it");
	reply = ask_with("gone.signed.example", 0x10, DO);
	is_int(reply_rcode(&reply), 2, "but no address that has failed");
}

int main(void)
{
	char anchor[] = "/tmp/resolver_signed.XXXXXX", *why = NULL;
	struct server server;
	struct endpoint listen_on;
	struct resolver_config config = {.listen = &listen_on,
		.listen_count = 1,
		.forward = &server.endpoint,
		.forward_count = 1,
		.trust_anchor_file = anchor,
		.hold_ms = 400,
		.hold_grace_ms = 60,
		.max_held = 10};
	struct resolver *resolver;
	int fd = mkstemp(anchor);

	sign_all();
	if (write(fd, ANCHOR, strlen(ANCHOR)) < 0 || !server_start(&server, names))
		return 1;
	close(fd);
	port = free_port();
	endpoint_parse("127.0.0.1", port, &listen_on);
	loop = loop_new();
	resolver = resolver_new(loop, &gate, NULL, &observer, NULL);
	is_int(resolver_configure(resolver, &config, &why), 0, "configured with a trust anchor");
	test_valid();
	test_filtered();
	test_bogus();
	resolver_free(resolver);
	server_stop(&server);
	loop_free(loop);
	unlink(anchor);
	return tap_done();
}
