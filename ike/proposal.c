/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SA payloads (proposal.h). */
#include "ike/proposal.h"

#include "lib/mem.h"

#include <stdio.h>
#include <string.h>

#define LAST 0
#define MORE_PROPOSALS 2
#define MORE_TRANSFORMS 3
#define MAX_TRANSFORMS 255
/* Of a suite of ours: four lists, ESN, and the additional key exchanges. */
#define TRANSFORMS_OURS ((4 + IKE_ADDKE_MAX) * IKE_SUITE_MAX + 2)
#define ESN_NONE 0
#define ESN_EXTENDED 1
#define NO_GUESS UINT16_MAX
#define INTEG_NONE 0

struct transform {
	uint8_t type;
	bool strange; /* it has an attribute that we do not know, and cannot be chosen (3.3.6) */
	uint16_t id;
	uint16_t key_bits;
};

struct proposal {
	uint8_t number;
	uint8_t protocol;
	uint64_t spi;
	struct transform transforms[MAX_TRANSFORMS];
	size_t count;
};

/* --- defaults (RFC 8247, RFC 8221) -------------------------------------------------------- */

static void default_encr(struct ike_suite *suite)
{
	static const struct ike_encr_choice ciphers[] = {
		{IKE_ENCR_AES_GCM_16, 256}, {IKE_ENCR_AES_GCM_16, 128}, {IKE_ENCR_CHACHA20_POLY1305, 0}};

	if (suite->encr_count)
		return;
	memcpy(suite->encr, ciphers, sizeof(ciphers));
	suite->encr_count = ARRAY_LEN(ciphers);
}

static void default_ids(uint16_t *list, size_t *count, const uint16_t *ids, size_t most)
{
	if (*count)
		return;
	memcpy(list, ids, most * sizeof(*ids));
	*count = most;
}

/* RFC 5282: combined-mode ciphers need no integrity algorithm of their own. */
static bool is_combined(uint16_t encr)
{
	return encr != IKE_ENCR_AES_CBC;
}

static void default_integ(struct ike_suite *suite)
{
	bool needed = false;

	for (size_t i = 0; i < suite->encr_count; i++)
		needed = needed || !is_combined(suite->encr[i].id);
	if (!needed || suite->integ_count)
		return;
	suite->integ[0] = IKE_INTEG_HMAC_SHA2_256_128;
	suite->integ[1] = IKE_INTEG_HMAC_SHA2_512_256;
	suite->integ_count = 2;
}

bool ike_suite_has_addke(const struct ike_suite *suite)
{
	for (size_t i = 0; i < IKE_ADDKE_MAX; i++) {
		if (suite->addke_count[i])
			return true;
	}
	return false;
}

static bool may_miss(const uint16_t *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == IKE_KE_NONE)
			return true;
	}
	return count == 0;
}

bool ike_suite_may_miss_addke(const struct ike_suite *suite)
{
	for (size_t i = 0; i < IKE_ADDKE_MAX; i++) {
		if (!may_miss(suite->addke[i], suite->addke_count[i]))
			return false;
	}
	return true;
}

struct ike_suite ike_suite_without_addke(const struct ike_suite *suite)
{
	struct ike_suite without = *suite;

	memset(without.addke_count, 0, sizeof(without.addke_count));
	return without;
}

size_t ike_addke_next(const struct ike_chosen *chosen, size_t from)
{
	while (from < IKE_ADDKE_MAX && chosen->addke[from] == IKE_KE_NONE)
		from++;
	return from;
}

struct ike_suite ike_suite_defaults(const struct ike_suite *suite, uint8_t protocol)
{
	static const uint16_t prfs[] = {
		IKE_PRF_HMAC_SHA2_256, IKE_PRF_HMAC_SHA2_384, IKE_PRF_HMAC_SHA2_512};
	static const uint16_t groups[] = {IKE_GROUP_CURVE25519, IKE_GROUP_ECP_256, IKE_GROUP_ECP_384};
	static const uint16_t esns[] = {ESN_EXTENDED, ESN_NONE};
	struct ike_suite full = *suite;

