/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IKE fragmentation (RFC 7383): IKE_AUTH with RSA certificates is longer than
 * a datagram that every path carries. What is lost, doubled, late or forged of
 * the pieces does no harm.
 */
#include "ike/crypto/cert.h"
#include "ike/message.h"
#include "ike/sa.h"
#include "lib/mem.h"
#include "t/pki.h"
#include "t/sim/world.h"
#include "t/tap.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct world world;
static struct cert_identity *identities[1];
static struct cert_trust *trusts[1];

#define A (&world.hosts[0])
#define B (&world.hosts[1])
/* IPv4, UDP and the marker of port 4500 leave so much of 1280. */
#define DATAGRAM_MAX 1248

static size_t largest, pieces;

static bool is_piece(const struct packet *packet)
{
	struct ike_message message;

	return ike_message_parse(packet->data, packet->len, &message) &&
	       ike_message_find(&message, IKE_PAYLOAD_SKF);
}

static bool watch(struct world *w, struct packet *packet)
{
	(void)w;
	largest = packet->len > largest ? packet->len : largest;
	pieces += is_piece(packet);
	return true;
}

/* A path that carries nothing longer than 1280 octets. */
static bool narrow(struct world *w, struct packet *packet)
{
	watch(w, packet);
	return packet->len <= DATAGRAM_MAX;
}

static void begin(uint64_t seed, bool (*filter)(struct world *w, struct packet *packet))
{
	world_init(&world, seed, IKE_AUTH_CERT);
	world.filter = filter;
	largest = pieces = 0;
	for (size_t i = 0; i < 2; i++) {
		struct world_host *host = &world.hosts[i];

		host->config.identities = identities;
		host->config.trusts = trusts;
		host->config.identity_count = host->config.trust_count = 1;
		host->conns[0].remote_keys = CERT_KEY_ANY;
	}
}

/* Engines with what begin() and its caller have configured. */
static void make(void)
{
	world_reload(&world, 0);
	world_reload(&world, 1);
}

static void go(void)
{
	make();
	world_initiate(&world, 0);
	world_run_for(&world, 8000 * WORLD_MS);
}

static bool is_up(void)
{
	return A->ups == 1 && B->ups == 1 && A->child_count == 1 && world_agrees(&world);
}

static void test_narrow_path(void)
{
	begin(1, narrow);
	go();
	ok(is_up() && pieces >= 4 && largest <= DATAGRAM_MAX, "in pieces: %zu, the largest has %zu bytes",
		pieces, largest);
	world_clear(&world);
	begin(4, narrow);
	A->conns[0].ike = B->conns[0].ike =
		(struct ike_suite){.encr = {{IKE_ENCR_AES_CBC, 256}}, .encr_count = 1};
	go();
	ok(is_up() && pieces >= 4 && largest <= DATAGRAM_MAX && largest > DATAGRAM_MAX - 16,
		"with AES-CBC too: %zu, the largest has %zu bytes", pieces, largest);
	world_clear(&world);
	begin(2, narrow);
	B->conns[0].no_fragments = true;
	go();
	ok(A->faileds == 1 && pieces == 0, "not where the peer does not speak it");
	world_clear(&world);
	begin(3, watch);
	A->conns[0].no_fragments = true;
	go();
	ok(is_up() && pieces == 0 && largest > 1280, "not where we do not: %zu bytes", largest);
	world_clear(&world);
}

/* The responder's worker is late: all pieces are there before the keys that open them. */
static void test_before_keys(void)
{
	begin(9, narrow);
	B->job_us = 80 * WORLD_MS;
	go();
	ok(is_up() && pieces > 0 && A->retransmissions == 0, "what comes in pieces waits for its keys");
	world_clear(&world);
}

/* Loses the nth datagram of IKE_AUTH. */
static bool lose_nth(struct world *w, struct packet *packet)
{
	watch(w, packet);
	return packet->exchange != IKE_EXCHANGE_IKE_AUTH ||
	       w->filter_count++ != *(unsigned *)w->filter_arg;
}

static void test_each_lost(void)
{
	unsigned up = 0;

	for (unsigned nth = 0; nth < 10; nth++) {
		begin(10 + nth, lose_nth);
		world.filter_arg = &nth;
		go();
		up += is_up();
		world_clear(&world);
	}
	is_int(up, 10, "whichever piece is lost, the negotiation is up");
}

static void test_weather(void)
{
	unsigned up = 0;

	for (uint64_t seed = 0; seed < 40; seed++) {
		begin(100 + seed, watch);
		make();
		up += world_weather(&world, 10, 30, 30);
		world_clear(&world);
	}
	is_int(up, 40, "40 seeds of loss, doubles and disorder");
}

/* Before each true piece comes a copy with another number, another total, or a changed bit. */
static bool forge(struct world *w, struct packet *packet)
{
	static const size_t places[] = {IKE_HEADER_LEN + 5, IKE_HEADER_LEN + 7, IKE_HEADER_LEN + 30};

	watch(w, packet);
	for (size_t i = 0; is_piece(packet) && i < ARRAY_LEN(places); i++) {
		uint8_t *copy = mem_dup(packet->data, packet->len);

		copy[places[i]] ^= 1 + (uint8_t)i;
		world_inject(w, packet->from, copy, packet->len, 0);
		free(copy);
	}
	return true;
}

