/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The body of one payload: the first byte says of which type, the rest is
 * what stands behind the generic header (RFC 7296 3.2). Each type has its own
 * reader here; what a reader accepts is built again and must read as the same.
 */
#include "ike/const.h"
#include "ike/crypto/cert.h"
#include "ike/id.h"
#include "ike/nat.h"
#include "ike/payload.h"
#include "ike/proposal.h"
#include "ike/sa.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t built[IKE_MESSAGE_MAX];
static struct ike_message again;

static void demand(bool good)
{
	if (!good)
		abort();
}

static struct ike_builder begin(void)
{
	return ike_build_chain(built, sizeof(built));
}

/* The only payload of what was built. */
static const struct ike_payload *reread(struct ike_builder *builder)
{
	size_t len = ike_build_finish(builder);

	memset(&again, 0, sizeof(again));
	demand(ike_chain_parse(builder->first, built, len, &again) && again.count == 1);
	return &again.payloads[0];
}

/* Equal but for reserved bytes, which stand from `from` to `until`. */
static void demand_same(const struct ike_payload *a, const struct ike_payload *b, size_t from, size_t until)
{
	demand(a->len == b->len && memcmp(a->data, b->data, from) == 0 &&
		memcmp(a->data + until, b->data + until, a->len - until) == 0);
}

/* --- SA (3.3) ------------------------------------------------------------------------------- */

static bool is_offered(const struct ike_chosen *chosen, const struct ike_suite *suite)
{
	bool found = false;

	for (size_t i = 0; i < suite->encr_count; i++)
		found |= suite->encr[i].id == chosen->encr && suite->encr[i].key_bits == chosen->key_bits;
	return found;
}

static void read_offer(const struct ike_payload *payload, uint8_t protocol, const struct ike_suite *wish)
{
	struct ike_suite suite = ike_suite_defaults(wish, protocol), only;
	struct ike_chosen chosen, same;
	struct ike_builder builder = begin();
	char text[IKE_PROPOSAL_TEXT];

	if (ike_proposal_choose(payload, protocol, &suite, IKE_GROUP_ECP_256, &chosen) != IKE_CHOICE_MADE)
		return;
	demand(chosen.protocol == protocol && is_offered(&chosen, &suite));
	ike_proposal_format(&chosen, text);
	/* Our answer is one that we would take, and the same. */
	ike_proposal_answer(&builder, &chosen, chosen.spi, protocol == IKE_PROTOCOL_ESP ? 4 : 0);
	only = ike_suite_chosen(&chosen);
	demand(ike_proposal_choose(reread(&builder), protocol, &only, 0, &same) == IKE_CHOICE_MADE);
	demand(same.encr == chosen.encr && same.key_bits == chosen.key_bits && same.integ == chosen.integ &&
		same.prf == chosen.prf && same.ke == chosen.ke && same.esn == chosen.esn &&
		same.number == chosen.number);
}

static void read_sa(const struct ike_payload *payload)
{
	static const struct ike_suite wishes[] = {
		{.encr_count = 0},
		{.encr = {{IKE_ENCR_AES_CBC, 128}, {IKE_ENCR_AES_CBC, 256}},
			.encr_count = 2,
			.integ = {IKE_INTEG_HMAC_SHA2_512_256},
			.integ_count = 1,
			.ke = {IKE_GROUP_MODP_2048, IKE_GROUP_ECP_256},
			.ke_count = 2,
			.esn = {1, 0},
			.esn_count = 2},
		{.encr = {{IKE_ENCR_CHACHA20_POLY1305, 256}}, .encr_count = 1, .ke = {IKE_GROUP_CURVE25519}, .ke_count = 1},
	};

	for (size_t i = 0; i < sizeof(wishes) / sizeof(*wishes); i++) {
		read_offer(payload, IKE_PROTOCOL_IKE, &wishes[i]);
		read_offer(payload, IKE_PROTOCOL_ESP, &wishes[i]);
	}
	ike_proposal_protocol(payload);
}

/* --- what is short -------------------------------------------------------------------------- */

static void read_ke(const struct ike_payload *payload)
{
	struct ike_builder builder = begin();
	struct ike_ke ke;

	if (!ike_ke_parse(payload, &ke))
		return;
	ike_ke_build(&builder, ke.group, ke.data, ke.len);
	demand_same(payload, reread(&builder), 2, 4);
}

static void read_auth(const struct ike_payload *payload)
{
	struct ike_builder builder = begin();
	struct ike_auth_payload auth;

	if (!ike_auth_parse(payload, &auth))
		return;
	ike_auth_build(&builder, auth.method, auth.data, auth.len);
	demand_same(payload, reread(&builder), 1, 4);
}