	default_encr(&full);
	default_integ(&full);
	if (protocol == IKE_PROTOCOL_ESP) {
		default_ids(full.esn, &full.esn_count, esns, ARRAY_LEN(esns));
		full.prf_count = 0;
		full.ke_count = 0;
		return ike_suite_without_addke(&full);
	}
	default_ids(full.prf, &full.prf_count, prfs, ARRAY_LEN(prfs));
	default_ids(full.ke, &full.ke_count, groups, ARRAY_LEN(groups));
	return full;
}

struct ike_suite ike_suite_chosen(const struct ike_chosen *chosen)
{
	struct ike_suite suite = {.encr = {{chosen->encr, chosen->key_bits}},
		.encr_count = 1,
		.integ = {chosen->integ},
		.integ_count = chosen->integ ? 1 : 0,
		.prf = {chosen->prf},
		.prf_count = chosen->prf ? 1 : 0,
		.ke = {chosen->ke},
		.ke_count = chosen->ke ? 1 : 0,
		.esn = {chosen->esn},
		.esn_count = 1};

	for (size_t i = 0; i < IKE_ADDKE_MAX; i++) {
		suite.addke[i][0] = chosen->addke[i];
		suite.addke_count[i] = chosen->addke[i] || (chosen->addke_declined & 1u << i);
	}
	return suite;
}

/* --- building --------------------------------------------------------------------------------- */

static void build_transform(struct writer *w, uint8_t type, uint16_t id, uint16_t key_bits, bool last)
{
	writer_u8(w, last ? LAST : MORE_TRANSFORMS);
	writer_u8(w, 0);
	writer_u16(w, key_bits ? 12 : 8);
	writer_u8(w, type);
	writer_u8(w, 0);
	writer_u16(w, id);
	if (key_bits) {
		writer_u16(w, IKE_ATTRIBUTE_SHORT | IKE_ATTRIBUTE_KEY_LENGTH);
		writer_u16(w, key_bits);
	}
}

struct proposal_spi {
	uint64_t value;
	uint8_t len; /* 0, 4 or 8 */
};

static void build_proposal(struct writer *w, uint8_t number, uint8_t protocol,
	const struct transform *transforms, size_t count, struct proposal_spi spi, bool last)
{
	size_t begin = w->len;

	writer_u8(w, last ? LAST : MORE_PROPOSALS);
	writer_u8(w, 0);
	writer_u16(w, 0);
	writer_u8(w, number);
	writer_u8(w, protocol);
	writer_u8(w, spi.len);
	writer_u8(w, (uint8_t)count);
	if (spi.len == 8)
		writer_u64(w, spi.value);
	else if (spi.len == 4)
		writer_u32(w, (uint32_t)spi.value);
	for (size_t i = 0; i < count; i++)
		build_transform(w, transforms[i].type, transforms[i].id, transforms[i].key_bits,
			i + 1 == count);
	writer_patch_u16(w, begin + 2, (uint16_t)(w->len - begin));
}

static size_t add_list(
	struct transform *out, size_t count, uint8_t type, const uint16_t *ids, size_t id_count)
{
	for (size_t i = 0; i < id_count; i++)
		out[count++] = (struct transform){.type = type, .id = ids[i]};
	return count;
}

