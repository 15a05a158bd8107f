/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SA payloads: what is offered, what is chosen, what is refused (RFC 7296 3.3, RFC 8247). */
#include "t/tap.h"

#include "ike/payload.h"
#include "ike/proposal.h"
#include "lib/mem.h"

#include <string.h>

static uint8_t buffer[4096];
static const struct ike_suite defaults_of;

/* Our own offer with a suite, as the peer reads it. */
static struct ike_payload offer(uint8_t protocol, const struct ike_suite *suite, uint64_t spi, uint8_t spi_len)
{
	struct ike_builder chain = ike_build_chain(buffer, sizeof(buffer));
	struct ike_suite full = ike_suite_defaults(suite, protocol);
	static struct ike_message message;

	ike_proposal_offer(&chain, protocol, &full, spi, spi_len);
	message = (struct ike_message){0};
	if (!ike_chain_parse(chain.first, buffer, ike_build_finish(&chain), &message))
		return (struct ike_payload){0};
	return message.payloads[0];
}

static void test_defaults(void)
{
	struct ike_suite suite = ike_suite_defaults(&defaults_of, IKE_PROTOCOL_IKE);
	struct ike_payload sa = offer(IKE_PROTOCOL_IKE, &defaults_of, 0, 0);
	struct ike_chosen chosen;
	char text[IKE_PROPOSAL_TEXT];

	ok(ike_proposal_choose(&sa, IKE_PROTOCOL_IKE, &suite, 0, &chosen) == IKE_CHOICE_MADE,
		"two of us agree");
	is_str(ike_proposal_format(&chosen, text), "AES_GCM_16_256/HMAC_SHA2_256/CURVE25519",
		"on the first of everything");
	ike_proposal_choose(&sa, IKE_PROTOCOL_IKE, &suite, IKE_GROUP_ECP_256, &chosen);
	is_int(chosen.ke, IKE_GROUP_ECP_256, "a group that the peer guessed saves a round trip");
	ike_proposal_choose(&sa, IKE_PROTOCOL_IKE, &suite, IKE_GROUP_MODP_2048, &chosen);
	is_int(chosen.ke, IKE_GROUP_CURVE25519, "one that is not allowed does not");
}

/* Who has one cipher and one group is served with the defaults, if RFC 8247 has nothing against either. */
static void test_defaults_of_others(void)
{
	static const struct {
		const char *name;
		struct ike_encr_choice encr;
		uint16_t ke;
		enum ike_choice ike, esp;
	} others[] = {
		{"AES-GCM-128, ECP-256", {IKE_ENCR_AES_GCM_16, 128}, IKE_GROUP_ECP_256, IKE_CHOICE_MADE, IKE_CHOICE_MADE},
		{"ChaCha20-Poly1305, ECP-384", {IKE_ENCR_CHACHA20_POLY1305, 0}, IKE_GROUP_ECP_384, IKE_CHOICE_MADE,
			IKE_CHOICE_MADE},
		{"AES-GCM-256, ECP-521", {IKE_ENCR_AES_GCM_16, 256}, IKE_GROUP_ECP_521, IKE_CHOICE_NONE, IKE_CHOICE_MADE},
		{"AES-CBC, X25519", {IKE_ENCR_AES_CBC, 256}, IKE_GROUP_CURVE25519, IKE_CHOICE_NONE, IKE_CHOICE_NONE},
		{"AES-GCM-256, MODP-2048", {IKE_ENCR_AES_GCM_16, 256}, IKE_GROUP_MODP_2048, IKE_CHOICE_NONE,
			IKE_CHOICE_MADE},
	};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct ike_suite theirs = {
			.encr = {others[i].encr}, .encr_count = 1, .ke = {others[i].ke}, .ke_count = 1};
		struct ike_suite ike = ike_suite_defaults(&defaults_of, IKE_PROTOCOL_IKE);
		struct ike_suite esp = ike_suite_defaults(&defaults_of, IKE_PROTOCOL_ESP);
		struct ike_payload sa = offer(IKE_PROTOCOL_IKE, &theirs, 0, 0);
		struct ike_chosen chosen;

		ok(ike_proposal_choose(&sa, IKE_PROTOCOL_IKE, &ike, 0, &chosen) == others[i].ike,
			"%s, IKE: %s", others[i].name, others[i].ike == IKE_CHOICE_MADE ? "taken" : "only if named");
		sa = offer(IKE_PROTOCOL_ESP, &theirs, 1, 4);
		ok(ike_proposal_choose(&sa, IKE_PROTOCOL_ESP, &esp, 0, &chosen) == others[i].esp,
			"ESP: %s", others[i].esp == IKE_CHOICE_MADE ? "taken" : "only if named");
	}
}

