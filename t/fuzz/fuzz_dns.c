/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS from both sides: an even first byte makes the rest a client's query, an
 * odd one an upstream's answer, whose addresses get fates by the second byte
 * and which is built for clients of every kind.
 */
#include "lib/mem.h"
#include "resolver/message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t example[] = {3, 'w', 'w', 'w', 4, 'p', 'e', 'e', 'r', 7, 'e', 'x', 'a', 'm', 'p',
	'l', 'e', 0};

static void read_query(const uint8_t *data, size_t len)
{
	struct message_error error = {.present = true, .code = MESSAGE_EDE_BLOCKED, .text = "text"};
	struct message_query query;
	uint8_t out[1024];
	int rcode;

	if (message_parse_query(data, len, &query, &rcode) == MESSAGE_DROP)
		return;
	if (strlen(query.text) >= MESSAGE_TEXT_NAME)
		abort();
	if (!message_build_error(&query, MESSAGE_SERVFAIL, &error, out, sizeof(out)))
		abort();
}

/* The n-th kind of client. */
static struct message_query client(unsigned kind)
{
	struct message_query query = {.rd = true,
		.name_len = sizeof(example),
		.type = MESSAGE_TYPE_A,
		.class = 1,
		.edns = kind & 1,
		.dnssec_ok = kind & 2,
		.udp_size = 512};

	memcpy(query.name, example, sizeof(example));
	return query;
}

/* What was taken out of a message is out of it, and out of what was built from it. */
static void check_left(const struct message *message, const struct message_fate *fates, size_t count)
{
	struct addr left[8];
	size_t left_count = message_addresses(message, left, 8);

	for (size_t i = 0; i < left_count; i++) {
		for (size_t j = 0; j < count; j++) {
			if (addr_equal(&left[i], &fates[j].addr) && !fates[j].usable)
				abort();
		}
	}
}

/* Whatever is built can be read, and says what the message does. */
static void check_built(const uint8_t *data, size_t len, const struct message *message,
	const struct message_fate *fates, size_t count)
{
	struct message *built = message_parse(data, len);

	if (!built || message_rcode(built) != message_rcode(message))
		abort();
	if (fates)
		check_left(built, fates, count);
	message_free(built);
}

static void answer(const uint8_t *data, size_t len, unsigned kind, uint8_t fate_bits)
{
	static uint8_t out[MESSAGE_MAX];
	struct message *message = message_parse(data, len);
	struct message_query query = client(kind);
	struct message_error error = {.present = kind & 4, .text = "192.0.2.1: private: no answer"};
	struct message_fate fates[8] = {0};
	bool filtered = !(kind & 2);
	struct addr addrs[8];
	size_t count, len_out;

	if (!message)
		return;
	count = message_addresses(message, addrs, 8);
	for (size_t i = 0; i < count; i++)
		fates[i] = (struct message_fate){.addr = addrs[i],
			.usable = fate_bits >> i & 1,
			.first = fate_bits >> (7 - i) & 1,
			.max_ttl_s = fate_bits};
	message_apply(message, fates, count, kind & 2);
	filtered = filtered && count < 8;
	if (filtered)
		check_left(message, fates, count);
	len_out = message_build(message, &query, kind & 1, &error, kind & 8 ? 512 : MESSAGE_MAX, out,
		sizeof(out));
	if (len_out > (kind & 8 ? 512 : MESSAGE_MAX))
		abort();
	if (len_out)
		check_built(out, len_out, message, filtered ? fates : NULL, count);
	message_free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 2)
		return 0;
	if (data[0] % 2 == 0)
		read_query(data + 1, len - 1);
	else
		answer(data + 2, len - 2, data[0] >> 1, data[1]);
	return 0;
}
