/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The key exchange of IKE_SA_INIT is a worker's, and a worker may be late
 * (ike/agree.h): what comes meanwhile is neither lost nor done twice, and costs
 * strangers' memory no more than a message.
 */
#include "t/sim/world.h"
#include "t/tap.h"

#include "ike/sa.h"
#include "lib/mem.h"

#include <malloc.h>
#include <string.h>

#define LATE_US (100 * WORLD_MS)

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

static void begin(uint64_t seed)
{
	world_init(&world, seed, IKE_AUTH_PSK);
}

/* Host 0's IKE_SA_INIT is on its way; its next job is so late. */
static void send_init(uint64_t late_us)
{
	world_initiate(&world, 0);
	world_run_for(&world, 0);
	A->job_us = late_us;
}

static void is_up_without_more(const char *name)
{
	ok(A->ups == 1 && B->ups == 1 && world_agrees(&world) && A->retransmissions == 0, "%s: it comes up", name);
	is_int(A->jobs + B->jobs, 7, "and each piece of work is done once");
	world_clear(&world);
}

/* --- late, both ends ----------------------------------------------------------------------------- */

static void test_late(void)
{
	begin(1);
	A->job_us = B->job_us = LATE_US / 2;
	world_initiate(&world, 0);
	world_run_for(&world, 2000 * WORLD_MS);
	ok(A->jobs_of[IKE_JOB_OURS] == A->jobs && B->jobs_of[IKE_JOB_BRIEF] == 2 && B->jobs_of[IKE_JOB_LONG] == 1,
		"of the initiator all jobs are its own; of the responder two are brief, and AUTH is long");
	is_up_without_more("all workers late");

	begin(2);
	send_init(600 * WORLD_MS);
	world_run_for(&world, 2000 * WORLD_MS);
	is_up_without_more("who has the answer in hand does not ask again");
}

/* --- copies and forgeries meanwhile ---------------------------------------------------------------- */

/* Each datagram of one exchange and sender comes so often. */
struct copies {
	size_t from;
	uint8_t exchange;
	unsigned times;
};

static bool copy(struct world *w, struct packet *packet)
{
	const struct copies *copies = w->filter_arg;

	if (packet->from == copies->from && packet->exchange == copies->exchange && w->filter_count == 0) {
		w->filter_count++;
		for (unsigned i = 0; i < copies->times; i++)
			world_inject(w, packet->from, packet->data, packet->len, i * WORLD_MS);
	}
	return true;
}

static void test_copies(size_t from, uint8_t exchange, const char *name)
{
	struct copies copies = {.from = from, .exchange = exchange, .times = 20};

	begin(4);
	B->job_us = 60 * WORLD_MS;
	world.filter = copy;
	world.filter_arg = &copies;
	send_init(60 * WORLD_MS);
	world_run_for(&world, 2000 * WORLD_MS);
	is_up_without_more(name);
}

#define FORGED 3

/* With a value that is none, before host 1's true answer; that one comes once, or not at all. */
struct forgery {
	unsigned times;
	uint64_t every_us;
	bool alone;
};

static bool forge_ke(struct world *w, struct packet *packet)
{
	const struct forgery *forgery = w->filter_arg;
	static uint8_t forged[IKE_MESSAGE_MAX];
	const struct ike_payload *ke;
	struct ike_message message;

	if (packet->from != 1 || packet->exchange != IKE_EXCHANGE_IKE_SA_INIT)
		return true;
	if (w->filter_count++ > 0 || !ike_message_parse(packet->data, packet->len, &message))
		return false;
	ke = ike_message_find(&message, IKE_PAYLOAD_KE);
	memcpy(forged, packet->data, packet->len);
	memset(forged + (ke->data - packet->data) + 4, 0, ke->len - 4);
	for (unsigned i = 0; i < forgery->times; i++)
		world_inject(w, 1, forged, packet->len, i * forgery->every_us);
	return !forgery->alone;
}

