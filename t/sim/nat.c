/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A translator between two engines (RFC 7296 2.23, rule N9): in front of the
 * initiator (host 0), of the responder (host 1), or of both. It gives each
 * inner port an outer one, and other ones when it has lost its table.
 */
#include "ike/const.h"
#include "ike/nat.h"
#include "ike/sa.h"
#include "t/sim/world.h"
#include "t/tap.h"

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

#define SECOND (1000 * WORLD_MS)

/* Outer ports of host 0 are inner + `shift`; addresses without a family are not translated. */
static struct {
	struct addr a, b; /* outer */
	uint16_t shift;
} translator;

static const char *const places[] = {"initiator", "responder", "both"};

/* What leaves host 0 gets its outer source and host 1's inner destination; the answers the reverse. */
static bool translate(struct world *w, struct packet *packet)
{
	struct path *path = &packet->path;

	(void)w;
	if (packet->from == 0) {
		if (translator.a.family) {
			path->local.addr = translator.a;
			path->local.port = (uint16_t)(path->local.port + translator.shift);
		}
		path->remote.addr = B->addr;
		return true;
	}
	if (translator.b.family)
		path->local.addr = translator.b;
	if (!translator.a.family)
		return true;
	path->remote.addr = A->addr;
	/* An old mapping leads nowhere. */
	if (path->remote.port != 500 + translator.shift && path->remote.port != 4500 + translator.shift)
		return false;
	path->remote.port = (uint16_t)(path->remote.port - translator.shift);
	return true;
}

static void begin(uint64_t seed, enum ike_auth auth, const char *place)
{
	bool a = strcmp(place, "responder") != 0, b = strcmp(place, "initiator") != 0;

	world_init(&world, seed, auth);
	world.filter = translate;
	translator.shift = 20000;
	translator.a = translator.b = (struct addr){0};
	if (a)
		addr_parse("203.0.113.1", &translator.a);
	if (b)
		addr_parse("198.51.100.2", &translator.b);
}

static struct addr address_of_b(void)
{
	return translator.b.family ? translator.b : B->addr;
}

static void initiate(void)
{
	struct addr there = address_of_b();
	struct path path = {.local = {.addr = A->addr, .port = 500},
		.remote = {.addr = there, .port = 500}};
	struct selector selector = {
		.local = prefix_of_host(&A->addr), .remote = prefix_of_host(&there)};

	ike_initiate(A->ike, 0, &path, &selector, 7, world.now_us);
}

/* The same keys both ways; each end has the addresses and ports that it sees. */
static bool fits(const struct sa_pair *a, const struct sa_pair *b)
{
	struct addr here = translator.a.family ? translator.a : A->addr, there = address_of_b();
	uint16_t port = translator.a.family ? (uint16_t)(4500 + translator.shift) : 4500;

	return a->mode == IPSEC_TRANSPORT && b->mode == IPSEC_TRANSPORT && a->in.spi == b->out.spi &&
	       a->out.spi == b->in.spi &&
	       memcmp(a->in.encr_key, b->out.encr_key, sizeof(a->in.encr_key)) == 0 &&
	       memcmp(a->out.encr_key, b->in.encr_key, sizeof(a->in.encr_key)) == 0 &&
	       addr_equal(&a->selector.local.addr, &A->addr) &&
	       addr_equal(&a->selector.remote.addr, &there) && addr_equal(&a->out.dst, &there) &&
	       addr_equal(&b->selector.local.addr, &B->addr) &&
	       addr_equal(&b->selector.remote.addr, &here) && addr_equal(&b->out.dst, &here) &&
	       a->encap_local_port == 4500 && a->encap_remote_port == 4500 &&
	       b->encap_local_port == 4500 && b->encap_remote_port == port;
}

static bool have_one_pair(void)
{
	return A->child_count == 1 && B->child_count == 1 && A->children[0].up && B->children[0].up &&
	       fits(&A->children[0].child.pair, &B->children[0].child.pair);
}

