/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Encrypted payload and its fragments, with each kind of cipher: what was
 * sealed opens, nothing that was touched does, lengths are what was promised.
 */
#include "t/tap.h"

#include "ike/sk.h"

#define CONTENT_MAX 80

static uint8_t sealed[IKE_MESSAGE_MAX], plain[IKE_MESSAGE_MAX], content[CONTENT_MAX];

static const struct ike_header header = {.spi_i = 1,
	.spi_r = 2,
	.exchange = IKE_EXCHANGE_INFORMATIONAL,
	.flags = IKE_FLAG_INITIATOR,
	.id = 3};

static struct ike_keys make_keys(uint16_t encr, uint16_t key_bits, uint16_t integ)
{
	struct ike_chosen chosen = {.protocol = IKE_PROTOCOL_IKE,
		.encr = encr,
		.key_bits = key_bits,
		.integ = integ,
		.prf = IKE_PRF_HMAC_SHA2_256};
	struct ike_nonce nonce = {.len = 16};
	struct secret shared = {.len = 32};
	struct ike_keys keys = {0};

	ok(ike_keys_derive(&keys, &chosen, &shared, &nonce, &nonce, 1, 2), "keys of cipher %u, %u bits, %u",
		encr, key_bits, integ);
	return keys;
}

static enum ike_sk_result open_piece(const struct ike_keys *keys, size_t len, size_t *plain_len)
{
	struct ike_message outer;

	return ike_message_parse(sealed, len, &outer)
		       ? ike_skf_open(keys, sealed, len, &outer, plain, plain_len)
		       : IKE_SK_FORGED;
}

static void test_lengths(const struct ike_keys *keys)
{
	struct ike_place place = {1, 2};
	unsigned good = 0;

	for (size_t len = 0; len < CONTENT_MAX; len++) {
		size_t plain_len = 0;
		size_t out = ike_sk_seal(keys, &header, len + 1, IKE_PAYLOAD_NOTIFY, &place, content,
			len, sealed, sizeof(sealed));

		good += out && out <= len + IKE_SKF_OVERHEAD_MAX &&
			ike_sk_room(keys, true, out) >= len &&
			ike_sk_room(keys, true, out - 1) <= (len ? len - 1 : 0) &&
			open_piece(keys, out, &plain_len) == IKE_SK_OPENED && plain_len == len &&
			memcmp(plain, content, len) == 0;
	}
	is_int(good, CONTENT_MAX, "content of every length, sealed and opened");
}

/* The room that is given is kept, and one byte more does not fit. */
static void test_room(const struct ike_keys *keys)
{
	struct ike_place place = {1, 2};
	unsigned good = 0;

	for (size_t limit = 1200; limit < 1300; limit++) {
		size_t most = ike_sk_room(keys, true, limit);
		size_t all = ike_sk_room(keys, false, limit);

		good += ike_sk_seal(keys, &header, 1, 0, &place, plain, most, sealed, limit) &&
			!ike_sk_seal(keys, &header, 1, 0, &place, plain, most + 1, sealed, limit) &&
			ike_sk_seal(keys, &header, 1, 0, NULL, plain, all, sealed, limit) &&
			!ike_sk_seal(keys, &header, 1, 0, NULL, plain, all + 1, sealed, limit);
	}
	is_int(good, 100, "room is what it says");
	ok(!ike_sk_seal(keys, &header, 1, 0, NULL, plain, IKE_MESSAGE_MAX, sealed, sizeof(sealed)),
		"more than a message holds is refused");
}

static void test_forged(const struct ike_keys *keys)
{
	struct ike_place place = {1, 2};
	size_t len = ike_sk_seal(keys, &header, 1, IKE_PAYLOAD_NOTIFY, &place, content, 40, sealed,
		sizeof(sealed));
	size_t plain_len;
	unsigned forged = 0;

	for (size_t i = 0; i < len; i++) {
		sealed[i] ^= 1;
		forged += open_piece(keys, len, &plain_len) == IKE_SK_FORGED;
		sealed[i] ^= 1;
	}
	is_int(forged, (intmax_t)len, "a bit of any byte changed: forged");
	forged = 0;
	for (size_t cut = 0; cut < len; cut++) {
		/* The lengths of header and payload say the same: only the cipher can find out. */
		sealed[27] = (uint8_t)cut;
		sealed[31] = (uint8_t)(cut - IKE_HEADER_LEN);
		forged += open_piece(keys, cut, &plain_len) == IKE_SK_FORGED;
	}
	is_int(forged, (intmax_t)len, "cut anywhere: forged");
}

/* The keys of the other direction are no keys. */
static void test_direction(const struct ike_keys *keys)
{
	struct ike_header back = header;
	struct ike_keys swapped = *keys;
	struct ike_place place = {1, 1};
	size_t len, plain_len;

	back.flags = IKE_FLAG_RESPONSE;
	len = ike_sk_seal(keys, &back, 1, 0, &place, content, 10, sealed, sizeof(sealed));
	ok(open_piece(keys, len, &plain_len) == IKE_SK_OPENED, "the responder's direction");
	swapped.er = keys->ei;
	swapped.ar = keys->ai;
	ok(open_piece(&swapped, len, &plain_len) == IKE_SK_FORGED, "has keys of its own");
}

/* No two messages with one IV, and the IV of CBC is no counter. */
static void test_iv(const struct ike_keys *keys)
{
	size_t at = IKE_HEADER_LEN + IKE_GENERIC_LEN;
	uint8_t first[16];

	ike_sk_seal(keys, &header, 1, 0, NULL, content, 10, sealed, sizeof(sealed));
	memcpy(first, sealed + at, sizeof(first));
	ike_sk_seal(keys, &header, 2, 0, NULL, content, 10, sealed, sizeof(sealed));
	if (keys->integ)
		ok(memcmp(first, sealed + at, 8) != 0 && memcmp(first + 8, sealed + at + 8, 8) != 0,
			"an IV that nobody can guess");
	else
		ok(first[7] == 1 && sealed[at + 7] == 2, "the counter is the IV");
}

static void test_cipher(uint16_t encr, uint16_t key_bits, uint16_t integ)
{
	struct ike_keys keys = make_keys(encr, key_bits, integ);

	test_lengths(&keys);
	test_room(&keys);
	test_forged(&keys);
	test_direction(&keys);
	test_iv(&keys);
	ike_keys_clear(&keys);
}

int main(void)
{
	for (uint8_t i = 0; i < CONTENT_MAX; i++)
		content[i] = i;
	test_cipher(IKE_ENCR_AES_GCM_16, 256, 0);
	test_cipher(IKE_ENCR_CHACHA20_POLY1305, 0, 0);
	test_cipher(IKE_ENCR_AES_CBC, 128, IKE_INTEG_HMAC_SHA2_256_128);
	test_cipher(IKE_ENCR_AES_CBC, 256, IKE_INTEG_HMAC_SHA2_384_192);
	test_cipher(IKE_ENCR_AES_CBC, 256, IKE_INTEG_HMAC_SHA2_512_256);
	return tap_done();
}