static void test_forged(void)
{
	struct forgery forgery = {.times = FORGED};

	begin(5);
	world.filter = forge_ke;
	world.filter_arg = &forgery;
	send_init(LATE_US);
	world_run_for(&world, 2000 * WORLD_MS);
	ok(A->ups == 1 && world_agrees(&world) && A->softs == 1 && A->retransmissions == 1,
		"forged answers bring one hint and one request more (N5)");
	ok(A->up_us < 1000000 + (FORGED + 3) * LATE_US + 50 * WORLD_MS, "and take a worker's time, nothing else");
	world_clear(&world);
}

static void test_forged_for_ever(void)
{
	struct forgery forgery = {.times = 12000, .every_us = WORLD_MS / 2, .alone = true};

	begin(9);
	world.filter = forge_ke;
	world.filter_arg = &forgery;
	send_init(WORLD_MS);
	world_run_for(&world, A->conns[0].retransmit_timeout_ms * WORLD_MS + 10 * WORLD_MS);
	ok(A->faileds == 1 && A->ups == 0, "without end they do not keep a negotiation alive");
	world_clear(&world);
}

/*
 * A copy of host 1's true answer comes before it, but for a NAT that it makes up: what an anonymous
 * peer behind one may not have (N9) is not said by the peer before AUTH.
 */
static bool forge_nat(struct world *w, struct packet *packet)
{
	static uint8_t forged[IKE_MESSAGE_MAX];
	struct ike_message message;
	struct ike_notify notify;

	if (packet->from != 1 || packet->exchange != IKE_EXCHANGE_IKE_SA_INIT || w->filter_count++ > 0 ||
		!ike_message_parse(packet->data, packet->len, &message) ||
		!ike_notify_find(&message, IKE_NOTIFY_NAT_DETECTION_SOURCE_IP, &notify))
		return true;
	memcpy(forged, packet->data, packet->len);
	forged[notify.data - packet->data] ^= 1;
	world_inject(w, 1, forged, packet->len, 0);
	return true;
}

static void test_forged_nat(void)
{
	world_init(&world, 10, IKE_AUTH_NULL);
	world.filter = forge_nat;
	send_init(0);
	world_run_for(&world, 2000 * WORLD_MS);
	ok(A->ups == 1 && world_agrees(&world) && A->softs == 1, "a NAT that somebody makes up is a hint, too");
	world_clear(&world);
}

/* --- where the peer is ------------------------------------------------------------------------------- */

static const uint8_t *authentic;
static size_t authentic_len;

static bool only_to_its_port(struct world *w, struct packet *packet)
{
	if (packet->from == 0 && packet->exchange == IKE_EXCHANGE_IKE_AUTH && !authentic) {
		authentic = mem_dup(packet->data, packet->len);
		authentic_len = packet->len;
	}
	(void)w;
	return packet->from == 0 || packet->path.remote.port == 500;
}

/* Somebody sends IKE_AUTH once more, from another port, while the workers have it. */
static void test_copy_from_elsewhere(uint64_t after_us)
{
	struct path path;

	begin(11);
	authentic = NULL;
	B->job_us = LATE_US;
	world.filter = only_to_its_port;
	send_init(0);
	while (!authentic)
		world_run_for(&world, WORLD_MS);
	world_run_for(&world, after_us);
	path = world_path(&world, 1);
	path.remote.port = 501;
	ike_datagram(B->ike, &path, authentic, authentic_len, world.now_us);
	world_run_for(&world, 2000 * WORLD_MS);
	ok(A->ups == 1 && B->ups == 1 && world_agrees(&world) && A->retransmissions == 0,
		"a copy from elsewhere after %lu ms moves nobody", (unsigned long)(after_us / WORLD_MS));
	free((void *)authentic);
	world_clear(&world);
}

/* --- late beyond the budget --------------------------------------------------------------------------- */