static void test_esp(void)
{
	struct ike_suite suite = ike_suite_defaults(&defaults_of, IKE_PROTOCOL_ESP);
	struct ike_payload sa = offer(IKE_PROTOCOL_ESP, &defaults_of, 0xcafebabe, 4);
	struct ike_chosen chosen;

	ok(ike_proposal_choose(&sa, IKE_PROTOCOL_ESP, &suite, 0, &chosen) == IKE_CHOICE_MADE, "ESP");
	is_int((intmax_t)chosen.spi, 0xcafebabe, "with the peer's SPI");
	ok(ike_proposal_choose(&sa, IKE_PROTOCOL_IKE, &suite, 0, &chosen) == IKE_CHOICE_NONE,
		"which is no proposal for IKE");
}

static void test_nothing_common(void)
{
	struct ike_suite theirs = {.encr = {{IKE_ENCR_AES_GCM_16, 128}}, .encr_count = 1};
	struct ike_suite ours = {.encr = {{IKE_ENCR_AES_GCM_16, 256}}, .encr_count = 1};
	struct ike_payload sa = offer(IKE_PROTOCOL_IKE, &theirs, 0, 0);
	struct ike_chosen chosen;

	ours = ike_suite_defaults(&ours, IKE_PROTOCOL_IKE);
	ok(ike_proposal_choose(&sa, IKE_PROTOCOL_IKE, &ours, 0, &chosen) == IKE_CHOICE_NONE,
		"another key length is another cipher");
}

/* Two proposals as others send them: CBC with integrity first, then AES-GCM with INTEG NONE and ESN. */
static void test_foreign(void)
{
	static const uint8_t body[] = {
		2, 0, 0, 40, 1, 3, 4, 3, 1, 2, 3, 4,		      /* ESP, SPI, 3 transforms */
		3, 0, 0, 12, 1, 0, 0, 12, 0x80, 14, 1, 0,	      /* AES-CBC-256 */
		3, 0, 0, 8, 3, 0, 0, 12,			      /* HMAC-SHA2-256-128 */
		0, 0, 0, 8, 5, 0, 0, 0,				      /* no ESN */
		0, 0, 0, 48, 2, 3, 4, 4, 1, 2, 3, 5,		      /* the second */
		3, 0, 0, 12, 1, 0, 0, 20, 0x80, 14, 0, 128,	      /* AES-GCM-128 */
		3, 0, 0, 8, 3, 0, 0, 0,				      /* INTEG NONE */
		3, 0, 0, 8, 5, 0, 0, 1,				      /* ESN */
		0, 0, 0, 8, 5, 0, 0, 0};			      /* or none */
	struct ike_payload sa = {.type = IKE_PAYLOAD_SA, .data = body, .len = sizeof(body)};
	struct ike_suite suite = ike_suite_defaults(&defaults_of, IKE_PROTOCOL_ESP);
	struct ike_chosen chosen;
	bool refused = true;

	ok(ike_proposal_choose(&sa, IKE_PROTOCOL_ESP, &suite, 0, &chosen) == IKE_CHOICE_MADE &&
			chosen.number == 2 && chosen.key_bits == 128 && chosen.spi == 0x01020305,
		"the second of two proposals");
	for (size_t len = 0; len < sizeof(body); len++) {
		sa.len = len;
		/* After the whole first proposal alone, the list is complete but holds nothing for us. */
		refused = refused &&
			  ike_proposal_choose(&sa, IKE_PROTOCOL_ESP, &suite, 0, &chosen) !=
				  IKE_CHOICE_MADE;
	}
	ok(refused, "each truncation is refused");
}

