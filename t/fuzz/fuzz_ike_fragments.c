/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fragments (RFC 7383). The input is a program: pieces with any number, total,
 * message id and content, sealed as a peer with the keys would; bytes that are
 * no piece; and whole messages that we fragment ourselves, delivered in any
 * order.
 *
 * A model beside it collects what RFC 7383 2.6 says should be collected. What
 * is put together must be what the model has, and stay below its bounds.
 */
#include "ike/sa.h"
#include "ike/sk.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ORDERS 96
#define PIECE_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct model {
	bool begun;
	uint32_t id;
	bool is_response;
	uint16_t total, have;
	size_t bytes;
	size_t lens[IKE_FRAGMENTS_MAX];
	bool has[IKE_FRAGMENTS_MAX];
	uint8_t content[IKE_FRAGMENTS_MAX][PIECE_MAX];
};

static struct model model;
static struct ike_keys keys;
static struct ike engine;
static struct ike_sa sa;
static uint8_t sealed[IKE_SEALED_MAX], plain[IKE_MESSAGE_MAX];

static void demand(bool good)
{
	if (!good)
		abort();
}

static struct ike_keys make_keys(uint8_t kind)
{
	static const struct ike_chosen ciphers[] = {
		{.encr = IKE_ENCR_AES_GCM_16, .key_bits = 256},
		{.encr = IKE_ENCR_AES_CBC, .key_bits = 128, .integ = IKE_INTEG_HMAC_SHA2_256_128},
		{.encr = IKE_ENCR_CHACHA20_POLY1305},
	};
	struct ike_chosen chosen = ciphers[kind % 3];
	struct ike_nonce nonce = {.len = IKE_NONCE_MIN};
	struct secret shared = {.len = 32};
	struct ike_keys made = {0};

	chosen.protocol = IKE_PROTOCOL_IKE;
	chosen.prf = IKE_PRF_HMAC_SHA2_256;
	demand(ike_keys_derive(&made, &chosen, &shared, &nonce, &nonce, 1, 2));
	return made;
}

static struct ike_header header_of(uint32_t id, bool is_response)
{
	return (struct ike_header){.spi_i = 1,
		.spi_r = 2,
		.exchange = IKE_EXCHANGE_INFORMATIONAL,
		.flags = is_response ? IKE_FLAG_RESPONSE : IKE_FLAG_INITIATOR,
		.id = id};
}

/* --- the model ------------------------------------------------------------------------------ */

static void model_reset(const struct ike_header *header, uint16_t total)
{
	memset(&model, 0, offsetof(struct model, content));
	model.begun = true;
	model.id = header->id;
	model.is_response = header->flags & IKE_FLAG_RESPONSE;
	model.total = total;
}

/* True when the message is whole with this piece. */
static bool model_take(const struct ike_header *header, const struct ike_place *place,
	const uint8_t *content, size_t len)
{
	bool same = model.begun && model.id == header->id &&
		    model.is_response == (bool)(header->flags & IKE_FLAG_RESPONSE);

	if (!same || place->total > model.total)
		model_reset(header, place->total);
	if (place->total != model.total || model.has[place->number - 1])
		return false;
	model.bytes += len;
	if (model.bytes > IKE_MESSAGE_MAX) {
		model.begun = false;
		return false;
	}
	model.has[place->number - 1] = true;
	model.lens[place->number - 1] = len;
	memcpy(model.content[place->number - 1], content, len);
	return ++model.have == model.total;
}

static void model_compare(void)
{
	size_t at = 0;

	for (size_t i = 0; i < model.total; i++) {
		demand(memcmp(plain + at, model.content[i], model.lens[i]) == 0);
		at += model.lens[i];
	}
	model.begun = false;
}

static void check_bounds(void)
{
	const struct ike_pieces *set = sa.pieces;
	size_t bytes = 0, have = 0;

	demand(!set == !model.begun);
	if (!set)
		return;
	for (size_t i = 0; i < IKE_FRAGMENTS_MAX; i++) {
		bytes += set->pieces[i].len;
		have += set->pieces[i].data != NULL;
	}
	demand(bytes == set->bytes && bytes <= IKE_MESSAGE_MAX && bytes == model.bytes);
	demand(engine.pieces == set && engine.piece_bytes >= bytes);
	demand(have == set->have && have < set->total && set->total == model.total);
}

/* --- orders --------------------------------------------------------------------------------- */

static bool take(const uint8_t *data, size_t len, enum ike_sk_result *result)
{
	struct ike_message outer, inner;
	/* At its exact size, so that a sanitizer sees what lies behind it. */
	uint8_t *exact = malloc(len ? len : 1);
	bool done = true;

	demand(exact != NULL);
	if (len)
		memcpy(exact, data, len);
	*result = IKE_SK_FORGED;
	if (ike_message_parse(exact, len, &outer))
		done = ike_take_piece(&sa, &outer, exact, len, plain, &inner, result);
	free(exact);
	return done;
}

