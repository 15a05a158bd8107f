/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IKE_INTERMEDIATE (RFC 9242), exchanges between IKE_SA_INIT and IKE_AUTH, and
 * what we have them for: additional key exchanges (RFC 9370), one in each, by
 * the methods that IKE_SA_INIT has chosen. After each, both ends have new keys.
 *
 *   initiator  INITIATING -> INTERMEDIATE, once or several times -> SIGNING
 *   responder  HALF_OPEN, all the time: nobody has shown who they are
 *
 * Both ends' messages, as they are before they are sealed and cut into pieces,
 * go into AUTH: their MACs (IntAuth) are computed as they come and go.
 */
#include "ike/sa.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

/*
 * Of a stranger's: additional key exchanges are seven at most, and what else it
 * may be for is nothing that we know.
 */
#define EXCHANGES_MAX 16

struct ike_intermediate {
	unsigned count; /* of exchanges */
	size_t next;	/* index of the additional key exchange that comes */
	struct kex kex; /* ours of the one under way, as an initiator */
	bool has_i, has_r;
	uint8_t i[PRF_MAX], r[PRF_MAX]; /* IntAuth_i, IntAuth_r */
};

void ike_intermediate_free(struct ike_intermediate *state)
{
	if (!state)
		return;
	kex_clear(&state->kex);
	secret_wipe(state, sizeof(*state));
	free(state);
}

static struct ike_intermediate *state_of(struct ike_sa *sa)
{
	struct ike_handshake *h = sa->handshake;

	if (!h->intermediate)
		h->intermediate = mem_new(struct ike_intermediate);
	return h->intermediate;
}

/* --- IKE_SA_INIT --------------------------------------------------------------------------- */

bool ike_intermediate_wanted(const struct ike_sa *sa)
{
	const struct ike_conn *conn = ike_sa_conn(sa);

	return conn->intermediate || ike_suite_has_addke(&conn->ike);
}

bool ike_intermediate_agreed(const struct ike_sa *sa, const struct ike_message *init)
{
	struct ike_notify notify;

	return ike_intermediate_wanted(sa) &&
	       ike_notify_find(init, IKE_NOTIFY_INTERMEDIATE_EXCHANGE_SUPPORTED, &notify);
}

/* --- IntAuth --------------------------------------------------------------------------------- */

bool ike_intermediate_cover(struct ike_sa *sa, const uint8_t header[IKE_HEADER_LEN], bool of_initiator,
	uint8_t first, const uint8_t *content, size_t len)
{
	struct ike_intermediate *state = state_of(sa);
	uint8_t *mac = of_initiator ? state->i : state->r;
	bool *has = of_initiator ? &state->has_i : &state->has_r;

	*has = auth_cover_intermediate(sa->keys, of_initiator, !*has, header, first, content, len, mac);
	return *has;
}

void ike_intermediate_cover_auth(const struct ike_sa *sa, struct auth_task *task)
{
	const struct ike_intermediate *state = sa->handshake->intermediate;

	/* IKE_AUTH comes next: 0 was IKE_SA_INIT. */
	if (state && state->count)
		auth_task_with_intermediate(task, state->i, state->r, state->count + 1);
}

/* --- both roles: additional key exchanges --------------------------------------------------------- */

static size_t next_addke(const struct ike_sa *sa)
{
	const struct ike_intermediate *state = sa->handshake->intermediate;

	return ike_addke_next(&sa->chosen, state ? state->next : 0);
}

bool ike_intermediate_is_done(const struct ike_sa *sa)
{
	return next_addke(sa) == IKE_ADDKE_MAX;
}

/*
 * An exchange that was agreed on takes place, if for nothing: libreswan 4.10 counts it to AUTH
 * even if there was none.
 */
bool ike_intermediate_is_due(const struct ike_sa *sa)
{
	const struct ike_intermediate *state = sa->handshake->intermediate;

	return !ike_intermediate_is_done(sa) || (sa->handshake->use_intermediate && !state);
}

/* All that follows has keys with the new secret in them. */
static bool update_keys(struct ike_sa *sa, struct secret *shared)
{
	struct ike_nonce ni, nr;
	bool good = ike_read_nonces(sa->handshake, &ni, &nr) &&
		    ike_keys_update(sa->keys, &sa->chosen, shared, &ni, &nr, sa->spi_i, sa->spi_r);

	secret_clear(shared);
	if (good)
		ike_tell_keys(sa);
	return good;
}

/* The KE payload of one; false when it is not there, or not of that method. */
static bool read_ke(const struct ike_message *inner, uint16_t method, struct ike_ke *out)
{
	const struct ike_payload *payload = ike_message_find(inner, IKE_PAYLOAD_KE);

	return payload && ike_ke_parse(payload, out) && out->group == method && out->len <= KEX_PUBLIC_MAX;
}