/* --- built by hand ----------------------------------------------------------------------------------- */

#define KEY_LENGTH (IKE_ATTRIBUTE_SHORT | IKE_ATTRIBUTE_KEY_LENGTH)

/*
 * A transform as it stands in a proposal; an attribute of type 0 is none, one that is not
 * IKE_ATTRIBUTE_SHORT is long.
 */
struct raw {
	uint8_t type;
	uint16_t id, attribute, value;
};

static void add_transform(struct writer *w, const struct raw *raw)
{
	bool wide = raw->attribute && !(raw->attribute & IKE_ATTRIBUTE_SHORT);

	writer_u16(w, 0);
	writer_u16(w, (uint16_t)(8 + (raw->attribute ? 4 : 0) + (wide ? 2 : 0)));
	writer_u16(w, (uint16_t)(raw->type << 8));
	writer_u16(w, raw->id);
	if (raw->attribute) {
		writer_u16(w, raw->attribute);
		writer_u16(w, wide ? 2 : raw->value);
	}
	if (wide)
		writer_u16(w, raw->value);
}

/* A proposal of those transforms that have a type; the SPI is as short as its protocol lets it be. */
static void add_proposal(struct writer *w, uint8_t number, uint8_t protocol, const struct raw *raws, size_t count)
{
	size_t begin = w->len;
	uint8_t present = 0;

	writer_u32(w, 0);
	writer_u8(w, number);
	writer_u8(w, protocol);
	writer_u16(w, 0);
	if (protocol != IKE_PROTOCOL_IKE) {
		writer_patch_u8(w, begin + 6, 4);
		writer_u32(w, number);
	}
	for (size_t i = 0; i < count; i++) {
		if (raws[i].type) {
			add_transform(w, &raws[i]);
			present++;
		}
	}
	writer_patch_u16(w, begin + 2, (uint16_t)(w->len - begin));
	writer_patch_u8(w, begin + 7, present);
}

/* CVE-2016-5391: a proposal without one of the types that it must have is none, whatever else it has. */
static void test_types_missing(void)
{
	static const struct raw all[] = {
		{IKE_TRANSFORM_ENCR, IKE_ENCR_AES_CBC, KEY_LENGTH, 256},
		{IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256, 0, 0},
		{IKE_TRANSFORM_INTEG, IKE_INTEG_HMAC_SHA2_256_128, 0, 0},
		{IKE_TRANSFORM_KE, IKE_GROUP_CURVE25519, 0, 0}};
	struct ike_suite suite = {.encr = {{IKE_ENCR_AES_CBC, 256}},
		.encr_count = 1,
		.integ = {IKE_INTEG_HMAC_SHA2_256_128},
		.integ_count = 1,
		.prf = {IKE_PRF_HMAC_SHA2_256},
		.prf_count = 1,
		.ke = {IKE_GROUP_CURVE25519},
		.ke_count = 1};
	unsigned chosen_count = 0;

	for (unsigned missing = 0; missing < 16; missing++) {
		uint8_t body[64];
		struct writer w = writer_init(body, sizeof(body));
		struct ike_payload sa = {.type = IKE_PAYLOAD_SA, .data = body};
		struct raw some[ARRAY_LEN(all)];
		struct ike_chosen chosen;

		memcpy(some, all, sizeof(some));
		for (unsigned i = 0; i < ARRAY_LEN(some); i++) {
			if (missing & 1u << i)
				some[i].type = 0;
		}
		add_proposal(&w, 1, IKE_PROTOCOL_IKE, some, ARRAY_LEN(some));
		sa.len = w.len;
		chosen_count += ike_proposal_choose(&sa, IKE_PROTOCOL_IKE, &suite, 0, &chosen) == IKE_CHOICE_MADE;
		if (!missing)
			is_int((int)chosen_count, 1, "a proposal of all four types");
	}
	is_int((int)chosen_count, 1, "with any of them missing it is none");
}