static void read_id(const struct ike_payload *payload)
{
	struct ike_builder builder = begin();
	uint8_t packed[IKE_ID_PACKED_MAX];
	char text[IKE_ID_TEXT];
	struct ike_id id, same;

	if (!ike_id_parse(payload, &id))
		return;
	ike_id_format(&id, text);
	demand(memchr(text, 0, sizeof(text)) != NULL && ike_id_equal(&id, &id));
	same = ike_id_unpack(packed, ike_id_pack(&id, packed));
	demand(ike_id_equal(&id, &same));
	if (id.type == IKE_ID_DER_ASN1_DN) {
		cert_dn_matches(id.data, id.len, id.data, id.len);
		cert_dn_format(id.data, id.len, text, sizeof(text));
	}
	ike_id_build(&builder, payload->type, &id);
	demand_same(payload, reread(&builder), 1, 4);
}

static void read_notify(const struct ike_payload *payload)
{
	struct ike_message message = {.count = 1, .payloads = {*payload}};
	struct ike_builder builder = begin();
	struct ike_notify notify, same;
	struct path path = {0};

	if (!ike_notify_parse(payload, &notify))
		return;
	demand(ike_notify_find(&message, notify.type, &same) && same.data == notify.data);
	demand(ike_notify_find_error(&message, &same) == (notify.type < IKE_NOTIFY_FIRST_STATUS));
	ike_read_hashes(&message);
	ike_nat_detect(&message, &path);
	if (notify.spi_len == 0 && notify.protocol == IKE_PROTOCOL_NONE) {
		ike_notify_build(&builder, notify.type, notify.data, notify.len);
		demand_same(payload, reread(&builder), payload->len, payload->len);
	}
}

static bool ts_equal(const struct ike_ts *a, const struct ike_ts *b)
{
	return a->proto == b->proto && a->port_start == b->port_start && a->port_end == b->port_end &&
	       addr_equal(&a->start, &b->start) && addr_equal(&a->end, &b->end);
}

/* What is granted of them between two hosts of the same address never has more kinds than a pair holds. */
static void narrow(const struct ike_ts *ts, size_t count, const struct addr *host)
{
	struct selector all = {.local = prefix_of_host(host), .remote = prefix_of_host(host)};
	struct ike_selectors asked = {.local_count = count, .remote_count = count};
	struct ike_scope scope = {0};

	memcpy(asked.local, ts, count * sizeof(*ts));
	memcpy(asked.remote, ts, count * sizeof(*ts));
	if (ike_narrow(&asked, &all, &scope))
		demand(scope.more_count < TRAFFIC_MAX && addr_equal(&scope.selector.local.addr, host));
}

static void read_ts(const struct ike_payload *payload)
{
	struct ike_ts ts[IKE_TS_MAX], same[IKE_TS_MAX];
	struct ike_builder builder = begin();
	size_t count, same_count;

	if (!ike_ts_parse(payload, ts, &count))
		return;
	demand(count <= IKE_TS_MAX);
	for (size_t i = 0; i < count; i++) {
		demand(addr_compare(&ts[i].start, &ts[i].end) <= 0);
		narrow(ts, count, &ts[i].start);
	}
	if (count == 0) /* only kinds that we skip */
		return;
	ike_ts_build(&builder, payload->type, ts, count);
	demand(ike_ts_parse(reread(&builder), same, &same_count) && same_count == count);
	for (size_t i = 0; i < count; i++)
		demand(ts_equal(&ts[i], &same[i]));
}

static void read_delete(const struct ike_payload *payload)
{
	struct ike_builder builder = begin();
	struct ike_delete del;

	if (!ike_delete_parse(payload, &del))
		return;
	demand(del.count <= IKE_DELETE_MAX);
	if (del.protocol == IKE_PROTOCOL_IKE)
		ike_delete_build_ike(&builder);
	else if (del.protocol == IKE_PROTOCOL_ESP && payload->len == 8)
		ike_delete_build_esp(&builder, del.spis[0]);
	else
		return;
	demand_same(payload, reread(&builder), payload->len, payload->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ike_payload payload;

	if (len < 1 || len > IKE_MESSAGE_MAX - IKE_GENERIC_LEN)
		return 0;
	payload = (struct ike_payload){.type = data[0], .data = data + 1, .len = len - 1};
	switch (payload.type) {
	case IKE_PAYLOAD_SA:
		read_sa(&payload);
		break;
	case IKE_PAYLOAD_KE:
		read_ke(&payload);
		break;
	case IKE_PAYLOAD_IDi:
	case IKE_PAYLOAD_IDr:
		read_id(&payload);
		break;
	case IKE_PAYLOAD_AUTH:
		read_auth(&payload);
		break;
	case IKE_PAYLOAD_NOTIFY:
		read_notify(&payload);
		break;
	case IKE_PAYLOAD_DELETE:
		read_delete(&payload);
		break;
	case IKE_PAYLOAD_TSi:
	case IKE_PAYLOAD_TSr:
		read_ts(&payload);
		break;
	}
	return 0;
}