static void test_comes_up(void)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		begin(1 + i, IKE_AUTH_PSK, places[i]);
		initiate();
		world_run_for(&world, SECOND);
		ok(A->ups == 1 && B->ups == 1 && have_one_pair(),
			"NAT in front of %s: transport mode in UDP, each end with what it sees", places[i]);
		world_clear(&world);
	}
}

static void test_weather(void)
{
	unsigned bad = 0;

	for (uint64_t seed = 0; seed < 300; seed++) {
		begin(seed, IKE_AUTH_PSK, places[seed % 3]);
		world.loss_percent = 20;
		world.duplicate_percent = 20;
		world.jitter_us = 50 * WORLD_MS;
		initiate();
		world_run_for(&world, 6 * SECOND);
		/* Where four seconds of loss have ended it, nothing is left. */
		bad += A->faileds ? A->child_count != 0 : !have_one_pair();
		world_clear(&world);
	}
	is_int(bad, 0, "300 seeds of loss, duplication and reordering");
}

/* N9: who shows nothing of himself gets nothing. */
static void test_anonymous(void)
{
	begin(10, IKE_AUTH_NULL, "initiator");
	initiate();
	world_run_for(&world, 3 * SECOND);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_TS_UNACCEPTABLE && B->child_count == 0,
		"NULL behind a NAT gets TS_UNACCEPTABLE");
	is_str(A->failed_detail, "a NAT is between", "the initiator says why");
	is_str(B->refused_detail, "the peer is behind a NAT and anonymous", "the responder too");
	world_clear(&world);

	begin(11, IKE_AUTH_NULL, "responder");
	initiate();
	world_run_for(&world, 3 * SECOND);
	ok(A->faileds == 1 && A->failed_reason == IKE_REASON_NAT &&
			world_sent(&world, 0, IKE_EXCHANGE_IKE_AUTH, false) == 0,
		"an anonymous peer behind a NAT is not asked for more");
	world_clear(&world);
}

/* Only our own side is translated: whose address the peer claims is plain to see. */
static void test_anonymous_client(void)
{
	begin(12, IKE_AUTH_PSK, "responder");
	A->conns[0].local_auth = IKE_AUTH_NULL;
	B->conns[0].remote_auth = IKE_AUTH_NULL;
	world_reload(&world, 0);
	world_reload(&world, 1);
	initiate();
	world_run_for(&world, SECOND);
	ok(have_one_pair(), "a NULL client with an address of its own, a server behind a NAT");
	world_clear(&world);
}

/* A peer that insists on tunnel mode would choose its inner address itself. */
static void test_tunnel(void)
{
	begin(13, IKE_AUTH_PSK, "initiator");
	A->conns[0].encapsulation = IKE_ENCAPSULATION_NO;
	world_reload(&world, 0);
	initiate();
	world_run_for(&world, 3 * SECOND);
	ok(A->faileds == 1 && B->child_count == 0 && A->child_count == 0,
		"who does not look for NATs asks for tunnel mode, and is refused");
	world_clear(&world);
}

static void test_rekey(void)
{
	begin(20, IKE_AUTH_PSK, "both");
	for (size_t i = 0; i < 2; i++) {
		struct ike_conn *conn = &world.hosts[i].conns[0];

		conn->child_lifetime_s = i ? 47 : 60;
		conn->ike_lifetime_s = i ? 170 : 110;
		conn->rekey_margin_s = 5;
		world_reload(&world, i);
	}
	initiate();
	world_run_for(&world, 1000 * SECOND);
	ok(A->ups > 10 && B->ups > 10 && A->faileds == 0 && A->downs == A->ups - A->child_count,
		"rekeyed for a thousand seconds by both ends: %u", A->ups);
	/* In the middle of a replacement there may be two. */
	for (int i = 0; i < 20 && A->child_count > 1; i++)
		world_run_for(&world, SECOND);
	ok(have_one_pair(), "and the pair is as the first one was");
	world_clear(&world);
}