/* --- what is not known (3.3.6) --------------------------------------------------------------------- */

#define UNKNOWN 1023
#define UNKNOWN_TYPE 77
#define UNKNOWN_PROTOCOL 99
#define CIPHER {IKE_TRANSFORM_ENCR, IKE_ENCR_AES_GCM_16, KEY_LENGTH, 256}
#define PRF {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256, 0, 0}
#define GROUP {IKE_TRANSFORM_KE, IKE_GROUP_CURVE25519, 0, 0}
#define NO_ESN {IKE_TRANSFORM_ESN, 0, 0, 0}

/* The transforms of the first of two proposals; the second is one that we like. */
struct future {
	const char *name;
	uint8_t protocol;
	struct raw raws[5];
	unsigned want; /* which of the two is chosen */
};

static const struct future futures[] = {
	{"one that has nothing unknown is chosen", IKE_PROTOCOL_IKE, {CIPHER, PRF, GROUP}, 1},
	{"an unknown type of transform spoils its proposal", IKE_PROTOCOL_IKE,
		{CIPHER, PRF, GROUP, {UNKNOWN_TYPE, 1, 0, 0}}, 2},
	{"even where it is NONE", IKE_PROTOCOL_IKE, {{UNKNOWN_TYPE, 0, 0, 0}, CIPHER, PRF, GROUP}, 2},
	{"and of ESP", IKE_PROTOCOL_ESP, {CIPHER, NO_ESN, {UNKNOWN_TYPE, 1, 0, 0}}, 2},
	{"an unknown cipher is passed over", IKE_PROTOCOL_IKE,
		{{IKE_TRANSFORM_ENCR, UNKNOWN, KEY_LENGTH, 256}, CIPHER, PRF, GROUP}, 1},
	{"but alone is none of ours", IKE_PROTOCOL_IKE,
		{{IKE_TRANSFORM_ENCR, UNKNOWN, KEY_LENGTH, 256}, PRF, GROUP}, 2},
	{"an unknown PRF is passed over", IKE_PROTOCOL_IKE,
		{CIPHER, {IKE_TRANSFORM_PRF, UNKNOWN, 0, 0}, PRF, GROUP}, 1},
	{"and alone is none of ours", IKE_PROTOCOL_IKE, {CIPHER, {IKE_TRANSFORM_PRF, UNKNOWN, 0, 0}, GROUP}, 2},
	{"an unknown group is passed over", IKE_PROTOCOL_IKE,
		{CIPHER, PRF, {IKE_TRANSFORM_KE, UNKNOWN, 0, 0}, GROUP}, 1},
	{"and alone is none of ours", IKE_PROTOCOL_IKE, {CIPHER, PRF, {IKE_TRANSFORM_KE, UNKNOWN, 0, 0}}, 2},
	{"a way to number packets that is unknown is passed over", IKE_PROTOCOL_ESP,
		{CIPHER, {IKE_TRANSFORM_ESN, UNKNOWN, 0, 0}, NO_ESN}, 1},
	{"an unknown protocol is passed over", UNKNOWN_PROTOCOL, {CIPHER, PRF, GROUP}, 2},
	{"an unknown attribute spoils its transform", IKE_PROTOCOL_IKE,
		{CIPHER, {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256, IKE_ATTRIBUTE_SHORT | UNKNOWN, 1}, GROUP}, 2},
	{"a long one, too", IKE_PROTOCOL_IKE,
		{CIPHER, {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256, UNKNOWN, 1}, GROUP}, 2},
	{"but not the same without it", IKE_PROTOCOL_IKE,
		{CIPHER, {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256, IKE_ATTRIBUTE_SHORT | UNKNOWN, 1}, PRF, GROUP}, 1},
	{"a length of a key that has none is another transform", IKE_PROTOCOL_IKE,
		{CIPHER, {IKE_TRANSFORM_PRF, IKE_PRF_HMAC_SHA2_256, KEY_LENGTH, 256}, GROUP}, 2},
};

