/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stranger may do to host 1 before it has shown who it is, and who has
 * only looked on: work, memory and datagrams that it costs are bounded.
 */
#include "t/sim/world.h"
#include "t/tap.h"

#include "ike/const.h"
#include "ike/sa.h"
#include "ike/sk.h"
#include "lib/mem.h"

#include <stdlib.h>

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

static void begin(uint64_t seed)
{
	world_init(&world, seed, IKE_AUTH_NULL);
	B->config.ddos_mode = IKE_DDOS_UNLIMITED;
	world_reload(&world, 1);
}

/* --- a key exchange of nothing --------------------------------------------------------------- */

/* Of host 0's IKE_SA_INIT. */
static bool zero_ke(struct world *w, struct packet *packet)
{
	const struct ike_payload *ke;
	struct ike_message message;

	(void)w;
	if (packet->from != 0 || packet->exchange != IKE_EXCHANGE_IKE_SA_INIT ||
		!ike_message_parse(packet->data, packet->len, &message))
		return true;
	ke = ike_message_find(&message, IKE_PAYLOAD_KE);
	memset(packet->data + (ke->data - packet->data) + 4, 0, ke->len - 4);
	return true;
}

static void test_zero_ke(uint16_t group, const char *name)
{
	begin(1);
	A->conns[0].ike.ke[0] = B->conns[0].ike.ke[0] = group;
	A->conns[0].ike.ke_count = B->conns[0].ike.ke_count = 1;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world.filter = zero_ke;
	world_initiate(&world, 0);
	world_run_for(&world, 100 * WORLD_MS);
	ok(world_sent(&world, 0, IKE_EXCHANGE_IKE_AUTH, false) > 0 && ike_counters(B->ike).responded == 1 &&
			ike_counters(B->ike).half_open == 0,
		"%s of zeroes: computed once, and over", name);
	world_clear(&world);
}

/* --- answers that are asked for again and again -------------------------------------------------- */

struct copy {
	uint8_t exchange;
	uint8_t data[2048];
	size_t len;
};

/* Keeps host 0's request of an exchange. */
static bool keep(struct world *w, struct packet *packet)
{
	struct copy *copy = w->filter_arg;

	if (packet->from == 0 && packet->exchange == copy->exchange && packet->len <= sizeof(copy->data)) {
		memcpy(copy->data, packet->data, packet->len);
		copy->len = packet->len;
	}
	return true;
}

static size_t ask_again(const struct copy *copy, size_t len, unsigned times)
{
	size_t before = world_sent(&world, 1, copy->exchange, true);

	for (unsigned i = 0; i < times; i++)
		world_inject(&world, 0, copy->data, len, i * 1000u);
	world_run_for(&world, times * 1000u + 10 * WORLD_MS);
	return world_sent(&world, 1, copy->exchange, true) - before;
}

/* Who sends them may be anybody between the two: the source is forged, and the answers go to the peer. */
static void test_repeats(uint8_t exchange, const char *name)
{
	struct copy copy = {.exchange = exchange};
	size_t answers;

	begin(2);
	world.filter = keep;
	world.filter_arg = &copy;
	if (exchange == IKE_EXCHANGE_IKE_SA_INIT)
		A->silent = true;
	world_initiate(&world, 0);
	world_run_for(&world, 100 * WORLD_MS);
	answers = ask_again(&copy, copy.len, 2000);
	ok(answers >= 8 && answers <= 30, "%s 2,000 times in 2 s: %zu answers", name, answers);
	world_run_for(&world, 1000 * WORLD_MS);
	is_int((int)ask_again(&copy, copy.len, 1), 1, "a late one is answered");
	world_clear(&world);
}

/* --- memory -------------------------------------------------------------------------------------- */