/* As far as IKE_SA_INIT. */
static bool translate_beginning(struct world *w, struct packet *packet)
{
	return packet->exchange == IKE_EXCHANGE_IKE_SA_INIT && translate(w, packet);
}

static void test_keepalive(void)
{
	begin(30, IKE_AUTH_PSK, "initiator");
	A->conns[0].dpd_delay_ms = B->conns[0].dpd_delay_ms = 0;
	world_reload(&world, 0);
	world_reload(&world, 1);
	initiate();
	world_run_for(&world, 205 * SECOND);
	is_int(A->keepalives, 10, "who is behind the NAT sends a keepalive every 20 s");
	is_int(B->keepalives, 0, "the other one does not");
	world_clear(&world);

	begin(31, IKE_AUTH_PSK, "initiator");
	A->conns[0].dpd_delay_ms = 5000;
	B->quiet = true;
	world_reload(&world, 0);
	initiate();
	world_run_for(&world, 205 * SECOND);
	is_int(A->keepalives, 0, "none while IKE keeps the mapping alive");
	world_clear(&world);

	begin(32, IKE_AUTH_PSK, "initiator");
	A->conns[0].dpd_delay_ms = B->conns[0].dpd_delay_ms = 0;
	A->conns[0].no_keepalive = true;
	world_reload(&world, 0);
	world_reload(&world, 1);
	initiate();
	world_run_for(&world, 205 * SECOND);
	is_int(A->keepalives, 0, "none when they are not wanted");
	world_clear(&world);

	world_init(&world, 33, IKE_AUTH_PSK);
	world_initiate(&world, 0);
	world_run_for(&world, 205 * SECOND);
	is_int(A->keepalives + B->keepalives, 0, "none without a NAT");
	world_clear(&world);

	/* What IKE_SA_INIT says of a NAT is anybody's word, and nothing is there that a mapping would serve. */
	begin(34, IKE_AUTH_PSK, "initiator");
	A->conns[0].retransmit_timeout_ms = 60000;
	A->config.keepalive_s = 1;
	world_reload(&world, 0);
	world.filter = translate_beginning;
	initiate();
	world_run_for(&world, 50 * SECOND);
	ok(A->keepalives == 0 && A->faileds == 0, "none before the peer is authenticated");
	world_clear(&world);
}

static void test_rebinding(void)
{
	begin(40, IKE_AUTH_PSK, "initiator");
	initiate();
	world_run_for(&world, SECOND);
	B->quiet = true; /* what it sends goes where nobody is any more */
	translator.shift = 30000;
	/* Its next liveness check comes from the new port. */
	world_run_for(&world, 100 * SECOND);
	ok(A->downs == 0 && B->downs == 0 && have_one_pair(), "another port: IKE and the pair follow it");
	translator.shift = 10000;
	ike_remap(B->ike, B->children[0].child.pair.in.spi, 14500, world.now_us);
	ok(have_one_pair(), "the data plane has seen another port: the pair follows at once");
	world_run_for(&world, 100 * SECOND);
	ok(A->downs == 0 && B->downs == 0 && have_one_pair(), "and so does IKE");
	ike_remap(A->ike, A->children[0].child.pair.in.spi, 9, world.now_us);
	ike_remap(B->ike, 12345678, 9, world.now_us);
	ok(have_one_pair(), "who is not behind a NAT is not followed, nor an unknown SPI");
	world_clear(&world);
}

/* The first answer of host 1 is lost, and with it the translator's table. */
static bool forget_with_answer(struct world *w, struct packet *packet)
{
	bool lost = packet->from == 1 && packet->exchange == IKE_EXCHANGE_INFORMATIONAL && w->filter_count++ == 0;

	if (lost)
		translator.shift = 30000;
	return !lost && translate(w, packet);
}

/* 2.11: who asks once more from another port gets the answer there. */
static void test_rebinding_in_exchange(void)
{
	begin(43, IKE_AUTH_PSK, "initiator");
	B->conns[0].dpd_delay_ms = 0;
	world_reload(&world, 1);
	initiate();
	world_run_for(&world, SECOND);
	B->quiet = true;
	world.filter = forget_with_answer;
	world_run_for(&world, 100 * SECOND);
	ok(A->downs == 0 && B->downs == 0 && have_one_pair(), "another port between a request and its copy");
	world_clear(&world);
}

