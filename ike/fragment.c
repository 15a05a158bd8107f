/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IKE fragmentation (RFC 7383), for messages that a path would drop: what is
 * longer than a datagram that every path carries goes in several, each sealed
 * by itself; what comes in pieces is collected until it is whole.
 *
 * A message that we keep is its datagrams one behind the other: each says its
 * own length. At most one set of pieces is collected for an SA, of the message
 * that it waits for, and not for long; a piece is looked at only after its own
 * integrity check.
 */
#include "ike/sa.h"
#include "ike/sk.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* RFC 8200 5: IPv6 carries 1280 octets everywhere. The same serves IPv4. */
#define DATAGRAM_MAX 1280
#define UDP_LEN 8
#define IPV4_LEN 20
#define IPV6_LEN 40
/* Port 4500 prepends four zero bytes. */
#define MARKER_LEN 4
/* Strangers, too, send pieces, and need not send the last one: so much of all SAs, so long of one. */
#define PIECES_MAX (16u << 20)
#define PIECES_LIFE_US (30 * UINT64_C(1000000))
#define PIECE_OVERHEAD 32u

bool ike_fragments_agreed(const struct ike_sa *sa, const struct ike_message *init)
{
	struct ike_notify notify;

	return !ike_sa_conn(sa)->no_fragments &&
	       ike_notify_find(init, IKE_NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED, &notify);
}

/* --- sending ------------------------------------------------------------------------------ */

static size_t message_max(const struct ike_sa *sa)
{
	size_t ip = sa->path.remote.addr.family == ADDR_IPV4 ? IPV4_LEN : IPV6_LEN;

	return DATAGRAM_MAX - ip - UDP_LEN - MARKER_LEN;
}

static size_t seal_pieces(struct ike_sa *sa, const struct ike_header *header, uint8_t first,
	const uint8_t *inner, size_t len, uint8_t *out, size_t room)
{
	size_t piece_max = ike_sk_room(sa->keys, true, message_max(sa));
	size_t total = (len + piece_max - 1) / piece_max;
	struct ike_place place = {.total = (uint16_t)total};
	size_t at = 0;

	if (total > IKE_FRAGMENTS_MAX)
		return 0;
	for (place.number = 1; place.number <= total; place.number++) {
		size_t from = (place.number - 1u) * piece_max;
		size_t piece = len - from < piece_max ? len - from : piece_max;
		size_t sealed = ike_sk_seal(sa->keys, header, ++sa->iv,
			place.number == 1 ? first : IKE_PAYLOAD_NONE, &place, inner + from, piece,
			out + at, room - at);

		if (!sealed)
			return 0;
		at += sealed;
	}
	return at;
}

size_t ike_seal(struct ike_sa *sa, const struct ike_header *header, uint8_t first,
	const uint8_t *inner, size_t len, uint8_t *out, size_t room)
{
	if (sa->fragments && len > ike_sk_room(sa->keys, false, message_max(sa)))
		return seal_pieces(sa, header, first, inner, len, out, room);
	return ike_sk_seal(sa->keys, header, ++sa->iv, first, NULL, inner, len, out, room);
}

void ike_send_kept(struct ike_sa *sa, const struct ike_kept *message, const struct path *path)
{
	size_t at = 0;

	sa->sent_us = sa->ike->now_us;
	while (at < message->len) {
		struct ike_header header;

		ike_header_parse(message->data + at, message->len - at, &header);
		sa->ike->ops.send(sa->ike->arg, path, message->data + at, header.len);
		at += header.len;
	}
	ike_sa_schedule(sa);
}

bool ike_is_in_flight(const struct ike_sa *sa, const uint8_t *quoted, size_t len)
{
	const struct ike_kept *sent = &sa->request.message;
	size_t at = 0;

	while (at < sent->len) {
		struct ike_header header;

		ike_header_parse(sent->data + at, sent->len - at, &header);
		if (memcmp(sent->data + at, quoted, len < header.len ? len : header.len) == 0)
			return true;
		at += header.len;
	}
	return false;
}

/* --- receiving ------------------------------------------------------------------------------- */

/* In memory, about. */
static size_t cost_of(const struct ike_pieces *set)
{
	return sizeof(*set) + set->bytes + set->have * PIECE_OVERHEAD;
}

void ike_pieces_clear(struct ike_sa *sa)
{
	struct ike_pieces *set = sa->pieces;

	if (!set)
		return;
	for (size_t i = 0; i < IKE_FRAGMENTS_MAX; i++) {
		if (set->pieces[i].data)
			secret_wipe(set->pieces[i].data, set->pieces[i].len);
		ike_kept_clear(&set->pieces[i]);
	}
	sa->ike->piece_bytes -= cost_of(set);
	DL_DELETE(sa->ike->pieces, set);
	free(set);
	sa->pieces = NULL;
}