/* --- the initiator ------------------------------------------------------------------------------- */

void ike_intermediate_send(struct ike_sa *sa)
{
	struct ike_intermediate *state = state_of(sa);
	struct crypto_random random = ike_random(sa->ike);
	uint8_t inner[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(inner, sizeof(inner));

	state->next = next_addke(sa);
	if (state->next < IKE_ADDKE_MAX) {
		if (!kex_generate(&state->kex, sa->chosen.addke[state->next], &random)) {
			ike_sa_end(sa, IKE_REASON_CRYPTO);
			return;
		}
		ike_ke_build(&chain, state->kex.group, state->kex.public, state->kex.public_len);
		kex_forget_public(&state->kex);
	}
	ike_nat_float(sa);
	ike_sa_set_state(sa, IKE_SA_INTERMEDIATE);
	ike_send_sealed_request(sa, IKE_EXCHANGE_IKE_INTERMEDIATE, &chain);
	ike_tell_stage(sa, IKE_STAGE_INTERMEDIATE_SENT);
}

bool ike_intermediate_take_response(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_intermediate *state = sa->handshake->intermediate;
	struct secret shared = {0};
	struct ike_ke ke;
	bool good = !inner->unsupported;

	ike_tell_stage(sa, IKE_STAGE_INTERMEDIATE_RECEIVED);
	if (state->next < IKE_ADDKE_MAX) {
		good = good && read_ke(inner, state->kex.group, &ke) &&
		       kex_derive(&state->kex, ke.data, ke.len, &shared) && update_keys(sa, &shared);
		state->next++;
	}
	secret_clear(&shared);
	kex_clear(&state->kex);
	state->count++;
	return good;
}

/* --- the responder ----------------------------------------------------------------------------- */

/* 3.2: what cannot be gone on with is over; what is left repeats the answer, as of IKE_AUTH. */
static void refuse(struct ike_sa *sa, uint32_t id, uint16_t type, const void *data, size_t len)
{
	ike_tell_refused(sa, IKE_REASON_INVALID_SYNTAX);
	ike_refuse_half_open(sa, IKE_EXCHANGE_IKE_INTERMEDIATE, id, type, data, len);
}

/* The answer leaves under the keys that the request came with. */
static bool answer_ke(struct ike_sa *sa, const struct ike_message *inner, size_t index)
{
	struct crypto_random random = ike_random(sa->ike);
	uint8_t buffer[IKE_MESSAGE_MAX];
	struct ike_builder chain = ike_build_chain(buffer, sizeof(buffer));
	struct secret shared = {0};
	struct kex kex = {0};
	struct ike_ke ke;
	bool good = read_ke(inner, sa->chosen.addke[index], &ke) &&
		    kex_answer(&kex, ke.group, ke.data, ke.len, &random) &&
		    kex_derive(&kex, ke.data, ke.len, &shared);

	if (good) {
		ike_ke_build(&chain, kex.group, kex.public, kex.public_len);
		ike_send_sealed_response(sa, IKE_EXCHANGE_IKE_INTERMEDIATE, inner->header.id, &chain);
		good = update_keys(sa, &shared);
	}
	secret_clear(&shared);
	kex_clear(&kex);
	return good;
}

/* One of a purpose that we do not know, which has nothing in it for us. */
static void answer_nothing(struct ike_sa *sa, uint32_t id)
{
	uint8_t buffer[1];
	struct ike_builder chain = ike_build_chain(buffer, sizeof(buffer));

	ike_send_sealed_response(sa, IKE_EXCHANGE_IKE_INTERMEDIATE, id, &chain);
}

void ike_take_intermediate_request(struct ike_sa *sa, const struct ike_message *inner)
{
	struct ike_intermediate *state = state_of(sa);
	size_t index = next_addke(sa);

	ike_tell_stage(sa, IKE_STAGE_INTERMEDIATE_RECEIVED);
	if (inner->unsupported) {
		refuse(sa, inner->header.id, IKE_NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD, &inner->unsupported, 1);
	} else if (state->count >= EXCHANGES_MAX) {
		ike_note_detail(sa, "too many IKE_INTERMEDIATE exchanges");
		refuse(sa, inner->header.id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
	} else if (index == IKE_ADDKE_MAX) {
		state->count++;
		answer_nothing(sa, inner->header.id);
	} else if (answer_ke(sa, inner, index)) {
		state->count++;
		state->next = index + 1;
	} else {
		ike_note_detail(sa, "its additional key exchange is not what was agreed");
		refuse(sa, inner->header.id, IKE_NOTIFY_INVALID_SYNTAX, NULL, 0);
	}
}