/* The suite's ciphers of one kind, and what goes with them; gives how many transforms. */
static size_t add_suite(struct transform *out, uint8_t protocol, const struct ike_suite *suite, bool combined)
{
	size_t count = 0;

	for (size_t i = 0; i < suite->encr_count; i++) {
		if (is_combined(suite->encr[i].id) == combined)
			out[count++] = (struct transform){.type = IKE_TRANSFORM_ENCR,
				.id = suite->encr[i].id,
				.key_bits = suite->encr[i].key_bits};
	}
	if (protocol == IKE_PROTOCOL_IKE)
		count = add_list(out, count, IKE_TRANSFORM_PRF, suite->prf, suite->prf_count);
	if (!combined)
		count = add_list(out, count, IKE_TRANSFORM_INTEG, suite->integ, suite->integ_count);
	count = add_list(out, count, IKE_TRANSFORM_KE, suite->ke, suite->ke_count);
	for (size_t i = 0; i < IKE_ADDKE_MAX; i++)
		count = add_list(out, count, (uint8_t)(IKE_TRANSFORM_ADDKE1 + i), suite->addke[i],
			suite->addke_count[i]);
	if (protocol == IKE_PROTOCOL_ESP)
		count = add_list(out, count, IKE_TRANSFORM_ESN, suite->esn, suite->esn_count);
	return count;
}

static bool has_kind(const struct ike_suite *suite, bool combined)
{
	for (size_t i = 0; i < suite->encr_count; i++) {
		if (is_combined(suite->encr[i].id) == combined)
			return true;
	}
	return false;
}

/* A proposal for each kind of cipher, numbered from `number` + 1; gives the last number. */
static uint8_t build_kinds(struct writer *w, uint8_t number, uint8_t protocol,
	const struct ike_suite *suite, struct proposal_spi spi, bool last)
{
	bool first = suite->encr_count == 0 || is_combined(suite->encr[0].id);
	bool both = has_kind(suite, !first);
	struct transform transforms[TRANSFORMS_OURS];
	size_t count = add_suite(transforms, protocol, suite, first);

	build_proposal(w, ++number, protocol, transforms, count, spi, last && !both);
	if (both) {
		count = add_suite(transforms, protocol, suite, !first);
		build_proposal(w, ++number, protocol, transforms, count, spi, last);
	}
	return number;
}

void ike_proposal_offer(struct ike_builder *builder, uint8_t protocol, const struct ike_suite *suite,
	uint64_t spi, uint8_t spi_len)
{
	struct ike_suite without = ike_suite_without_addke(suite);
	bool twice = ike_suite_has_addke(suite) && ike_suite_may_miss_addke(suite);
	struct proposal_spi own = {spi, spi_len};
	uint8_t number;

	ike_build_begin(builder, IKE_PAYLOAD_SA);
	number = build_kinds(&builder->w, 0, protocol, suite, own, !twice);
	if (twice)
		build_kinds(&builder->w, number, protocol, &without, own, true);
	ike_build_end(builder);
}

void ike_proposal_answer(
	struct ike_builder *builder, const struct ike_chosen *chosen, uint64_t spi, uint8_t spi_len)
{
	struct ike_suite suite = ike_suite_chosen(chosen);
	struct transform transforms[TRANSFORMS_OURS];
	size_t count = add_suite(transforms, chosen->protocol, &suite, is_combined(chosen->encr));

	ike_build_begin(builder, IKE_PAYLOAD_SA);
	build_proposal(&builder->w, chosen->number, chosen->protocol, transforms, count,
		(struct proposal_spi){spi, spi_len}, true);
	ike_build_end(builder);
}

/* --- reading ------------------------------------------------------------------------------------ */

static void parse_attributes(struct reader *attributes, struct transform *out)
{
	out->key_bits = 0;
	out->strange = false;
	while (reader_left(attributes) > 0) {
		uint16_t type = reader_u16(attributes);
		uint16_t value = reader_u16(attributes);

		if (type == (IKE_ATTRIBUTE_SHORT | IKE_ATTRIBUTE_KEY_LENGTH))
			out->key_bits = value;
		else
			out->strange = true;
		if (!(type & IKE_ATTRIBUTE_SHORT))
			reader_skip(attributes, value);
	}
}

static bool parse_transform(struct reader *r, struct transform *out)
{
	uint16_t len;
	struct reader body;

	reader_skip(r, 2);
	len = reader_u16(r);
	if (r->failed || len < 8)
		return false;
	body = reader_sub(r, len - 4u);
	out->type = reader_u8(&body);
	reader_skip(&body, 1);
	out->id = reader_u16(&body);
	parse_attributes(&body, out);
	return !r->failed && !body.failed;
}

