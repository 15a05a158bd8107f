/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each exchange in each state: an authentic message that is out of place changes
 * nothing, above all before the peer has shown who it is (CVE-2014-2338,
 * CVE-2019-12312). What comes is made with the keys of the other engine.
 */
#include "t/sim/world.h"
#include "t/tap.h"

#include "ike/create.h"
#include "ike/sa.h"
#include "ike/sk.h"

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

/* What may be in a message that would change an SA, were it in place. */
enum content { NOTHING, DELETE_IKE, DELETE_ESP, FAILED, REKEY_IKE, CHILD, CONTENTS };

static void build_offer(struct ike_builder *chain, uint8_t protocol)
{
	static const uint8_t nonce[32] = {1}, ke[32] = {9};
	struct ike_suite suite = {.encr = {{IKE_ENCR_AES_GCM_16, 256}},
		.encr_count = 1,
		.prf = {IKE_PRF_HMAC_SHA2_256},
		.prf_count = protocol == IKE_PROTOCOL_IKE,
		.ke = {IKE_GROUP_CURVE25519},
		.ke_count = 1};
	struct ike_scope scope = {.selector = world_selector(&world, 0)};

	ike_proposal_offer(chain, protocol, &suite, 0x1234567, protocol == IKE_PROTOCOL_IKE ? 8 : 4);
	ike_build_payload(chain, IKE_PAYLOAD_NONCE, nonce, sizeof(nonce));
	ike_ke_build(chain, IKE_GROUP_CURVE25519, ke, sizeof(ke));
	if (protocol == IKE_PROTOCOL_ESP)
		ike_build_selectors(chain, &scope, true);
}

static void build_content(struct ike_builder *chain, enum content content, const struct ike_sa *to)
{
	switch (content) {
	case NOTHING:
	case CONTENTS:
		break;
	case DELETE_IKE:
		ike_delete_build_ike(chain);
		break;
	case DELETE_ESP:
		ike_delete_build_esp(chain, to->children ? to->children->pub.pair.out.spi : 4711);
		break;
	case FAILED:
		ike_notify_build(chain, IKE_NOTIFY_AUTHENTICATION_FAILED, NULL, 0);
		break;
	case REKEY_IKE:
		build_offer(chain, IKE_PROTOCOL_IKE);
		break;
	case CHILD:
		build_offer(chain, IKE_PROTOCOL_ESP);
		break;
	}
}

static void forge(struct ike_sa *to, const struct ike_keys *keys, uint8_t exchange, bool response,
	enum content content)
{
	uint8_t inner[1024], out[1280];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));
	struct ike_header header = {.spi_i = to->spi_i,
		.spi_r = to->spi_r,
		.exchange = exchange,
		.flags = (uint8_t)((to->role == IKE_RESPONDER ? IKE_FLAG_INITIATOR : 0) |
				   (response ? IKE_FLAG_RESPONSE : 0)),
		.id = response ? to->request.id : to->expected};
	struct path path = to->path;
	static uint64_t iv = 1u << 20;
	size_t len;

	build_content(&chain, content, to);
	len = ike_build_finish(&chain);
	len = ike_sk_seal(keys, &header, ++iv, chain.first, NULL, inner, len, out, sizeof(out));
	ike_datagram(to->ike, &path, out, len, world.now_us);
}

/* What must not change. */
struct sight {
	enum ike_sa_state state;
	uint32_t expected;
	size_t children, request_len;
	struct ike_counters counters;
	unsigned ups, downs, faileds;
};

static struct sight look(const struct world_host *host, const struct ike_sa *sa)
{
	return (struct sight){.state = sa->state,
		.expected = sa->expected,
		.children = host->child_count,
		.request_len = sa->request.message.len,
		.counters = ike_counters(host->ike),
		.ups = host->ups,
		.downs = host->downs,
		.faileds = host->faileds};
}

static bool same(const struct sight *a, const struct sight *b)
{
	/* Who says goodbye still refuses. */
	return a->state == b->state && (a->expected == b->expected || a->state == IKE_SA_DELETING) &&
	       a->children == b->children &&
	       a->request_len == b->request_len && a->ups == b->ups && a->downs == b->downs &&
	       a->faileds == b->faileds && a->counters.sas == b->counters.sas &&
	       a->counters.half_open == b->counters.half_open &&
	       a->counters.established == b->counters.established &&
	       a->counters.bad_icv == b->counters.bad_icv;
}

/* All exchanges but one, which is in place there. */
static void try_all(struct world_host *host, struct ike_sa *sa, enum ike_sa_state state,
	const struct ike_keys *keys, uint8_t but, const char *name)
{
	struct sight before;
	unsigned changes = 0, tried = 0;

	if (!ok(sa && sa->state == state && keys, "%s", name))
		return;
	before = look(host, sa);
	for (unsigned exchange = 0; exchange < 256; exchange++) {
		for (unsigned i = 0; i < 2 * CONTENTS; i++) {
			struct sight after;

			if (exchange == but)
				continue;
			forge(sa, keys, (uint8_t)exchange, i % 2, (enum content)(i / 2));
			after = look(host, sa);
			tried++;
			if (!same(&before, &after) && changes++ < 5)
				diag("exchange %u, %s, content %u: %s", exchange, i % 2 ? "response" : "request",
					i / 2, ike_sa_state_name(sa->state));
		}
	}
	ok(changes == 0, "%s: none of %u messages changes anything", name, tried);
}

