/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every parser of ike/: an even first byte makes the rest a whole message, an
 * odd one a chain of payloads as SK holds it, whose first type is the second
 * byte.
 */
#include "ike/id.h"
#include "ike/nat.h"
#include "ike/payload.h"
#include "ike/proposal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void read_offer(const struct ike_payload *payload)
{
	static const uint8_t protocols[] = {IKE_PROTOCOL_IKE, IKE_PROTOCOL_ESP};
	static const struct ike_suite empty;

	for (size_t i = 0; i < sizeof(protocols); i++) {
		struct ike_suite suite = ike_suite_defaults(&empty, protocols[i]);
		struct ike_chosen chosen;
		char text[IKE_PROPOSAL_TEXT];

		if (ike_proposal_choose(payload, protocols[i], &suite, IKE_GROUP_ECP_256, &chosen) ==
			IKE_CHOICE_MADE)
			ike_proposal_format(&chosen, text);
	}
}

/* An identity that parses is built again to the same bytes, reserved ones aside. */
static void read_id(const struct ike_payload *payload)
{
	struct ike_id id;
	uint8_t body[4 + IKE_ID_MAX];
	char text[IKE_ID_TEXT];

	if (!ike_id_parse(payload, &id))
		return;
	ike_id_format(&id, text);
	if (ike_id_body(&id, body) != payload->len || memcmp(body + 4, payload->data + 4, id.len))
		abort();
}

static void read_payload(const struct ike_payload *payload)
{
	struct ike_ke ke;
	struct ike_notify notify;
	struct ike_auth_payload auth;
	struct ike_ts ts[IKE_TS_MAX];
	struct ike_delete del;
	size_t count;

	read_offer(payload);
	read_id(payload);
	ike_ke_parse(payload, &ke);
	ike_notify_parse(payload, &notify);
	ike_auth_parse(payload, &auth);
	if (ike_ts_parse(payload, ts, &count) && count > IKE_TS_MAX)
		abort();
	if (ike_delete_parse(payload, &del) && del.count > IKE_DELETE_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ike_message message = {0};
	struct path path = {0};
	bool good;

	if (len < 2)
		return 0;
	good = data[0] & 1 ? ike_chain_parse(data[1], data + 2, len - 2, &message)
			   : ike_message_parse(data + 1, len - 1, &message);
	if (message.count > IKE_MAX_PAYLOADS)
		abort();
	for (size_t i = 0; good && i < message.count; i++)
		read_payload(&message.payloads[i]);
	if (good)
		ike_nat_detect(&message, &path);
	return 0;
}