static void test_futures(void)
{
	static const struct raw known_ike[] = {CIPHER, PRF, GROUP}, known_esp[] = {CIPHER, NO_ESN};

	for (size_t i = 0; i < ARRAY_LEN(futures); i++) {
		const struct future *row = &futures[i];
		bool esp = row->protocol == IKE_PROTOCOL_ESP;
		uint8_t protocol = esp ? IKE_PROTOCOL_ESP : IKE_PROTOCOL_IKE;
		struct ike_suite suite = ike_suite_defaults(&defaults_of, protocol);
		struct writer w = writer_init(buffer, sizeof(buffer));
		struct ike_payload sa = {.type = IKE_PAYLOAD_SA, .data = buffer};
		struct ike_chosen chosen = {0};

		add_proposal(&w, 1, row->protocol, row->raws, ARRAY_LEN(row->raws));
		add_proposal(&w, 2, protocol, esp ? known_esp : known_ike,
			esp ? ARRAY_LEN(known_esp) : ARRAY_LEN(known_ike));
		sa.len = w.len;
		ok(ike_proposal_choose(&sa, protocol, &suite, 0, &chosen) == IKE_CHOICE_MADE &&
				chosen.number == row->want && chosen.encr == IKE_ENCR_AES_GCM_16 &&
				(esp || (chosen.prf == IKE_PRF_HMAC_SHA2_256 && chosen.ke == IKE_GROUP_CURVE25519)),
			"%s", row->name);
	}
}

/* --- additional key exchanges (RFC 9370) ---------------------------------------------------------- */

static size_t count_proposals(const struct ike_payload *sa)
{
	size_t count = 0, at = 0;

	while (at + 4 <= sa->len) {
		at += (size_t)sa->data[at + 2] << 8 | sa->data[at + 3];
		count++;
	}
	return count;
}

static void test_addke(void)
{
	struct ike_suite suite = {.encr = {{IKE_ENCR_AES_GCM_16, 256}, {IKE_ENCR_AES_CBC, 256}}, .encr_count = 2};
	struct ike_suite ours, esp, declines = {0};
	struct ike_chosen chosen;
	struct ike_payload sa;

	suite.addke[0][0] = IKE_GROUP_ECP_384;
	suite.addke_count[0] = 1;
	ours = ike_suite_defaults(&suite, IKE_PROTOCOL_IKE);
	sa = offer(IKE_PROTOCOL_IKE, &suite, 0, 0);
	is_int((int)count_proposals(&sa), 2, "a demand: a proposal for each kind of cipher");
	ok(ike_proposal_choose(&sa, IKE_PROTOCOL_IKE, &ours, 0, &chosen) == IKE_CHOICE_MADE &&
			chosen.addke[0] == IKE_GROUP_ECP_384 && ike_addke_next(&chosen, 1) == IKE_ADDKE_MAX,
		"which both fulfil");
	esp = ike_suite_defaults(&suite, IKE_PROTOCOL_ESP);
	ok(!ike_suite_has_addke(&esp), "the first CHILD SA has none");
	suite.addke[0][1] = IKE_KE_NONE;
	suite.addke_count[0] = 2;
	sa = offer(IKE_PROTOCOL_IKE, &suite, 0, 0);
	is_int((int)count_proposals(&sa), 4, "a wish: the same again without");
	/* Who has none of its own takes NONE in the first, and says so in the answer. */
	declines = ike_suite_defaults(&declines, IKE_PROTOCOL_IKE);
	ok(ike_proposal_choose(&sa, IKE_PROTOCOL_IKE, &declines, 0, &chosen) == IKE_CHOICE_MADE &&
			chosen.number == 1 && chosen.addke[0] == IKE_KE_NONE && chosen.addke_declined == 1,
		"NONE is chosen");
	esp = ike_suite_chosen(&chosen);
	ok(esp.addke_count[0] == 1 && esp.addke[0][0] == IKE_KE_NONE, "and answered");
}

int main(void)
{
	test_defaults();
	test_defaults_of_others();
	test_esp();
	test_nothing_common();
	test_foreign();
	test_types_missing();
	test_futures();
	test_addke();
	return tap_done();
}