static void test_forged(void)
{
	begin(200, forge);
	go();
	ok(is_up() && ike_counters(B->ike).bad_icv > 0, "forged pieces are counted and dropped: %u",
		(unsigned)ike_counters(B->ike).bad_icv);
	world_clear(&world);
}

/* --- pieces by hand: what only a peer with the keys can send --------------------------------- */

static struct ike_sa *only_sa(const struct world_host *host)
{
	return host->ike->by_id;
}

/* As much as a piece of ours carries. */
static const uint8_t full[1200];

static void inject_piece(uint8_t exchange, uint32_t id, uint16_t number, uint16_t total,
	const void *content, size_t len)
{
	struct ike_sa *sa = only_sa(A);
	struct ike_header header = {.spi_i = sa->spi_i,
		.spi_r = sa->spi_r,
		.exchange = exchange,
		.flags = IKE_FLAG_INITIATOR,
		.id = id};
	struct ike_place place = {number, total};
	uint8_t out[2048];
	size_t out_len = ike_sk_seal(sa->keys, &header, ++sa->iv, IKE_PAYLOAD_NONE, &place, content,
		len, out, sizeof(out));

	world_inject(&world, 0, out, out_len, 0);
}

static void send_piece(uint16_t number, uint16_t total, const void *content, size_t len)
{
	inject_piece(IKE_EXCHANGE_INFORMATIONAL, only_sa(A)->next_request, number, total, content, len);
	world_run_for(&world, 10 * WORLD_MS);
}

static size_t answers(void)
{
	return world_sent(&world, 1, IKE_EXCHANGE_INFORMATIONAL, true);
}

static void test_by_hand(void)
{
	begin(300, NULL);
	go();
	send_piece(2, 2, "", 0);
	ok(only_sa(B)->pieces && answers() == 0, "the second of two waits");
	send_piece(2, 2, "", 0);
	is_int(only_sa(B)->pieces->have, 1, "a double counts once");
	send_piece(1, 1, "", 0);
	is_int(only_sa(B)->pieces->total, 2, "a smaller total is of an older sending");
	send_piece(3, 3, "", 0);
	ok(only_sa(B)->pieces->total == 3 && only_sa(B)->pieces->have == 1,
		"a larger total begins anew");
	send_piece(1, 33, "", 0);
	is_int(only_sa(B)->pieces->total, 3, "more than 32 are none");
	send_piece(0, 3, "", 0);
	send_piece(4, 3, "", 0);
	is_int(only_sa(B)->pieces->have, 1, "numbers begin with 1 and end with the total");
	for (uint16_t n = 1; n <= 32; n++)
		send_piece(n, 32, full, sizeof(full));
	ok(!only_sa(B)->pieces || only_sa(B)->pieces->bytes <= IKE_MESSAGE_MAX,
		"together they are no longer than a message may be");
	world_clear(&world);
	begin(301, NULL);
	go();
	send_piece(1, 2, "", 0);
	send_piece(2, 2, "", 0);
	ok(answers() == 1 && !only_sa(B)->pieces, "an empty request in two pieces is answered");
	world_clear(&world);
}

/* In the place of IKE_AUTH: pieces of something so large. */
static bool swell(struct world *w, struct packet *packet)
{
	uint16_t total = *(uint16_t *)w->filter_arg;

	if (packet->from != 0 || packet->exchange != IKE_EXCHANGE_IKE_AUTH ||
		only_sa(A)->state != IKE_SA_AUTH_SENT)
		return true;
	if (w->filter_count++ > 0)
		return w->filter_count > total + 1u;
	for (uint16_t n = 1; n <= total; n++)
		inject_piece(IKE_EXCHANGE_IKE_AUTH, 1, n, total, full, sizeof(full));
	return false;
}

/* Who shows 64 KiB of noise instead of a certificate is told so, and so is the operator; zeros are senseless. */
static void test_too_long(void)
{
	static const uint16_t totals[] = {1, 13, 14, 32, 33, 55};

	for (size_t i = 0; i < ARRAY_LEN(totals); i++) {
		uint16_t total = totals[i];
		bool is_long = total * sizeof(full) > IKE_MESSAGE_MAX;

		begin(310 + i, swell);
		world.filter_arg = &total;
		go();
		ok(B->refusals == 1 && is_long == !!strstr(B->refused_detail, "longer than"),
			"%u pieces in the place of IKE_AUTH: refused, %s", total, B->refused_detail);
		ok(A->faileds == 1 && A->failed_reason == IKE_REASON_INVALID_SYNTAX,
			"and the peer is told");
		is_int((int)ike_counters(B->ike).sas, 0, "nothing is left of it");
		world_clear(&world);
	}
}

int main(void)
{
	struct pki_spec root = {.key = PKI_RSA_2048, .is_ca = true}, host = {.key = PKI_RSA_2048};
	struct pki_cert *ca = pki_make(&root, NULL), *cert = pki_make(&host, ca);
	char *why = NULL;

	identities[0] = cert_identity_new(cert->cert_pem, strlen(cert->cert_pem), cert->key_pem,
		strlen(cert->key_pem), time(NULL), &why);
	trusts[0] = cert_trust_new();
	cert_trust_add(trusts[0], ca->cert_pem, strlen(ca->cert_pem), &why);
	test_narrow_path();
	test_before_keys();
	test_each_lost();
	test_weather();
	test_forged();
	test_by_hand();
	test_too_long();
	cert_identity_free(identities[0]);
	cert_trust_free(trusts[0]);
	pki_free(cert);
	pki_free(ca);
	return tap_done();
}