/* An IKE_SA_INIT request with so much behind it that nobody needs. */
static void send_padded(size_t pad)
{
	static uint8_t data[IKE_MESSAGE_MAX];
	struct copy copy = {.exchange = IKE_EXCHANGE_IKE_SA_INIT};
	struct ike_message message;
	const struct ike_payload *last;

	begin(3);
	world.filter = keep;
	world.filter_arg = &copy;
	B->silent = true;
	world_initiate(&world, 0);
	world_run_for(&world, 10 * WORLD_MS);
	B->silent = false;
	memcpy(data, copy.data, copy.len);
	ike_message_parse(data, copy.len, &message);
	last = &message.payloads[message.count - 1];
	data[last->data - data - 4] = IKE_PAYLOAD_VENDOR;
	data[copy.len + 2] = (uint8_t)(pad >> 8);
	data[copy.len + 3] = (uint8_t)pad;
	data[26] = (uint8_t)((copy.len + pad) >> 8);
	data[27] = (uint8_t)(copy.len + pad);
	world_inject(&world, 0, data, copy.len + pad, 0);
	world_run_for(&world, 10 * WORLD_MS);
}

static void test_long_init(void)
{
	send_padded(3000);
	is_int((int)ike_counters(B->ike).half_open, 1, "an IKE_SA_INIT of 3 KB is taken");
	world_clear(&world);
	send_padded(6000);
	is_int((int)ike_counters(B->ike).half_open, 0, "one of 6 KB is not kept for anybody");
	world_clear(&world);
}

static bool lose_auth(struct world *w, struct packet *packet)
{
	(void)w;
	return packet->exchange != IKE_EXCHANGE_IKE_AUTH;
}

static struct ike_sa *find(uint64_t id)
{
	struct ike_sa *sa;

	HASH_FIND(by_id, A->ike->by_id, &id, sizeof(id), sa);
	return sa;
}

/* All pieces of an IKE_AUTH request but the last. */
static void send_pieces(struct ike_sa *sa)
{
	static const uint8_t content[1000];
	struct ike_place place = {.total = 17};
	struct path path = {.local = sa->path.remote, .remote = sa->path.local};

	for (place.number = 1; place.number < place.total; place.number++) {
		struct ike_header header = {.spi_i = sa->spi_i,
			.spi_r = sa->spi_r,
			.exchange = IKE_EXCHANGE_IKE_AUTH,
			.flags = IKE_FLAG_INITIATOR,
			.id = 1};
		uint8_t out[1280];
		size_t len = ike_sk_seal(sa->keys, &header, ++sa->iv, IKE_PAYLOAD_IDi, &place, content,
			sizeof(content), out, sizeof(out));

		ike_datagram(B->ike, &path, out, len, world.now_us);
	}
}

/* A stranger of its own address; its half-open SA. */
static struct ike_sa *open_stranger(unsigned n)
{
	struct path path = world_path(&world, 0);
	struct selector selector = world_selector(&world, 0);
	uint64_t id;

	path.local.addr.bytes[2] = (uint8_t)(n >> 8);
	path.local.addr.bytes[3] = (uint8_t)n;
	selector.local = prefix_of_host(&path.local.addr);
	id = ike_initiate(A->ike, 0, &path, &selector, 7, world.now_us);
	world_run_for(&world, 3 * WORLD_MS);
	return find(id);
}

static void test_pieces(void)
{
	const unsigned count = 1200;
	size_t most = 0;

	begin(4);
	world.filter = lose_auth;
	for (unsigned n = 1; n <= count; n++) {
		struct ike_sa *sa = open_stranger(n);

		send_pieces(sa);
		most = B->ike->piece_bytes > most ? B->ike->piece_bytes : most;
	}
	ok(ike_counters(B->ike).half_open == count && most > (8u << 20) && most <= (16u << 20),
		"1,200 strangers with 16 KB each of a message: %zu bytes are kept at most", most);
	world_run_for(&world, 15000 * WORLD_MS);
	is_int((int)B->ike->piece_bytes, 0, "and none when they have gone");
	world_clear(&world);
}

/* Of one that stands, too: what is not finished is forgotten. */
static void test_old_pieces(void)
{
	struct ike_sa *sa;

	begin(5);
	sa = find(world_initiate(&world, 0));
	world_run_for(&world, 100 * WORLD_MS);
	for (unsigned id = 0; id < 3; id++) {
		struct ike_place place = {.number = 1, .total = 2};
		struct ike_header header = {.spi_i = sa->spi_i,
			.spi_r = sa->spi_r,
			.exchange = IKE_EXCHANGE_INFORMATIONAL,
			.flags = IKE_FLAG_INITIATOR,
			.id = 2};
		uint8_t out[256];
		size_t len = ike_sk_seal(sa->keys, &header, ++sa->iv, 0, &place, (const uint8_t[100]){0}, 100,
			out, sizeof(out));

		world_inject(&world, 0, out, len, 0);
		world_run_for(&world, 10 * WORLD_MS);
	}
	ok(B->ike->piece_bytes > 100, "half of a request is kept");
	world_run_for(&world, 31000 * WORLD_MS);
	ok(B->ike->piece_bytes == 0 && ike_counters(B->ike).sas == 1, "for half a minute");
	world_clear(&world);
}

