/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A negotiation in which one payload of one message is not as it should be: each
 * of them missing, twice, empty, shorter, longer (CVE-2013-6467, CVE-2023-41913).
 * Messages of IKE_AUTH are opened on their way, changed, and sealed again: who
 * sends them is the peer. However it ends, both ends agree on it.
 */
#include "t/sim/world.h"
#include "t/tap.h"

#include "ike/sa.h"
#include "ike/sk.h"
#include "lib/mem.h"

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

enum change { MISSING, TWICE, EMPTY, SHORTER, LONGER, VAST, CHANGES, SPI_LOW };
static const char *const change_names[] = {"missing", "twice", "empty", "shorter", "longer", "vast"};
/* Of the first proposal in an SA payload. */
#define SPI_AT 8

static struct {
	uint8_t exchange;
	bool answer;
	size_t index;
	enum change change;
	bool done; /* the message has come, and has such a payload */
	uint8_t type;
	uint32_t spi;
} plan;

static void put(struct ike_builder *chain, const struct ike_payload *payload, enum change change)
{
	static const uint8_t vast[3000];

	ike_build_begin(chain, payload->type);
	if (change == SPI_LOW) {
		writer_bytes(&chain->w, payload->data, SPI_AT);
		writer_u32(&chain->w, plan.spi);
		writer_bytes(&chain->w, payload->data + SPI_AT + 4, payload->len - SPI_AT - 4);
	} else if (change == SHORTER && payload->len)
		writer_bytes(&chain->w, payload->data, payload->len - 1);
	else if (change != EMPTY)
		writer_bytes(&chain->w, payload->data, payload->len);
	if (change == LONGER || change == VAST)
		writer_bytes(&chain->w, vast, change == VAST ? sizeof(vast) : 1);
	ike_build_end(chain);
}

static void change_chain(struct ike_builder *chain, const struct ike_message *message)
{
	for (size_t i = 0; i < message->count; i++) {
		bool meant = i == plan.index;

		if (meant && plan.change == MISSING)
			continue;
		put(chain, &message->payloads[i], meant ? plan.change : TWICE);
		if (meant && plan.change == TWICE)
			put(chain, &message->payloads[i], TWICE);
	}
	plan.type = message->payloads[plan.index].type;
	plan.done = true;
}

static size_t change_clear(const struct ike_message *message, uint8_t *out, size_t room)
{
	struct ike_builder chain = ike_build_message(out, room, &message->header);

	change_chain(&chain, message);
	return ike_build_finish(&chain);
}

static size_t change_sealed(struct world *w, const struct packet *packet, const struct ike_message *outer,
	uint8_t *out, size_t room)
{
	static uint8_t plain[IKE_MESSAGE_MAX], inner[IKE_MESSAGE_MAX];
	struct ike_sa *sa = w->hosts[packet->from].ike->by_id;
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));
	struct ike_message opened;

	if (!sa || ike_sk_open(sa->keys, packet->data, packet->len, outer, plain, &opened) != IKE_SK_OPENED ||
		plan.index >= opened.count)
		return 0;
	change_chain(&chain, &opened);
	return ike_sk_seal(
		sa->keys, &outer->header, ++sa->iv, chain.first, NULL, inner, ike_build_finish(&chain), out, room);
}

static bool change(struct world *w, struct packet *packet)
{
	static uint8_t out[IKE_MESSAGE_MAX];
	struct ike_message message;
	size_t len = 0;

	/* Of IKE_SA_INIT each copy: a refusal of one is only a hint (N5), and the next would be as it should be. */
	if ((plan.done && packet->exchange == IKE_EXCHANGE_IKE_AUTH) || packet->exchange != plan.exchange || packet->answer != plan.answer ||
		!ike_message_parse(packet->data, packet->len, &message))
		return true;
	if (ike_message_find(&message, IKE_PAYLOAD_SK))
		len = change_sealed(w, packet, &message, out, sizeof(out));
	else if (plan.index < message.count)
		len = change_clear(&message, out, sizeof(out));
	if (!len)
		return true;
	world_inject(w, packet->from, out, len, world.delay_us);
	return false;
}

static void begin(void)
{
	world_init(&world, 1, IKE_AUTH_PSK);
	A->conns[0].retransmit_timeout_ms = B->conns[0].retransmit_timeout_ms = 1000;
	world_reload(&world, 0);
	world_reload(&world, 1);
	world.filter = change;
	plan.done = false;
	world_initiate(&world, 0);
}

/* Goes on until the changed message has been dealt with and what it may have left is gone. */
static bool ends_well(void)
{
	bool ended, agreed;

	begin();
	world_run_for(&world, 100000 * WORLD_MS);
	ended = A->ups + A->faileds == 1 && ike_counters(B->ike).half_open == 0;
	agreed = world_agrees(&world) && A->child_count == A->ups &&
		 ike_counters(A->ike).sas == ike_counters(B->ike).sas;
	return ended && agreed;
}

/* All payloads of a message by turns; `covered`: AUTH says that it was changed. */
static void test_message(uint8_t exchange, bool answer, bool covered, const char *name)
{
	for (unsigned i = 0; i < CHANGES; i++) {
		unsigned count = 0, bad = 0, ups = 0;

		plan.exchange = exchange;
		plan.answer = answer;
		plan.change = (enum change)i;
		for (plan.index = 0; plan.index < IKE_MAX_PAYLOADS; plan.index++) {
			bool good = ends_well();

			ups += plan.done && A->ups;
			if (!good)
				diag("payload %zu, type %u", plan.index, plan.type);
			world_clear(&world);
			if (!plan.done)
				break;
			count++;
			bad += !good;
		}
		ok(count >= 5 && !bad && !(covered && ups), "%s: each of %u payloads %s: %u came up", name, count,
			change_names[i], ups);
	}
}

/* An SPI for ESP that no SA may have. */
static void test_spi(bool answer, size_t index)
{
	static const uint32_t spis[] = {0, 1, 255};

	plan.exchange = IKE_EXCHANGE_IKE_AUTH;
	plan.answer = answer;
	plan.change = SPI_LOW;
	plan.index = index;
	for (size_t i = 0; i < ARRAY_LEN(spis); i++) {
		bool good;

		plan.spi = spis[i];
		good = ends_well();
		ok(good && plan.type == IKE_PAYLOAD_SA && A->faileds == 1 && B->ups == answer && !B->child_count,
			"SPI %u in the %s: no CHILD SA", plan.spi, answer ? "answer" : "request");
		world_clear(&world);
	}
}

/* At once: what is left of a refused one has no CHILD SA, and is in no state but that. */
static void test_spi_refused(void)
{
	const struct ike_sa *sa;

	plan.answer = false;
	plan.spi = 0;
	plan.index = 2;
	begin();
	world_run_for(&world, 50 * WORLD_MS);
	sa = B->ike->by_id;
	ok(plan.done && sa && sa->state == IKE_SA_CHECKING && !sa->children && !sa->handshake,
		"the refusal waits to be repeated, and nothing else");
	world_clear(&world);
}

int main(void)
{
	test_message(IKE_EXCHANGE_IKE_SA_INIT, false, true, "IKE_SA_INIT request");
	test_message(IKE_EXCHANGE_IKE_SA_INIT, true, true, "IKE_SA_INIT response");
	test_message(IKE_EXCHANGE_IKE_AUTH, false, false, "IKE_AUTH request");
	test_message(IKE_EXCHANGE_IKE_AUTH, true, false, "IKE_AUTH response");
	test_spi(false, 2);
	test_spi(true, 2);
	test_spi_refused();
	return tap_done();
}
