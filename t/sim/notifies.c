/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notifies that nobody knows, in each exchange (RFC 7296 3.10.1): in a request all of them are
 * ignored, in a response those that are no errors; an error there means that the request has failed
 * entirely, whatever else the response has. The message is changed as if its sender had built it so.
 */
#include "t/sim/world.h"
#include "t/tap.h"

#include "ike/sa.h"
#include "ike/sk.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/* Of no registry: the last that is an error, and one of those for private use. */
#define UNKNOWN_ERROR 16383
#define UNKNOWN_STATUS 40961

/* Of an IKE header. */
#define NEXT_AT 16
#define LENGTH_AT 24
#define HEADER 28

static struct world world;

#define A (&world.hosts[0])
#define B (&world.hosts[1])

/* What gets a notify more. */
struct row {
	uint8_t exchange;
	bool answer;
	uint16_t type;
	const char *name;
};

static const struct row rows[] = {
	{IKE_EXCHANGE_IKE_SA_INIT, false, UNKNOWN_STATUS, "a status in IKE_SA_INIT"},
	{IKE_EXCHANGE_IKE_SA_INIT, false, UNKNOWN_ERROR, "an error in IKE_SA_INIT"},
	{IKE_EXCHANGE_IKE_SA_INIT, true, UNKNOWN_STATUS, "a status in the answer to IKE_SA_INIT"},
	{IKE_EXCHANGE_IKE_SA_INIT, true, UNKNOWN_ERROR, "an error in the answer to IKE_SA_INIT"},
	{IKE_EXCHANGE_IKE_AUTH, false, UNKNOWN_STATUS, "a status in IKE_AUTH"},
	{IKE_EXCHANGE_IKE_AUTH, false, UNKNOWN_ERROR, "an error in IKE_AUTH"},
	{IKE_EXCHANGE_IKE_AUTH, true, UNKNOWN_STATUS, "a status in the answer to IKE_AUTH"},
	{IKE_EXCHANGE_IKE_AUTH, true, UNKNOWN_ERROR, "an error in the answer to IKE_AUTH"},
	{IKE_EXCHANGE_CREATE_CHILD_SA, false, UNKNOWN_STATUS, "a status in CREATE_CHILD_SA"},
	{IKE_EXCHANGE_CREATE_CHILD_SA, false, UNKNOWN_ERROR, "an error in CREATE_CHILD_SA"},
	{IKE_EXCHANGE_CREATE_CHILD_SA, true, UNKNOWN_STATUS, "a status in the answer to CREATE_CHILD_SA"},
	{IKE_EXCHANGE_CREATE_CHILD_SA, true, UNKNOWN_ERROR, "an error in the answer to CREATE_CHILD_SA"},
	{IKE_EXCHANGE_INFORMATIONAL, false, UNKNOWN_STATUS, "a status in INFORMATIONAL"},
	{IKE_EXCHANGE_INFORMATIONAL, false, UNKNOWN_ERROR, "an error in INFORMATIONAL"},
};

/* --- the change ------------------------------------------------------------------------------- */

/* A notify in front of a chain that begins with a payload of type `next`; gives the length of both. */
static size_t put_in_front(uint8_t *out, uint8_t next, uint16_t type, const uint8_t *chain, size_t len)
{
	const uint8_t notify[] = {next, 0, 0, 8, 0, 0, (uint8_t)(type >> 8), (uint8_t)type};

	memcpy(out, notify, sizeof(notify));
	memcpy(out + sizeof(notify), chain, len);
	return sizeof(notify) + len;
}

/* IKE_SA_INIT with its notify: AUTH will be over what the sender remembers, so that must have it, too. */
static uint8_t changed[IKE_MESSAGE_MAX];
static size_t changed_len;

static void remember(const struct row *row)
{
	struct ike_handshake *h;

	if (!changed_len)
		return;
	h = world.hosts[row->answer].ike->by_id->handshake;
	ike_kept_set(row->answer ? &h->init_response : &h->init_request, changed, changed_len);
	changed_len = 0;
}

