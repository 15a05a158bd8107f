/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traffic selectors (RFC 7296 2.9): what one end asks for and the other grants,
 * by their own policies, and by TS payloads that are put in on the way, under
 * the keys of the SA: an honest peer's, and one's that means no good.
 */
#include "ike/sa.h"
#include "ike/sk.h"
#include "lib/mem.h"
#include "t/sim/world.h"
#include "t/tap.h"

#include <stdlib.h>

#define A (&world.hosts[0])
#define B (&world.hosts[1])
#define LIST_MAX 18

static struct world world;

/* Selectors as text: "10.9.0.1-10.9.0.2 6 443-443"; protocol and ports may be left out. */
struct side {
	struct ike_ts list[LIST_MAX];
	size_t count;
};

static struct ike_ts parse(const char *text)
{
	struct ike_ts ts = {.port_end = UINT16_MAX};
	char start[64], end[64];
	unsigned proto = 0, first = 0, last = UINT16_MAX;

	if (sscanf(text, "%63[^-]-%63s %u %u-%u", start, end, &proto, &first, &last) < 2 ||
		!addr_parse(start, &ts.start) || !addr_parse(end, &ts.end))
		abort();
	ts.proto = (uint8_t)proto;
	ts.port_start = (uint16_t)first;
	ts.port_end = (uint16_t)last;
	return ts;
}

/* Separated by commas; "" is none. */
static struct side side_of(const char *text)
{
	struct side side = {.count = 0};
	char copy[512], *next = copy, *word;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strsep(&next, ",")) && *word)
		side.list[side.count++] = parse(word);
	return side;
}

/* Puts other TS payloads into the messages of one host: its requests or its answers of one exchange. */
static struct {
	size_t from;
	uint8_t exchange;
	struct side tsi, tsr;
	uint64_t iv;
	struct ike_message inner; /* of the other host's latest message of that exchange, in `plain` */
	uint8_t plain[IKE_MESSAGE_MAX];
} meddler;