uint64_t ike_pieces_due(const struct ike_sa *sa)
{
	return sa->pieces ? sa->pieces->began_us + PIECES_LIFE_US : IKE_NEVER;
}

bool ike_pieces_tick(struct ike_sa *sa)
{
	if (ike_pieces_due(sa) > sa->ike->now_us)
		return false;
	ike_pieces_clear(sa);
	ike_sa_schedule(sa);
	return true;
}

static struct ike_pieces *collect(struct ike_sa *sa)
{
	struct ike_pieces *set = mem_new(struct ike_pieces);

	sa->pieces = set;
	set->sa = sa;
	set->began_us = sa->ike->now_us;
	DL_APPEND(sa->ike->pieces, set);
	sa->ike->piece_bytes += cost_of(set);
	ike_sa_schedule(sa);
	return set;
}

/* Who has begun long ago gives way: a peer that is there sends all of a message at once. */
static void keep_bounds(struct ike *ike)
{
	while (ike->piece_bytes > PIECES_MAX && ike->pieces->next) {
		struct ike_sa *sa = ike->pieces->sa;

		ike_pieces_clear(sa);
		ike_sa_schedule(sa);
	}
}

/*
 * 2.6: whether the piece belongs to what is collected; a new message, or a
 * larger total of the same (the sender tries smaller pieces), begins anew.
 */
static bool belongs(struct ike_sa *sa, const struct ike_header *header, const struct ike_place *place)
{
	bool is_response = header->flags & IKE_FLAG_RESPONSE;
	struct ike_pieces *set = sa->pieces;

	if (set && set->id == header->id && set->is_response == is_response &&
		place->total <= set->total)
		return place->total == set->total && !set->pieces[place->number - 1].data;
	ike_pieces_clear(sa);
	set = collect(sa);
	set->id = header->id;
	set->is_response = is_response;
	set->total = place->total;
	return true;
}

/*
 * Authentic pieces of more than we take. An SA that stands drops them; a
 * stranger's negotiation, whose IKE_AUTH this is, has no other message to come
 * and is over. True when that is so; *result then says it.
 */
static bool end_too_long(struct ike_sa *sa, enum ike_sk_result *result)
{
	if (sa->state != IKE_SA_HALF_OPEN)
		return false;
	ike_note_detail(sa, "the peer's message is longer than we take");
	*result = IKE_SK_MALFORMED;
	return true;
}

/* True when this piece was the last that was missing. */
static bool add_piece(struct ike_sa *sa, const struct ike_message *outer,
	const struct ike_place *place, const uint8_t *plain, size_t len)
{
	struct ike_pieces *set = sa->pieces;

	set->bytes += len;
	set->have++;
	sa->ike->piece_bytes += len + PIECE_OVERHEAD;
	if (place->number == 1)
		set->first = outer->sk_first;
	ike_kept_set(&set->pieces[place->number - 1], plain, len);
	if (set->have == set->total)
		return true;
	keep_bounds(sa->ike);
	return false;
}

static size_t join(struct ike_sa *sa, uint8_t *out)
{
	size_t len = 0;

	for (size_t i = 0; i < sa->pieces->total; i++) {
		const struct ike_kept *piece = &sa->pieces->pieces[i];

		memcpy(out + len, piece->data, piece->len);
		len += piece->len;
	}
	return len;
}

bool ike_take_piece(struct ike_sa *sa, const struct ike_message *outer, const uint8_t *data, size_t len,
	uint8_t *plain, struct ike_message *inner, enum ike_sk_result *result)
{
	struct ike_place place;
	size_t plain_len;
	uint8_t first;

	*result = IKE_SK_FORGED;
	if (!sa->fragments || !ike_skf_place(outer, &place))
		return true;
	*result = ike_skf_open(sa->keys, data, len, outer, plain, &plain_len);
	if (*result != IKE_SK_OPENED)
		return true;
	if (place.total > IKE_FRAGMENTS_MAX) {
		*result = IKE_SK_FORGED;
		end_too_long(sa, result);
		return true;
	}
	if (!belongs(sa, &outer->header, &place))
		return false;
	if (sa->pieces->bytes + plain_len > IKE_MESSAGE_MAX) {
		ike_pieces_clear(sa);
		return end_too_long(sa, result);
	}
	if (!add_piece(sa, outer, &place, plain, plain_len))
		return false;
	first = sa->pieces->first;
	plain_len = join(sa, plain);
	ike_pieces_clear(sa);
	*result = ike_sk_parse(outer, first, plain, plain_len, inner);
	return true;
}
