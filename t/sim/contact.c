/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INITIAL_CONTACT (RFC 7296 2.4). We never say it; a peer does. Here host 0's
 * IKE_AUTH request is opened on its way, and says it.
 */
#include "t/sim/world.h"
#include "t/tap.h"

#include "ike/const.h"
#include "ike/sa.h"
#include "ike/sk.h"

#include <string.h>

static struct world world;
static uint64_t speaker; /* the SA of host 0 whose IKE_AUTH says it */

#define A (&world.hosts[0])
#define B (&world.hosts[1])

/* The notify goes before all that is there. */
static size_t prepend(uint8_t *inner, const uint8_t *content, size_t len, uint8_t first)
{
	const uint8_t notify[] = {first, 0, 0, 8, 0, 0, (uint8_t)(IKE_NOTIFY_INITIAL_CONTACT >> 8),
		(uint8_t)(IKE_NOTIFY_INITIAL_CONTACT & 0xff)};

	memcpy(inner, notify, sizeof(notify));
	memcpy(inner + sizeof(notify), content, len);
	return sizeof(notify) + len;
}

static bool say_it(struct world *w, struct packet *packet)
{
	static uint8_t plain[IKE_MESSAGE_MAX], inner[IKE_MESSAGE_MAX], out[IKE_MESSAGE_MAX];
	struct ike_message outer, opened;
	const struct ike_payload *last;
	struct ike_sa *sa;
	size_t len;

	HASH_FIND(by_id, w->hosts[0].ike->by_id, &speaker, sizeof(speaker), sa);
	if (packet->from != 0 || packet->exchange != IKE_EXCHANGE_IKE_AUTH || !sa || !sa->keys ||
		!ike_message_parse(packet->data, packet->len, &outer) ||
		ike_sk_open(sa->keys, packet->data, packet->len, &outer, plain, &opened) != IKE_SK_OPENED)
		return true;
	speaker = 0;
	last = &opened.payloads[opened.count - 1];
	len = prepend(inner, plain, (size_t)(last->data + last->len - plain), opened.payloads[0].type);
	len = ike_sk_seal(sa->keys, &outer.header, ++sa->iv, IKE_PAYLOAD_NOTIFY, NULL, inner, len, out,
		sizeof(out));
	world_inject(w, 0, out, len, 0);
	return false;
}

static void negotiate_by(size_t conn, bool says_it)
{
	struct path path = world_path(&world, 0);
	struct selector selector = world_selector(&world, 0);
	uint64_t sa = ike_initiate(A->ike, conn, &path, &selector, 7, world.now_us);

	speaker = says_it ? sa : 0;
	world_run_for(&world, 1000 * WORLD_MS);
}

static void negotiate(bool says_it)
{
	negotiate_by(0, says_it);
}

/* Host 0 has a second connection, by which it calls itself so. */
static void add_name(const char *name)
{
	static char other[] = "other";
	struct ike_id_spec *spec = &A->conns[1].local_id;

	A->conns[1] = A->conns[0];
	A->conns[1].name = other;
	spec->kind = IKE_ID_KIND_EXACT;
	spec->id = (struct ike_id){.type = IKE_ID_FQDN, .len = (uint16_t)strlen(name)};
	memcpy(spec->id.data, name, strlen(name));
	A->config.conn_count = 2;
	ike_reconfigure(A->ike, &A->config, world.now_us);
}

static void begin(uint64_t seed, enum ike_auth auth)
{
	world_init(&world, seed, auth);
	world.filter = say_it;
	negotiate(false);
	is_int((int)ike_counters(B->ike).sas, 1, "a peer has an SA");
}

static void test_same_peer(void)
{
	begin(1, IKE_AUTH_PSK);
	negotiate(false);
	is_int((int)ike_counters(B->ike).sas, 2, "another one changes nothing");
	negotiate(true);
	is_int((int)ike_counters(B->ike).sas, 1, "INITIAL_CONTACT ends both");
	ok(B->down_reason == IKE_REASON_PEER_DELETED && B->child_count == 1, "with their CHILD SAs");
	negotiate(true);
	is_int((int)ike_counters(B->ike).sas, 1, "and the next the next");
	world_clear(&world);
}