static bool lose_auth(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->exchange != IKE_EXCHANGE_IKE_AUTH;
}

static void begin(uint64_t seed)
{
	world_init(&world, seed, IKE_AUTH_PSK);
	A->conns[0].retransmit_timeout_ms = B->conns[0].retransmit_timeout_ms = 60000;
	A->conns[0].intermediate = B->conns[0].intermediate = seed % 2;
	world_reload(&world, 0);
	world_reload(&world, 1);
}

static void negotiate(void)
{
	world_initiate(&world, 0);
	world_run_for(&world, 50 * WORLD_MS);
}

/* Both ends of an IKE_SA_INIT whose IKE_AUTH is not there yet. */
static void test_before_auth(void)
{
	begin(2);
	world.filter = lose_auth;
	negotiate();
	/* The first that is protected brings the keys. */
	forge(B->ike->by_id, A->ike->by_id->keys, IKE_EXCHANGE_INFORMATIONAL, false, (enum content)0);
	world_run_for(&world, 0);
	try_all(B, B->ike->by_id, IKE_SA_HALF_OPEN, A->ike->by_id->keys, IKE_EXCHANGE_IKE_AUTH, "HALF_OPEN");
	try_all(A, A->ike->by_id, IKE_SA_AUTH_SENT, B->ike->by_id->keys, IKE_EXCHANGE_IKE_AUTH, "AUTH_SENT");
	world_clear(&world);
	begin(4);
	A->job_us = 20 * WORLD_MS;
	negotiate();
	try_all(A, A->ike->by_id, IKE_SA_SIGNING, A->ike->by_id->keys, 0, "SIGNING");
	world_clear(&world);
}

/* From the answer to IKE_AUTH on host 0's work is slow. */
static bool slow_down(struct world *w, struct packet *packet)
{
	if (packet->from == 1 && packet->exchange == IKE_EXCHANGE_IKE_AUTH)
		w->hosts[0].job_us = 1000000;
	return true;
}

static void test_while_checked(void)
{
	begin(6);
	B->job_us = 20 * WORLD_MS;
	negotiate();
	try_all(B, B->ike->by_id, IKE_SA_CHECKING, A->ike->by_id->keys, 0, "CHECKING");
	world_clear(&world);
	begin(8);
	world.filter = slow_down;
	negotiate();
	try_all(A, A->ike->by_id, IKE_SA_VERIFYING, B->ike->by_id->keys, 0, "VERIFYING");
	world_clear(&world);
}

static void test_while_installed(void)
{
	begin(10);
	B->install_us = 1000000;
	negotiate();
	try_all(B, B->ike->by_id, IKE_SA_INSTALLING, A->ike->by_id->keys, 0, "INSTALLING of a responder");
	world_clear(&world);
	begin(12);
	A->install_us = 1000000;
	negotiate();
	try_all(A, A->ike->by_id, IKE_SA_INSTALLING, B->ike->by_id->keys, 0, "INSTALLING of an initiator");
	world_clear(&world);
}

/* What is left of one that was refused: it only repeats its answer. */
static void test_refused(void)
{
	struct ike_keys *keys;

	begin(14);
	secret_set(&A->psk.secret, "open peppermint", 15);
	world_reload(&world, 0);
	world_initiate(&world, 0);
	/* Host 0's SA ends with the answer: what is forged has the keys of host 1. */
	world_run_for(&world, 50 * WORLD_MS);
	keys = B->ike->by_id ? B->ike->by_id->keys : NULL;
	try_all(B, B->ike->by_id, IKE_SA_CHECKING, keys, 0, "a refused one");
	world_clear(&world);
}

/* In the middle of an IKE_INTERMEDIATE that was agreed on. */
static bool lose_intermediate(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->exchange != IKE_EXCHANGE_IKE_INTERMEDIATE;
}

static void test_intermediate(void)
{
	begin(15);
	world.filter = lose_intermediate;
	negotiate();
	try_all(A, A->ike->by_id, IKE_SA_INTERMEDIATE, A->ike->by_id->keys, IKE_EXCHANGE_IKE_INTERMEDIATE,
		"INTERMEDIATE");
	world_clear(&world);
}

/* An SA whose DELETE is on its way begins nothing new. */
static void test_deleting(void)
{
	begin(16);
	negotiate();
	B->silent = true;
	ike_delete(A->ike, A->ike->by_id->id, world.now_us);
	try_all(A, A->ike->by_id, IKE_SA_DELETING, B->ike->by_id->keys, IKE_EXCHANGE_INFORMATIONAL, "DELETING");
	world_clear(&world);
}

int main(void)
{
	test_before_auth();
	test_while_checked();
	test_while_installed();
	test_refused();
	test_intermediate();
	test_deleting();
	return tap_done();
}