static size_t change_in_clear(const struct packet *packet, const struct row *row, uint8_t *out)
{
	size_t len = HEADER + put_in_front(out + HEADER, packet->data[NEXT_AT], row->type, packet->data + HEADER,
				      packet->len - HEADER);

	memcpy(out, packet->data, HEADER);
	out[NEXT_AT] = IKE_PAYLOAD_NOTIFY;
	out[LENGTH_AT + 2] = (uint8_t)(len >> 8);
	out[LENGTH_AT + 3] = (uint8_t)len;
	memcpy(changed, out, len);
	changed_len = len;
	return len;
}

static size_t change_inside(const struct packet *packet, const struct row *row, struct ike_sa *sa, uint8_t *out)
{
	static uint8_t plain[IKE_MESSAGE_MAX], chain[IKE_MESSAGE_MAX];
	struct ike_message outer, inner;
	size_t len;

	if (!ike_message_parse(packet->data, packet->len, &outer) ||
		ike_sk_open(sa->keys, packet->data, packet->len, &outer, plain, &inner) != IKE_SK_OPENED)
		return 0;
	len = put_in_front(chain, inner.first, row->type, inner.content, inner.content_len);
	return ike_sk_seal(sa->keys, &outer.header, ++sa->iv, IKE_PAYLOAD_NOTIFY, NULL, chain, len, out,
		IKE_MESSAGE_MAX);
}

static bool add_notify(struct world *w, struct packet *packet)
{
	static uint8_t out[IKE_MESSAGE_MAX];
	const struct row *row = w->filter_arg;
	struct ike_sa *sa = w->hosts[packet->from].ike->by_id;
	size_t len;

	/* Not while it is being sent: that is what is remembered. */
	if (packet->from != row->answer)
		remember(row);
	if (packet->exchange != row->exchange || packet->answer != row->answer)
		return true;
	len = packet->exchange == IKE_EXCHANGE_IKE_SA_INIT ? change_in_clear(packet, row, out)
							    : change_inside(packet, row, sa, out);
	free(packet->data);
	packet->data = mem_dup(out, len);
	packet->len = len;
	w->filter_count += len > 0;
	return true;
}

/* --- what comes of it --------------------------------------------------------------------------- */

/* The exchange itself, by host 0. */
static void have_exchange(const struct row *row)
{
	if (row->exchange == IKE_EXCHANGE_CREATE_CHILD_SA)
		ike_rekey(A->ike, A->children[0].child.id, world.now_us);
	else if (row->exchange == IKE_EXCHANGE_INFORMATIONAL)
		ike_send_probe(A->ike->by_id);
	else
		world_initiate(&world, 0);
	/* A rekey that has failed is not tried again by then. */
	world_run_for(&world, 900 * WORLD_MS);
}

static void test_row(const struct row *row, uint64_t seed)
{
	bool first = row->exchange == IKE_EXCHANGE_IKE_SA_INIT || row->exchange == IKE_EXCHANGE_IKE_AUTH;
	bool fails = row->answer && row->type == UNKNOWN_ERROR;
	unsigned pairs = row->exchange == IKE_EXCHANGE_CREATE_CHILD_SA && !fails ? 2 : 1;

	world_init(&world, seed, IKE_AUTH_PSK);
	changed_len = 0;
	if (!first) {
		world_initiate(&world, 0);
		world_run_for(&world, 100 * WORLD_MS);
	}
	world.filter = add_notify;
	world.filter_arg = (void *)(uintptr_t)row;
	have_exchange(row);
	if (first && fails)
		ok(A->faileds == 1 && A->failed_reason == IKE_REASON_PEER_ERROR && !A->ups && !A->child_count,
			"%s: it has failed", row->name);
	else
		ok(A->ups == pairs && A->child_count == pairs && !A->faileds && !A->downs && !B->downs &&
				!B->refusals && (fails || world_agrees(&world)),
			"%s: %s", row->name, fails ? "it has failed, and what stands stays" : "ignored");
	ok(world.filter_count > 0 && world_sent(&world, 1, row->exchange, true) > 0, "it was there, and answered");
	world_clear(&world);
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		test_row(&rows[i], 1 + i);
	return tap_done();
}