static void seal_again(struct packet *packet, const struct ike_sa *sa, const struct ike_message *inner)
{
	uint8_t room[IKE_MESSAGE_MAX], out[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(room, sizeof(room));
	struct ike_header header = inner->header;
	size_t len;

	for (size_t i = 0; i < inner->count; i++) {
		const struct ike_payload *payload = &inner->payloads[i];

		if (payload->type == IKE_PAYLOAD_TSi)
			ike_ts_build(&chain, payload->type, meddler.tsi.list, meddler.tsi.count);
		else if (payload->type == IKE_PAYLOAD_TSr)
			ike_ts_build(&chain, payload->type, meddler.tsr.list, meddler.tsr.count);
		else
			ike_build_payload(&chain, payload->type, payload->data, payload->len);
	}
	len = ike_build_finish(&chain);
	len = ike_sk_seal(sa->keys, &header, (UINT64_C(1) << 40) + ++meddler.iv, chain.first, NULL, room,
		len, out, sizeof(out));
	free(packet->data);
	packet->data = mem_dup(out, len);
	packet->len = len;
}

static bool meddle(struct world *w, struct packet *packet)
{
	const struct ike_sa *sa = w->hosts[packet->from].ike->by_id;
	uint8_t plain[IKE_MESSAGE_MAX];
	struct ike_message outer, inner;

	if (!sa || !sa->keys || packet->exchange != meddler.exchange ||
		!ike_message_parse(packet->data, packet->len, &outer))
		return true;
	if (packet->from != meddler.from)
		ike_sk_open(sa->keys, packet->data, packet->len, &outer, meddler.plain, &meddler.inner);
	else if (ike_sk_open(sa->keys, packet->data, packet->len, &outer, plain, &inner) == IKE_SK_OPENED)
		seal_again(packet, sa, &inner);
	return true;
}

static void begin(uint64_t seed, enum ike_auth auth)
{
	world_init(&world, seed, auth);
	world.filter = NULL;
	meddler.from = SIZE_MAX;
	meddler.exchange = IKE_EXCHANGE_IKE_AUTH;
}

static void put_in(size_t from, const char *tsi, const char *tsr)
{
	world.filter = meddle;
	meddler.from = from;
	meddler.tsi = side_of(tsi);
	meddler.tsr = side_of(tsr);
}

static void initiate(const struct traffic *asked)
{
	struct path path = world_path(&world, 0);
	struct selector selector = world_selector(&world, 0);

	selector.proto = asked->proto;
	selector.local_port = asked->local_port;
	selector.local_mask = asked->local_mask;
	selector.remote_port = asked->remote_port;
	selector.remote_mask = asked->remote_mask;
	ike_initiate(A->ike, 0, &path, &selector, 7, world.now_us);
	world_run_for(&world, 500 * WORLD_MS);
}

/* "tcp 0 443, udp 0 53" of a host's first pair; "-" when it has none. */
static const char *kinds_of(const struct world_host *host)
{
	static char text[2][TRAFFIC_MAX * TRAFFIC_TEXT];
	static unsigned turn;
	char *out = text[++turn % 2], one[TRAFFIC_TEXT];
	struct traffic kinds[TRAFFIC_MAX];
	size_t count, len = 0;

	if (!host->child_count || !host->children[0].up)
		return "-";
	count = sa_pair_traffic(&host->children[0].child.pair, kinds);
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(out + len, TRAFFIC_MAX * TRAFFIC_TEXT - len, "%s%s",
			i ? ", " : "", traffic_format(&kinds[i], one));
	return out;
}

static bool hosts_are_right(void)
{
	const struct selector *a = &A->children[0].child.pair.selector;
	const struct selector *b = &B->children[0].child.pair.selector;
	struct prefix first = prefix_of_host(&A->addr), second = prefix_of_host(&B->addr);

	return prefix_equal(&a->local, &first) && prefix_equal(&a->remote, &second) &&
	       prefix_equal(&b->local, &second) && prefix_equal(&b->remote, &first);
}

static const struct traffic all = {0}, tcp = {.proto = 6}, https = {.proto = 6, .remote_port = 443};

#define ONE "10.9.0.1-10.9.0.1"
#define TWO "10.9.0.2-10.9.0.2"

/* --- initiator ------------------------------------------------------------------------------- */

static void test_granted(void)
{
	static const struct {
		const struct traffic *asked;
		const char *tsi, *tsr, *kinds;
	} cases[] = {
		{&all, ONE, TWO " 6 443-443", "tcp 0 443"},
		{&all, ONE " 6", TWO " 6 443-443," TWO " 6 80-80", "tcp 0 443, tcp 0 80"},
		{&all, ONE, TWO " 6 443-443," TWO " 17 53-53", "tcp 0 443, udp 0 53"},
		{&all, ONE " 6," ONE " 17", TWO " 6 443-443," TWO " 17 53-53", "tcp 0 443, udp 0 53"},
		{&all, ONE " 6 1024-65535", TWO " 6 22-22",
			"tcp 1024-2047 22, tcp 2048-4095 22, tcp 4096-8191 22, tcp 8192-16383 22, "
			"tcp 16384-32767 22, tcp 32768-65535 22"},
		{&all, ONE, TWO " 6 1024-2047", "tcp 0 1024-2047"},
		{&all, ONE, TWO " 6 0-1023", "tcp 0 0-1023"},
		{&all, ONE, TWO " 6 440-443," TWO " 6 443-443", "tcp 0 440-443"},
		{&all, ONE " 47", TWO " 47", "47 0 0"},
		{&all, ONE " 1 2048-2303", TWO " 1 0-255", "icmp 2048-2303 0-255"},
		{&all, ONE " 1 2048-2048", TWO " 1 0-0", "icmp 2048 0"},
		{&tcp, ONE " 6", TWO " 6 443-443", "tcp 0 443"},
		{&https, ONE " 6 5000-5000", TWO " 6 443-443", "tcp 5000 443"},
		{&https, ONE " 6", TWO " 6 443-443", "tcp 0 443"},
		{&all, ONE "," ONE " 6 1-1", TWO, "all"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(100 + i, IKE_AUTH_NULL);
		put_in(1, cases[i].tsi, cases[i].tsr);
		initiate(cases[i].asked);
		ok(strcmp(kinds_of(A), cases[i].kinds) == 0 && hosts_are_right(), "granted %s: %s",
			cases[i].tsr, kinds_of(A));
		world_clear(&world);
	}
}

/* Never more than was asked for, and nothing that cannot be told apart. */
static void test_refused_answers(void)
{
	static const struct {
		const struct traffic *asked;
		const char *tsi, *tsr, *what;
		enum ike_reason reason;
	} cases[] = {
		{&all, ONE, "10.9.0.0-10.9.0.255", "a net for the peer", IKE_REASON_TS_UNACCEPTABLE},
		{&all, ONE, "10.9.0.0-10.9.0.2", "a range that ends with the peer", IKE_REASON_TS_UNACCEPTABLE},
		{&all, "10.9.0.1-10.9.0.9", TWO, "a range that begins with us", IKE_REASON_TS_UNACCEPTABLE},
		{&all, "0.0.0.0-255.255.255.255", TWO, "all the world for us", IKE_REASON_TS_UNACCEPTABLE},
		{&all, ONE, "10.9.0.3-10.9.0.3", "another host", IKE_REASON_TS_UNACCEPTABLE},
		{&all, ONE, TWO ",8.8.8.8-8.8.8.8", "another host beside", IKE_REASON_TS_UNACCEPTABLE},
		{&all, "::1-::1", "::2-::2", "another family", IKE_REASON_TS_UNACCEPTABLE},
		{&all, ONE, TWO ",::2-::2", "another family beside", IKE_REASON_TS_UNACCEPTABLE},
		{&all, ONE " 6", TWO " 17", "two protocols that never meet", IKE_REASON_TS_UNACCEPTABLE},
		{&tcp, ONE, TWO, "every protocol for one", IKE_REASON_TS_UNACCEPTABLE},
		{&tcp, ONE " 17", TWO " 17", "another protocol", IKE_REASON_TS_UNACCEPTABLE},
		{&https, ONE " 6", TWO " 6", "every port for one", IKE_REASON_TS_UNACCEPTABLE},
		{&https, ONE " 6", TWO " 6 442-443", "one port more", IKE_REASON_TS_UNACCEPTABLE},
		{&https, ONE " 6", TWO " 6 443-443," TWO " 6 80-80", "another port beside",
			IKE_REASON_TS_UNACCEPTABLE},
		{&all, ONE " 6", TWO " 6 65535-0", "packets without ports alone", IKE_REASON_TS_UNACCEPTABLE},
		{&all, ONE, TWO " 0 80-80", "a port of no protocol", IKE_REASON_TS_UNACCEPTABLE},
		{&all, ONE " 6 1-65534", TWO " 6 1-65534", "ranges of too many blocks",
			IKE_REASON_TS_UNACCEPTABLE},
		{&all, ONE, TWO " 6 1-1," TWO " 6 3-3," TWO " 6 5-5," TWO " 6 7-7," TWO " 6 9-9," TWO
			   " 6 11-11," TWO " 6 13-13," TWO " 6 15-15," TWO " 6 17-17", "too many kinds",
			IKE_REASON_TS_UNACCEPTABLE},
		{&all, "", TWO, "no selector of ours", IKE_REASON_INVALID_SYNTAX},
		{&all, ONE, "", "no selector of theirs", IKE_REASON_INVALID_SYNTAX},
		{&all, ONE, "10.9.0.2-10.9.0.1", "an end before its start", IKE_REASON_INVALID_SYNTAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(200 + i, IKE_AUTH_NULL);
		put_in(1, cases[i].tsi, cases[i].tsr);
		initiate(cases[i].asked);
		ok(A->faileds == 1 && A->failed_reason == cases[i].reason && A->ups == 0 &&
				A->child_count == 0,
			"refused: %s", cases[i].what);
		ok(B->child_count == 0 && B->down_reason == IKE_REASON_PEER_DELETED,
			"and the peer is told");
		world_clear(&world);
	}
}

/* --- responder --------------------------------------------------------------------------------- */

static void test_grants(void)
{
	static const struct {
		struct traffic allows;
		const char *tsi, *tsr, *kinds; /* as host 1 sees it */
	} cases[] = {
		{{0}, "0.0.0.0-255.255.255.255", "10.9.0.0-10.9.0.255", "all"},
		{{.proto = 6, .local_port = 443}, ONE, TWO, "tcp 443 0"},
		{{.proto = 6, .local_port = 443}, "10.9.0.0-10.9.0.255", TWO " 6", "tcp 443 0"},
		{{0}, ONE " 6 5000-5000," ONE, TWO " 6 443-443," TWO, "all"},
		{{.proto = 6, .local_port = 443}, ONE " 6 5000-5000," ONE " 6", TWO " 6 443-443," TWO " 6",
			"tcp 443 0"},
		{{0}, "10.9.0.9-10.9.0.9," ONE " 6", TWO, "tcp 0 0"},
		{{0}, "::1-::1," ONE " 6", "::2-::2," TWO, "tcp 0 0"},
		{{0}, ONE " 6", TWO " 6 443-447", "tcp 443 0, tcp 444-447 0"},
		{{.proto = 6, .local_port = 1024, .local_mask = 0xfc00}, ONE, TWO " 6 1-1535",
			"tcp 1024-1535 0"},
		{{0}, ONE " 6 1-65534", TWO " 6 1-65534", "tcp 16384-32767 16384-32767"},
		{{0}, ONE " 58 32768-33023", TWO " 58 33024-33279", "ipv6-icmp 33024-33279 32768-33023"},
		{{.proto = 1}, ONE, TWO " 1 2048-2303", "icmp 2048-2303 0"},
		{{.proto = 17}, ONE " 6", TWO " 6", "-"},
		{{.proto = 6, .local_port = 443}, ONE " 6", TWO " 6 80-80", "-"},
		{{0}, "10.9.0.3-10.9.0.255", TWO, "-"},
		{{0}, ONE, "10.9.0.3-10.9.0.3", "-"},
		{{0}, "::1-::1", "::2-::2", "-"},
		{{0}, ONE " 6", TWO " 17", "-"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(300 + i, IKE_AUTH_NULL);
		B->allows = cases[i].allows;
		put_in(0, cases[i].tsi, cases[i].tsr);
		initiate(&all);
		if (strcmp(cases[i].kinds, "-") == 0)
			ok(B->child_count == 0 && A->failed_reason == IKE_REASON_TS_UNACCEPTABLE,
				"of %s | %s nothing: TS_UNACCEPTABLE", cases[i].tsi, cases[i].tsr);
		else
			ok(strcmp(kinds_of(B), cases[i].kinds) == 0 && hosts_are_right(),
				"of %s | %s: %s", cases[i].tsi, cases[i].tsr, kinds_of(B));
		world_clear(&world);
	}
}

/* Both by their own policies: what one has the other has, seen from there. */
static void test_both(void)
{
	begin(400, IKE_AUTH_PSK);
	B->allows = (struct traffic){.proto = 6, .local_port = 443};
	initiate(&all);
	ok(world_agrees(&world), "narrowed by the responder: both have the same");
	is_str(kinds_of(A), "tcp 0 443", "the initiator's view");
	is_str(kinds_of(B), "tcp 443 0", "the responder's view");
	world_clear(&world);
}

/* 2.23.1: across a NAT the addresses of a range cannot be put right. */
static void test_single_pair(void)
{
	struct ike_notify notify;

	begin(410, IKE_AUTH_PSK);
	A->conns[0].encapsulation = IKE_ENCAPSULATION_YES;
	world_reload(&world, 0);
	put_in(0, "10.9.0.0-10.9.0.255", TWO);
	initiate(&all);
	ok(B->child_count == 0 && A->failed_reason == IKE_REASON_TS_UNACCEPTABLE &&
			ike_notify_find(&meddler.inner, IKE_NOTIFY_SINGLE_PAIR_REQUIRED, &notify),
		"a range across a NAT: SINGLE_PAIR_REQUIRED");
	world_clear(&world);
}

/* --- rekey ----------------------------------------------------------------------------------------- */

static void begin_rekeying(uint64_t seed, uint32_t a_s, uint32_t b_s)
{
	begin(seed, IKE_AUTH_PSK);
	A->conns[0].child_lifetime_s = a_s;
	B->conns[0].child_lifetime_s = b_s;
	A->conns[0].rekey_margin_s = B->conns[0].rekey_margin_s = 2;
	world_reload(&world, 0);
	world_reload(&world, 1);
}

static bool have_both(void)
{
	return strcmp(kinds_of(A), "tcp 0 443, udp 0 53") == 0 &&
	       strcmp(kinds_of(B), "tcp 443 0, udp 53 0") == 0;
}

static void test_rekey(void)
{
	static const uint32_t lives[][2] = {{10, 1000}, {1000, 10}, {10, 10}};

	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		uint32_t spi;

		begin_rekeying(500 + i, lives[i][0], lives[i][1]);
		put_in(0, ONE, TWO " 6 443-443," TWO " 17 53-53");
		initiate(&all);
		ok(have_both(), "two kinds stand");
		spi = A->children[0].child.pair.in.spi;
		world_run_for(&world, 35 * 1000 * WORLD_MS);
		ok(have_both() && A->children[0].child.pair.in.spi != spi && A->faileds == 0,
			"and still after rekeys by %s", i == 0 ? "the initiator" : i == 1 ? "the responder" : "both");
		world_clear(&world);
	}
}

static void test_rekey_changed(void)
{
	static const char *const answers[][2] = {{"more", TWO}, {"less", TWO " 6 443-443"},
		{"others", TWO " 6 443-443," TWO " 17 54-54"}};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		begin_rekeying(510 + i, 10, 1000);
		put_in(0, ONE, TWO " 6 443-443," TWO " 17 53-53");
		initiate(&all);
		meddler.exchange = IKE_EXCHANGE_CREATE_CHILD_SA;
		put_in(1, ONE, answers[i][1]);
		world_run_for(&world, 9 * 1000 * WORLD_MS);
		ok(have_both() && A->ups == 1 && world_sent(&world, 0, IKE_EXCHANGE_CREATE_CHILD_SA, false) > 0,
			"a rekey's answer with %s is not taken", answers[i][0]);
		world_clear(&world);

		begin_rekeying(520 + i, 10, 1000);
		put_in(0, ONE, TWO " 6 443-443," TWO " 17 53-53");
		initiate(&all);
		meddler.exchange = IKE_EXCHANGE_CREATE_CHILD_SA;
		put_in(0, ONE, answers[i][1]);
		world_run_for(&world, 9 * 1000 * WORLD_MS);
		ok(have_both() && world_sent(&world, 0, IKE_EXCHANGE_CREATE_CHILD_SA, false) > 0,
			"a rekey's request with %s changes nothing", answers[i][0]);
		is_int(B->ups, i == 0 ? 2 : 1, i == 0 ? "what it had is granted" : "and is refused");
		world_clear(&world);
	}
}

/* --- at random ---------------------------------------------------------------------------------- */

/* A packet between the two hosts, as host 1 sends or receives it. */
static bool ts_holds(const struct ike_ts *ts, const struct addr *host, uint8_t proto, uint16_t port)
{
	return ts->start.family == host->family && addr_compare(&ts->start, host) <= 0 &&
	       addr_compare(host, &ts->end) <= 0 && (ts->proto == 0 || ts->proto == proto) &&
	       ts->port_start <= port && port <= ts->port_end;
}

static bool selectors_hold(const struct ike_selectors *selectors, const struct traffic *packet)
{
	bool local = false, remote = false;

	for (size_t i = 0; i < selectors->local_count; i++)
		local = local || ts_holds(&selectors->local[i], &B->addr, packet->proto, packet->local_port);
	for (size_t i = 0; i < selectors->remote_count; i++)
		remote = remote ||
			 ts_holds(&selectors->remote[i], &A->addr, packet->proto, packet->remote_port);
	return local && remote;
}

static bool kinds_hold(const struct sa_pair *pair, const struct traffic *packet)
{
	struct traffic kinds[TRAFFIC_MAX], exact = *packet;
	size_t count = sa_pair_traffic(pair, kinds);

	exact.local_mask = exact.remote_mask = UINT16_MAX;
	for (size_t i = 0; i < count; i++) {
		if (traffic_within(&exact, &kinds[i]))
			return true;
	}
	return false;
}

/* Few protocols and few ports, so that things meet; an end before its start now and then. */
static struct ike_ts random_ts(const struct addr *host)
{
	uint8_t proto = world_random(&world) % 3 ? 6 : world_random(&world) % 2 ? 17 : 0;
	bool any = proto == 0 || world_random(&world) % 3 == 0;
	uint16_t start = (uint16_t)(world_random(&world) % 40);

	return (struct ike_ts){.proto = proto,
		.start = *host,
		.end = *host,
		.port_start = any ? 0 : start,
		.port_end = any ? UINT16_MAX : (uint16_t)(start + world_random(&world) % 20 - 1)};
}

static struct traffic random_kind(void)
{
	static const uint16_t masks[] = {0, 0xffff, 0xfffe, 0xfff8, 0xffe0};
	uint16_t local = masks[world_random(&world) % 5], remote = masks[world_random(&world) % 5];
	struct traffic kind = {.proto = world_random(&world) % 3 ? 6 : 0};

	if (kind.proto) {
		kind.local_port = (uint16_t)(world_random(&world) % 40 & local);
		kind.local_mask = local;
		kind.remote_port = (uint16_t)(world_random(&world) % 40 & remote);
		kind.remote_mask = remote;
	}
	return kind;
}

static bool take_ts(const uint8_t **at, struct ike_ts out[IKE_TS_MAX], size_t *count)
{
	size_t len = (size_t)((*at)[2] << 8 | (*at)[3]);
	struct ike_payload payload = {.data = *at + 4, .len = len - 4};

	*at += len;
	return ike_ts_parse(&payload, out, count);
}

/* What goes on the wire means what is granted: no more (the pairs of all TSi with all TSr), no less. */
static bool read_back(const struct ike_scope *scope, struct ike_selectors *out)
{
	uint8_t room[1024];
	const uint8_t *at = room;
	struct ike_builder chain = ike_build_chain(room, sizeof(room));

	ike_build_selectors(&chain, scope, false);
	ike_build_finish(&chain);
	return take_ts(&at, out->remote, &out->remote_count) && take_ts(&at, out->local, &out->local_count);
}

/* How many packets of some thousand are judged wrongly. */
static unsigned judge_packets(const struct ike_selectors *asked, const struct selector *allowed,
	const struct ike_scope *scope, const struct ike_selectors *wire)
{
	struct traffic may = selector_traffic(allowed);
	struct sa_pair pair = {.mode = IPSEC_TUNNEL};
	unsigned wrong = 0;

	ike_scope_put(scope, &pair);
	for (unsigned n = 0; n < 500; n++) {
		struct traffic packet = {.proto = n % 2 ? 6 : 17,
			.local_port = (uint16_t)(world_random(&world) % 64),
			.remote_port = (uint16_t)(world_random(&world) % 64)};
		struct traffic exact = packet;
		bool both, granted = kinds_hold(&pair, &packet);

		exact.local_mask = exact.remote_mask = UINT16_MAX;
		both = selectors_hold(asked, &packet) && traffic_within(&exact, &may);
		/* One kind alone may be all that could be expressed. */
		wrong += (granted && !both) || (both && !granted && pair.more_count) ||
			 granted != selectors_hold(wire, &packet);
	}
	return wrong;
}

static void test_at_random(void)
{
	unsigned wrong = 0, granted = 0, several = 0;

	begin(600, IKE_AUTH_NULL);
	for (unsigned n = 0; n < 3000; n++) {
		struct selector allowed = world_selector(&world, 1);
		struct traffic kind = random_kind();
		struct ike_selectors asked, wire;
		struct ike_scope scope;
		struct sa_pair pair = {.mode = IPSEC_TUNNEL};

		asked.local_count = 1 + world_random(&world) % 3;
		asked.remote_count = 1 + world_random(&world) % 3;
		for (size_t i = 0; i < 3; i++) {
			asked.local[i] = random_ts(&B->addr);
			asked.remote[i] = random_ts(&A->addr);
		}
		allowed.proto = kind.proto;
		allowed.local_port = kind.local_port;
		allowed.local_mask = kind.local_mask;
		allowed.remote_port = kind.remote_port;
		allowed.remote_mask = kind.remote_mask;
		if (!ike_narrow(&asked, &allowed, &scope))
			continue;
		granted++;
		several += scope.more_count > 0;
		ike_scope_put(&scope, &pair);
		wrong += !read_back(&scope, &wire) || judge_packets(&asked, &allowed, &scope, &wire) > 0 ||
			 !ike_still_asks(&asked, &pair) || !ike_still_grants(&wire, &pair);
	}
	ok(granted > 1000 && several > 300, "3000 proposals at random, %u granted, %u as several kinds", granted,
		several);
	is_int(wrong, 0, "each for what is asked and allowed, and so on the wire");
	world_clear(&world);
}

int main(void)
{
	test_at_random();
	test_granted();
	test_refused_answers();
	test_grants();
	test_both();
	test_single_pair();
	test_rekey();
	test_rekey_changed();
	return tap_done();
}