static uint64_t parse_spi(struct reader *r, uint8_t len)
{
	if (len == 8)
		return reader_u64(r);
	if (len == 4)
		return reader_u32(r);
	reader_skip(r, len);
	return 0;
}

static bool parse_proposal(struct reader *r, struct proposal *out)
{
	uint8_t spi_len, transform_count;
	struct reader body;
	uint16_t len;

	reader_skip(r, 2);
	len = reader_u16(r);
	if (r->failed || len < 8)
		return false;
	body = reader_sub(r, len - 4u);
	out->number = reader_u8(&body);
	out->protocol = reader_u8(&body);
	spi_len = reader_u8(&body);
	transform_count = reader_u8(&body);
	out->spi = parse_spi(&body, spi_len);
	out->count = 0;
	for (unsigned i = 0; i < transform_count; i++) {
		struct transform transform;

		if (!parse_transform(&body, &transform))
			return false;
		if (out->count < MAX_TRANSFORMS)
			out->transforms[out->count++] = transform;
	}
	return reader_done(&body);
}

/* --- choosing ------------------------------------------------------------------------------------- */

static bool offers(const struct proposal *proposal, uint8_t type, uint16_t id, uint16_t key_bits)
{
	for (size_t i = 0; i < proposal->count; i++) {
		const struct transform *t = &proposal->transforms[i];

		if (t->type == type && t->id == id && t->key_bits == key_bits && !t->strange)
			return true;
	}
	return false;
}

static bool offers_type(const struct proposal *proposal, uint8_t type)
{
	for (size_t i = 0; i < proposal->count; i++) {
		if (proposal->transforms[i].type == type)
			return true;
	}
	return false;
}

static bool choose_id(const struct proposal *proposal, uint8_t type, const uint16_t *ids, size_t count,
	uint16_t guess, uint16_t *out)
{
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		if (!offers(proposal, type, ids[i], 0))
			continue;
		if (!found || ids[i] == guess)
			*out = ids[i];
		found = true;
	}
	return found;
}

/* Nothing, or NONE among others (3.3.3), where the cipher is combined; one of ours where it is not. */
static bool choose_integ(
	const struct proposal *proposal, const struct ike_suite *suite, struct ike_chosen *out)
{
	out->integ = INTEG_NONE;
	if (is_combined(out->encr))
		return !offers_type(proposal, IKE_TRANSFORM_INTEG) ||
		       offers(proposal, IKE_TRANSFORM_INTEG, INTEG_NONE, 0);
	return choose_id(proposal, IKE_TRANSFORM_INTEG, suite->integ, suite->integ_count, NO_GUESS,
		&out->integ);
}

static bool choose_encr(
	const struct proposal *proposal, const struct ike_suite *suite, struct ike_chosen *out)
{
	for (size_t i = 0; i < suite->encr_count; i++) {
		out->encr = suite->encr[i].id;
		out->key_bits = suite->encr[i].key_bits;
		if (offers(proposal, IKE_TRANSFORM_ENCR, out->encr, out->key_bits) &&
			choose_integ(proposal, suite, out))
			return true;
	}
	return false;
}

/* 3.3.3 wants it in each proposal of ESP; one without it has no extended sequence numbers. */
static bool choose_esn(
	const struct proposal *proposal, const struct ike_suite *suite, struct ike_chosen *out)
{
	static const struct proposal plain = {
		.transforms = {{.type = IKE_TRANSFORM_ESN, .id = ESN_NONE}}, .count = 1};

	return choose_id(offers_type(proposal, IKE_TRANSFORM_ESN) ? proposal : &plain, IKE_TRANSFORM_ESN,
		suite->esn, suite->esn_count, NO_GUESS, &out->esn);
}

static bool is_addke(uint8_t type)
{
	return type >= IKE_TRANSFORM_ADDKE1 && type < IKE_TRANSFORM_ADDKE1 + IKE_ADDKE_MAX;
}