static bool drop_all(struct world *w, struct packet *packet)
{
	(void)w;
	(void)packet;
	return false;
}

/* --- work that is never done --------------------------------------------------------------------- */

/* One whose time is over while its job waits for a worker: nobody looks for it in each call until then. */
static void test_waiting_jobs(void)
{
	begin(7);
	B->job_us = 20000 * WORLD_MS;
	for (unsigned n = 1; n <= 20; n++)
		open_stranger(n);
	world_run_for(&world, 15000 * WORLD_MS);
	ok(ike_counters(B->ike).half_open == 0 && HASH_CNT(by_job, B->ike->by_job) == 20 && !B->ike->dead,
		"twenty strangers have gone, their jobs are still to be done");
	world_run_for(&world, 15000 * WORLD_MS);
	ok(!B->ike->by_job && !B->ike->dead, "then nothing is left of them");
	world_clear(&world);
}

/* More than the workers can do: who is taken on is served in time, others come again. */
static void test_many_jobs(void)
{
	const unsigned count = 2100;

	begin(8);
	B->refuses_narrow = true;
	B->job_us = 7000 * WORLD_MS;
	for (unsigned n = 1; n <= count; n++)
		open_stranger(n);
	is_int((int)HASH_CNT(by_job, B->ike->by_job), 2000, "2,100 strangers: 2,000 jobs wait");
	world.filter = drop_all;
	world_run_for(&world, 8000 * WORLD_MS);
	ok(HASH_CNT(by_job, B->ike->by_job) == 0, "and none when they are done");
	world.filter = NULL;
	B->refuses_narrow = false;
	B->job_us = 0;
	open_stranger(count + 1);
	world_run_for(&world, 100 * WORLD_MS);
	is_int((int)A->ups, 1, "and then the next is served");
	world_clear(&world);
}

/* --- ourselves ----------------------------------------------------------------------------------- */

/* Whatever host 0 says comes back to it as if the other one had said it. */
static bool reflect(struct world *w, struct packet *packet)
{
	if (packet->from == 0)
		world_inject(w, 1, packet->data, packet->len, w->delay_us);
	return false;
}

static void test_reflected(enum ike_auth auth, const char *name)
{
	world_init(&world, 6, auth);
	/* Else it looks like a NAT. */
	A->conns[0].encapsulation = IKE_ENCAPSULATION_NO;
	world_reload(&world, 0);
	world.filter = reflect;
	world_initiate(&world, 0);
	world_run_for(&world, 10000 * WORLD_MS);
	ok(A->ups == 0 && A->faileds == 1 && ike_counters(A->ike).established == 0,
		"%s: nobody is brought to take itself for its peer", name);
	world_clear(&world);
}

int main(void)
{
	test_reflected(IKE_AUTH_NULL, "NULL");
	test_reflected(IKE_AUTH_PSK, "PSK");
	test_zero_ke(IKE_GROUP_CURVE25519, "CURVE25519");
	test_zero_ke(IKE_GROUP_ECP_256, "ECP_256");
	test_zero_ke(IKE_GROUP_ECP_384, "ECP_384");
	test_zero_ke(IKE_GROUP_ECP_521, "ECP_521");
	test_zero_ke(IKE_GROUP_MODP_2048, "MODP_2048");
	test_zero_ke(IKE_GROUP_MODP_3072, "MODP_3072");
	test_zero_ke(IKE_GROUP_MODP_4096, "MODP_4096");
	test_repeats(IKE_EXCHANGE_IKE_SA_INIT, "IKE_SA_INIT");
	test_repeats(IKE_EXCHANGE_IKE_AUTH, "IKE_AUTH");
	test_long_init();
	test_pieces();
	test_old_pieces();
	test_waiting_jobs();
	test_many_jobs();
	return tap_done();
}