static void test_other_peer(void)
{
	begin(2, IKE_AUTH_PSK);
	add_name("other.example");
	negotiate_by(1, true);
	is_int((int)ike_counters(B->ike).sas, 2, "an SA of another identity stays");
	negotiate_by(1, true);
	is_int((int)ike_counters(B->ike).sas, 2, "when its own ends");
	world_clear(&world);
}

static void test_anonymous(void)
{
	begin(3, IKE_AUTH_NULL);
	negotiate(true);
	is_int((int)ike_counters(B->ike).sas, 2, "who is nobody ends nothing");
	world_clear(&world);
}

/* An SA that was rekeyed is found like the one before it. */
static void test_rekeyed(void)
{
	world_init(&world, 4, IKE_AUTH_PSK);
	A->conns[0].ike_lifetime_s = 60;
	A->conns[0].rekey_margin_s = 30;
	world_reload(&world, 0);
	world.filter = say_it;
	negotiate(false);
	world_run_for(&world, 50000 * WORLD_MS);
	ok(ike_counters(B->ike).sas == 1 && ike_counters(B->ike).established == 2, "one that was rekeyed");
	negotiate(true);
	is_int((int)ike_counters(B->ike).sas, 1, "is ended too");
	world_clear(&world);
}

/* A peer that negotiates one flow anew and anew, and keeps what it has. */
static void test_one_flow(void)
{
	size_t most = 0;

	world_init(&world, 5, IKE_AUTH_PSK);
	for (unsigned i = 0; i < 50; i++) {
		negotiate(false);
		most = ike_counters(B->ike).sas > most ? ike_counters(B->ike).sas : most;
	}
	is_int((int)most, 3, "one peer, one flow, fifty SAs: three at most stand");
	ok(B->ups == 50 && B->child_count == 3 && world_agrees(&world), "each came up, and the peer knows which ended");
	ok(world_sent(&world, 1, IKE_EXCHANGE_INFORMATIONAL, false) < 4 * 50, "so many are asked and told, not each by each");
	world_clear(&world);
}

static uint32_t last_request;

static bool answer_no_probe(struct world *w, struct packet *packet)
{
	(void)w;
	if (packet->exchange != IKE_EXCHANGE_INFORMATIONAL)
		return true;
	if (packet->from == 1 && !packet->answer && packet->id > last_request)
		last_request = packet->id;
	return packet->from == 1;
}

/* A window of one (2.3): the one that goes has been asked whether it is alive, and has not answered. */
static void test_one_flow_unanswered(void)
{
	world_init(&world, 6, IKE_AUTH_PSK);
	last_request = 0;
	world.filter = answer_no_probe;
	for (unsigned i = 0; i < 4; i++)
		negotiate(false);
	ok(B->ups == 4 && B->child_count == 3, "four SAs in as many seconds: the first one's pair is gone");
	is_int((int)last_request, 0, "and its DELETE waits for the answer to what was asked before");
	world_clear(&world);
}

/* By us, a moment ago: the peer had begun it all the same, and crosses nothing. */
static void test_replaced(void)
{
	begin(5, IKE_AUTH_PSK);
	world_run_for(&world, 2000 * WORLD_MS);
	world_replace_sa(&world, 1);
	world_run_for(&world, 4000 * WORLD_MS);
	ok(ike_counters(B->ike).sas == 1 && ike_counters(B->ike).established == 2, "one that we have replaced");
	negotiate(true);
	is_int((int)ike_counters(B->ike).sas, 1, "is ended too");
	world_clear(&world);
}

int main(void)
{
	test_same_peer();
	test_other_peer();
	test_anonymous();
	test_rekeyed();
	test_one_flow();
	test_one_flow_unanswered();
	test_replaced();
	return tap_done();
}