/* Who asks late gets the time for an answer; the peer would else have a tunnel with nobody. */
static void test_very_late(uint64_t job_us)
{
	begin(12);
	A->job_us = job_us;
	world_initiate(&world, 0);
	world_run_for(&world, 20000 * WORLD_MS);
	ok(A->ups == 1 && A->faileds == 0 && B->ups == 1 && world_agrees(&world), "each job takes %lu ms",
		(unsigned long)(job_us / WORLD_MS));
	world_clear(&world);
}

/* --- memory ------------------------------------------------------------------------------------------ */

static size_t heap_used(void)
{
	return mallinfo2().uordblks;
}

/* Host 0's last datagram of IKE_AUTH. */
struct kept {
	uint8_t data[2048];
	size_t len;
};

static bool keep_auth(struct world *w, struct packet *packet)
{
	struct kept *kept = w->filter_arg;

	if (packet->from != 0 || packet->exchange != IKE_EXCHANGE_IKE_AUTH || packet->len > sizeof(kept->data))
		return true;
	memcpy(kept->data, packet->data, packet->len);
	kept->len = packet->len;
	return false;
}

/* Who never lets the true one come sends a thousand that nobody can open yet. */
static void test_bound(const char *name, size_t len)
{
	struct kept kept = {0};
	struct path path;
	size_t before;

	begin(6);
	world.filter = keep_auth;
	world.filter_arg = &kept;
	send_init(0);
	world_run_for(&world, 10 * WORLD_MS);
	ok(kept.len > 0 && B->ike->by_id && !B->ike->by_id->keys, "IKE_AUTH is on its way");
	B->job_us = LATE_US;
	path = world_path(&world, 1);
	before = heap_used();
	len = len ? len : kept.len;
	kept.data[26] = kept.data[30] = 0;
	kept.data[27] = (uint8_t)len;
	kept.data[31] = (uint8_t)(len - IKE_HEADER_LEN);
	kept.data[kept.len - 1] ^= 1;
	for (unsigned i = 0; i < 1000; i++)
		ike_datagram(B->ike, &path, kept.data, len, world.now_us);
	ok(heap_used() - before < 32768, "1,000 %s of it cost %zu bytes", name, heap_used() - before);
	world.filter = NULL;
	world_run_for(&world, 2000 * WORLD_MS);
	ok(A->ups == 1 && world_agrees(&world), "and the true one is taken when it comes again");
	world_clear(&world);
}

/* Gone before the worker comes to it. */
static void test_gone(void)
{
	begin(7);
	B->job_us = 15000 * WORLD_MS;
	send_init(0);
	world_run_for(&world, 12000 * WORLD_MS);
	ok(!B->ike->by_id && B->ike->by_job, "a half-open SA is gone, its job is not");
	world_run_for(&world, 10000 * WORLD_MS);
	ok(!B->ike->by_job && !B->ike->dead, "then nothing is left");
	world_clear(&world);

	begin(8);
	A->job_us = 500 * WORLD_MS;
	ike_delete(A->ike, world_initiate(&world, 0), world.now_us);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(A->faileds == 1 && !A->ike->by_job && !A->ike->dead && world.wire_count == 0,
		"one that is given up before its first request sends none");
	world_clear(&world);
}

int main(void)
{
	test_late();
	test_copies(0, IKE_EXCHANGE_IKE_SA_INIT, "copies of the request");
	test_copies(1, IKE_EXCHANGE_IKE_SA_INIT, "copies of the answer");
	test_copies(0, IKE_EXCHANGE_IKE_AUTH, "copies of IKE_AUTH");
	test_forged();
	test_forged_for_ever();
	test_forged_nat();
	test_copy_from_elsewhere(10 * WORLD_MS);
	test_copy_from_elsewhere(LATE_US + 10 * WORLD_MS);
	test_very_late(1400 * WORLD_MS);
	test_very_late(4100 * WORLD_MS);
	test_bound("datagrams", 0);
	test_bound("datagrams without content", IKE_HEADER_LEN + 4);
	test_gone();
	return tap_done();
}