static void send_piece(struct reader *r)
{
	uint8_t bits = reader_u8(r), fill = reader_u8(r), first = reader_u8(r);
	struct ike_place place = {.number = reader_u8(r), .total = reader_u8(r)};
	struct ike_header header = header_of(bits & 3, bits & 4);
	size_t want = bits & 8 ? reader_u16(r) % PIECE_MAX : reader_u8(r);
	size_t given = reader_left(r) < 16 ? reader_left(r) : 16;
	const uint8_t *bytes = reader_bytes(r, given);
	uint8_t content[PIECE_MAX];
	enum ike_sk_result result;
	size_t len;
	bool done, is_place;

	memset(content, fill, sizeof(content));
	if (given)
		memcpy(content, bytes, given);
	len = ike_sk_seal(&keys, &header, ++sa.iv, first, &place, content, want, sealed, sizeof(sealed));
	demand(len > 0);
	done = take(sealed, len, &result);
	/* 2.5: numbers from 1 to the total; the type is there in the first one only. */
	is_place = place.number > 0 && place.number <= place.total && place.total <= IKE_FRAGMENTS_MAX;
	if (!is_place) {
		demand(done && result == IKE_SK_FORGED);
	} else {
		bool whole = model_take(&header, &place, content, want);

		demand(whole == done);
		if (whole)
			model_compare();
	}
}

/* A true piece of which one bit was changed, or any bytes: nothing comes of it. */
static void send_noise(struct reader *r)
{
	uint8_t bits = reader_u8(r);
	struct ike_place place = {.number = 1, .total = 2};
	struct ike_header header = header_of(0, false);
	size_t at = reader_u16(r), given = reader_u8(r), len;
	enum ike_sk_result result;

	given = given < reader_left(r) ? given : reader_left(r);
	if (bits & 1) {
		take(reader_bytes(r, given), given, &result);
		demand(result == IKE_SK_FORGED);
		return;
	}
	len = ike_sk_seal(&keys, &header, ++sa.iv, 41, &place, (const uint8_t *)"noise", 5, sealed, sizeof(sealed));
	sealed[at % len] ^= (uint8_t)(1 + bits % 255);
	take(sealed, len, &result);
	demand(result == IKE_SK_FORGED);
}

/* Where the datagrams of a message begin that lie one behind the other. */
static size_t cut(size_t total, size_t starts[IKE_FRAGMENTS_MAX], size_t lens[IKE_FRAGMENTS_MAX])
{
	size_t count = 0;

	for (size_t at = 0; at < total; at += lens[count++]) {
		struct ike_header header;

		demand(count < IKE_FRAGMENTS_MAX && ike_header_parse(sealed + at, total - at, &header));
		starts[count] = at;
		lens[count] = header.len;
		demand(header.len <= 1280);
	}
	return count;
}

/* What we send in pieces comes out whole at the other end, in whatever order they come. */
static void send_whole(struct reader *r)
{
	static uint8_t content[IKE_MESSAGE_MAX];
	size_t starts[IKE_FRAGMENTS_MAX], lens[IKE_FRAGMENTS_MAX];
	/* Prime, so that it comes by all pieces unless their count is a multiple of it. */
	static const size_t steps[] = {1, 2, 3, 5, 7};
	size_t len = reader_u16(r) % IKE_MESSAGE_MAX, step = steps[reader_u8(r) % 5], total, count, at = 0;
	uint8_t fill = reader_u8(r);
	struct ike_header header = header_of(99, false);
	enum ike_sk_result result;

	for (size_t i = 0; i < len; i++)
		content[i] = (uint8_t)(fill + i + (i >> 8));
	total = ike_seal(&sa, &header, IKE_PAYLOAD_VENDOR, content, len, sealed, sizeof(sealed));
	demand(total > 0);
	count = cut(total, starts, lens);
	if (count == 1)
		return;
	if (count % step == 0)
		step = 1;
	for (size_t i = 0; i < count; i++, at = (at + step) % count) {
		bool done = take(sealed + starts[at], lens[at], &result);

		demand(done == (i + 1 == count));
		if (!done)
			demand(!take(sealed + starts[at], lens[at], &result));
	}
	demand(result != IKE_SK_FORGED && memcmp(plain, content, len) == 0);
	model.begun = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_init(data, len);

	keys = make_keys(reader_u8(&r));
	memset(&sa, 0, sizeof(sa));
	memset(&model, 0, offsetof(struct model, content));
	sa.ike = &engine;
	sa.keys = &keys;
	sa.fragments = true;
	sa.path.remote.addr.family = ADDR_IPV4;
	for (unsigned i = 0; i < MAX_ORDERS && reader_left(&r) > 0; i++) {
		switch (reader_u8(&r) % 4) {
		case 0:
		case 1:
			send_piece(&r);
			break;
		case 2:
			send_noise(&r);
			break;
		case 3:
			send_whole(&r);
			break;
		}
		check_bounds();
	}
	ike_pieces_clear(&sa);
	demand(engine.piece_bytes == 0 && !engine.pieces);
	heap_remove(&engine.due, &sa.due);
	heap_clear(&engine.due);
	ike_keys_clear(&keys);
	return 0;
}