/* A datagram that the peer has not sealed moves nothing. */
static bool from_elsewhere(struct world *w, struct packet *packet)
{
	translate(w, packet);
	if (packet->from == 0 && packet->exchange == IKE_EXCHANGE_INFORMATIONAL && packet->len > 40) {
		packet->path.local.port = 666;
		packet->data[packet->len - 1] ^= 1;
	}
	return true;
}

static void test_forged_rebinding(void)
{
	begin(41, IKE_AUTH_PSK, "initiator");
	initiate();
	world_run_for(&world, SECOND);
	world.filter = from_elsewhere;
	world_run_for(&world, 31 * SECOND);
	ok(B->child_count == 1 &&
			B->children[0].child.pair.encap_remote_port == 4500 + translator.shift,
		"a forged datagram from another port moves nothing");
	world_clear(&world);
}

/* Checks that the peer sends from its port 4500 are made to come to ours of IKE alone. */
static bool to_port_500(struct world *w, struct packet *packet)
{
	translate(w, packet);
	if (packet->from == 0 && packet->exchange == IKE_EXCHANGE_INFORMATIONAL)
		packet->path.remote.port = 500;
	return true;
}

static void test_stays_at_4500(void)
{
	begin(42, IKE_AUTH_PSK, "both");
	B->conns[0].dpd_delay_ms = 0;
	world_reload(&world, 1);
	initiate();
	world_run_for(&world, SECOND);
	world.filter = to_port_500;
	world_run_for(&world, 65 * SECOND);
	ok(A->downs == 0 && B->downs == 0 && B->keepalives > 0 && have_one_pair(),
		"a request that comes to port 500 moves neither us nor the mapping's refreshing");
	world_clear(&world);
}

static void become(struct world_host *host, const char *name)
{
	struct ike_id_spec *id = &host->conns[0].local_id;

	id->kind = IKE_ID_KIND_EXACT;
	id->id.type = IKE_ID_FQDN;
	id->id.len = (uint16_t)strlen(name);
	memcpy(id->id.data, name, id->id.len);
}

/* Host 0 is, one after the other, two hosts behind one NAT. */
static void test_second_client(void)
{
	begin(50, IKE_AUTH_PSK, "initiator");
	become(A, "first.example");
	world_reload(&world, 0);
	initiate();
	world_run_for(&world, SECOND);
	become(A, "second.example");
	world_restart(&world, 0);
	translator.shift = 21000;
	initiate();
	world_run_for(&world, SECOND);
	ok(A->faileds == 1 && A->child_count == 0 && B->child_count == 1, "a second client is refused");
	is_str(B->refused_detail, "another host behind the same NAT has the tunnel", "and told why");
	world_run_for(&world, 6 * SECOND);
	is_int((int)B->child_count, 0, "the first one is asked whether it lives; it does not");
	initiate();
	world_run_for(&world, SECOND);
	ok(have_one_pair(), "then there is room");
	world_clear(&world);
}

static void test_rebooted_client(void)
{
	begin(51, IKE_AUTH_PSK, "initiator");
	initiate();
	world_run_for(&world, SECOND);
	world_restart(&world, 0);
	translator.shift = 21000;
	initiate();
	world_run_for(&world, SECOND);
	ok(A->ups == 2 && A->child_count == 1, "the same host again is let in at once");
	world_run_for(&world, 60 * SECOND);
	ok(have_one_pair(), "and its old SA goes");
	world_clear(&world);
}