/* Only what the suite knows how to do may be demanded: an extra transform type is a demand (3.3.6). */
static bool demands_only(const struct proposal *proposal, uint8_t protocol)
{
	for (size_t i = 0; i < proposal->count; i++) {
		uint8_t type = proposal->transforms[i].type;
		bool known = protocol == IKE_PROTOCOL_IKE
				     ? type <= IKE_TRANSFORM_KE || is_addke(type)
				     : type == IKE_TRANSFORM_ENCR || type == IKE_TRANSFORM_INTEG ||
					       type == IKE_TRANSFORM_ESN || type == IKE_TRANSFORM_KE ||
					       is_addke(type);

		if (!known)
			return false;
	}
	return true;
}

/* --- additional key exchanges (RFC 9370 2.2.1) -------------------------------------------------- */

/* What can be seen of one alone: something of ours is offered, or it may be left out. */
static bool may_choose_addke(const struct proposal *proposal, const struct ike_suite *suite, size_t index)
{
	uint8_t type = (uint8_t)(IKE_TRANSFORM_ADDKE1 + index);
	uint16_t id;

	if (!offers_type(proposal, type))
		return may_miss(suite->addke[index], suite->addke_count[index]);
	if (!suite->addke_count[index])
		return offers(proposal, type, IKE_KE_NONE, 0);
	return choose_id(proposal, type, suite->addke[index], suite->addke_count[index], NO_GUESS, &id);
}

static bool may_choose_addkes(const struct proposal *proposal, const struct ike_suite *suite)
{
	for (size_t i = 0; i < IKE_ADDKE_MAX; i++) {
		if (!may_choose_addke(proposal, suite, i))
			return false;
	}
	return true;
}

static bool is_used(const struct ike_chosen *chosen, uint16_t id, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (chosen->addke[i] == id)
			return true;
	}
	return chosen->ke == id;
}

/*
 * From one index on. No method twice, so a choice may have to be taken back: the methods that
 * we know are few, and so are the ways to order them.
 */
static bool choose_addkes(const struct proposal *proposal, const struct ike_suite *suite, size_t index,
	struct ike_chosen *out)
{
	uint8_t type = (uint8_t)(IKE_TRANSFORM_ADDKE1 + index);

	if (index == IKE_ADDKE_MAX)
		return true;
	out->addke[index] = IKE_KE_NONE;
	out->addke_declined &= (uint8_t)~(1u << index);
	if (!offers_type(proposal, type))
		return choose_addkes(proposal, suite, index + 1, out);
	for (size_t i = 0; i < suite->addke_count[index]; i++) {
		uint16_t id = suite->addke[index][i];

		if (id == IKE_KE_NONE || !offers(proposal, type, id, 0) || is_used(out, id, index))
			continue;
		out->addke[index] = id;
		if (choose_addkes(proposal, suite, index + 1, out))
			return true;
	}
	out->addke[index] = IKE_KE_NONE;
	out->addke_declined |= (uint8_t)(1u << index);
	return offers(proposal, type, IKE_KE_NONE, 0) &&
	       may_miss(suite->addke[index], suite->addke_count[index]) &&
	       choose_addkes(proposal, suite, index + 1, out);
}

/*
 * RFC 7296 1.2: the first CHILD SA has no key exchange of its own; one that is offered
 * may be ignored. Later a group is a demand, unless NONE is among them.
 */
static bool choose_esp_ke(const struct proposal *proposal, const struct ike_suite *suite, uint16_t guess,
	struct ike_chosen *out)
{
	if (!suite->ke_count || !offers_type(proposal, IKE_TRANSFORM_KE))
		return true;
	if (!choose_id(proposal, IKE_TRANSFORM_KE, suite->ke, suite->ke_count, guess, &out->ke))
		return offers(proposal, IKE_TRANSFORM_KE, IKE_KE_NONE, 0);
	return choose_addkes(proposal, suite, 0, out);
}