static void test_encapsulation(void)
{
	world_init(&world, 60, IKE_AUTH_PSK);
	translator.a = translator.b = (struct addr){0};
	A->conns[0].encapsulation = IKE_ENCAPSULATION_YES;
	world_reload(&world, 0);
	world_initiate(&world, 0);
	world_run_for(&world, SECOND);
	ok(have_one_pair(), "encapsulation=yes: in UDP without a NAT");
	world_clear(&world);

	world_init(&world, 61, IKE_AUTH_PSK);
	B->conns[0].encapsulation = IKE_ENCAPSULATION_YES;
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, SECOND);
	ok(have_one_pair(), "encapsulation=yes of the responder");
	world_clear(&world);

	world_init(&world, 62, IKE_AUTH_PSK);
	A->conns[0].encapsulation = IKE_ENCAPSULATION_YES;
	B->conns[0].encapsulation = IKE_ENCAPSULATION_NO;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world_initiate(&world, 0);
	world_run_for(&world, SECOND);
	ok(A->ups == 1 && A->children[0].child.pair.encap_remote_port == 0 &&
			B->children[0].child.pair.encap_remote_port == 0,
		"a peer that knows of no NAT: ESP without UDP on both ends");
	world_clear(&world);
}

/* The other end replaces the IKE SA of a client; that came to it all the same. */
static void replace_by_b(void)
{
	const struct ike_sa *sa = B->ike->by_id;

	world_run_for(&world, 2 * SECOND);
	world_replace_sa(&world, 1);
	world_run_for(&world, 5 * SECOND);
	ok(B->ike->by_id != sa && B->ike->by_id->role == IKE_INITIATOR && ike_counters(B->ike).sas == 1,
		"the other end replaces it");
}

/* N9: who is behind the NAT has its flows on one IKE SA; the other end begins nothing on it. */
static void test_several_flows(bool replaced)
{
	struct path path;
	struct selector selector;
	size_t creates;

	begin(63, IKE_AUTH_PSK, "initiator");
	A->lines = B->lines = WORLD_FLOWS;
	world_want(&world, 0, 0, 0);
	world_want(&world, 0, 0, 1);
	world_run_for(&world, SECOND);
	ok(world_pairs_of(&world, 0, 0) == 1 && world_pairs_of(&world, 0, 1) == 1 && B->child_count == 2 &&
			ike_counters(A->ike).sas == 1,
		"two flows from behind a NAT share an IKE SA");
	ok(A->children[1].child.pair.encap_remote_port == 4500 &&
			B->children[1].child.pair.encap_remote_port == 4500 + translator.shift,
		"and both are in UDP");
	if (replaced)
		replace_by_b();
	creates = world_sent(&world, 1, IKE_EXCHANGE_CREATE_CHILD_SA, false);
	path = A->children[0].child.path;
	path.local.addr = B->addr;
	path.remote.addr = translator.a;
	selector = (struct selector){
		.local = prefix_of_host(&B->addr), .remote = prefix_of_host(&translator.a), .proto = 17};
	ike_initiate(B->ike, 0, &path, &selector, 8, world.now_us);
	world_run_for(&world, SECOND / 10);
	ok(world_sent(&world, 1, IKE_EXCHANGE_CREATE_CHILD_SA, false) == creates &&
			world_sent(&world, 1, IKE_EXCHANGE_IKE_SA_INIT, false) > 0,
		"to another of its flows the other end begins anew");
	B->quiet = true;
	translator.shift = 21000;
	world_run_for(&world, 100 * SECOND);
	ok(A->child_count == 2 && B->child_count == 2 &&
			B->children[0].child.pair.encap_remote_port == 4500 + translator.shift &&
			B->children[1].child.pair.encap_remote_port == 4500 + translator.shift,
		"a mapping that changes is followed for both");
	world_clear(&world);
}

int main(void)
{
	test_comes_up();
	test_weather();
	test_anonymous();
	test_anonymous_client();
	test_tunnel();
	test_rekey();
	test_keepalive();
	test_rebinding();
	test_rebinding_in_exchange();
	test_forged_rebinding();
	test_stays_at_4500();
	test_second_client();
	test_rebooted_client();
	test_encapsulation();
	test_several_flows(false);
	test_several_flows(true);
	return tap_done();
}