static bool choose_from(const struct proposal *proposal, uint8_t protocol,
	const struct ike_suite *suite, uint16_t guess, struct ike_chosen *out)
{
	*out = (struct ike_chosen){
		.number = proposal->number, .protocol = proposal->protocol, .spi = proposal->spi};
	if (proposal->protocol != protocol || !demands_only(proposal, protocol) ||
		!choose_encr(proposal, suite, out))
		return false;
	if (protocol == IKE_PROTOCOL_IKE)
		return choose_id(proposal, IKE_TRANSFORM_PRF, suite->prf, suite->prf_count, NO_GUESS,
			       &out->prf) &&
		       choose_id(proposal, IKE_TRANSFORM_KE, suite->ke, suite->ke_count, guess,
			       &out->ke) &&
		       may_choose_addkes(proposal, suite) && choose_addkes(proposal, suite, 0, out);
	return choose_esp_ke(proposal, suite, guess, out) && choose_esn(proposal, suite, out);
}

enum ike_choice ike_proposal_choose(const struct ike_payload *sa, uint8_t protocol,
	const struct ike_suite *suite, uint16_t guess, struct ike_chosen *out)
{
	struct reader r = reader_init(sa->data, sa->len);
	enum ike_choice choice = IKE_CHOICE_NONE;
	struct ike_chosen candidate;

	if (sa->len == 0)
		return IKE_CHOICE_MALFORMED;
	while (reader_left(&r) > 0) {
		struct proposal proposal;

		if (!parse_proposal(&r, &proposal))
			return IKE_CHOICE_MALFORMED;
		if (choice == IKE_CHOICE_NONE &&
			choose_from(&proposal, protocol, suite, guess, &candidate)) {
			*out = candidate;
			choice = IKE_CHOICE_MADE;
		}
	}
	return r.failed ? IKE_CHOICE_MALFORMED : choice;
}

uint8_t ike_proposal_protocol(const struct ike_payload *sa)
{
	struct reader r = reader_init(sa ? sa->data : NULL, sa ? sa->len : 0);
	struct proposal proposal;

	return parse_proposal(&r, &proposal) ? proposal.protocol : IKE_PROTOCOL_NONE;
}

/* A key length only where the cipher has several. */
static void format_encr(const struct ike_chosen *chosen, char *out, size_t len)
{
	const char *name = ike_encr_name(chosen->encr);

	if (chosen->key_bits)
		snprintf(out, len, "%s_%u", name, chosen->key_bits);
	else
		snprintf(out, len, "%s", name);
}

/* "/KE1_ECP_384/KE2_…" behind what is there. */
static void format_addkes(const struct ike_chosen *chosen, char out[IKE_PROPOSAL_TEXT])
{
	size_t i = ike_addke_next(chosen, 0);

	for (; i < IKE_ADDKE_MAX; i = ike_addke_next(chosen, i + 1)) {
		size_t len = strlen(out);

		snprintf(out + len, IKE_PROPOSAL_TEXT - len, "/KE%zu_%s", i + 1,
			ike_group_name(chosen->addke[i]));
	}
}

const char *ike_proposal_format(const struct ike_chosen *chosen, char out[IKE_PROPOSAL_TEXT])
{
	const char *integ = chosen->integ ? ike_integ_name(chosen->integ) : "";
	const char *dash = chosen->integ ? "-" : "";
	char encr[IKE_PROPOSAL_TEXT / 2];

	format_encr(chosen, encr, sizeof(encr));
	if (chosen->protocol == IKE_PROTOCOL_IKE) {
		snprintf(out, IKE_PROPOSAL_TEXT, "%s%s%s/%s/%s", encr, dash, integ,
			ike_prf_name(chosen->prf), ike_group_name(chosen->ke));
		format_addkes(chosen, out);
	} else {
		snprintf(out, IKE_PROPOSAL_TEXT, "%s%s%s%s", encr, dash, integ,
			chosen->esn ? "/ESN" : "");
	}
	return out;
}
