/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Encrypted payload and its fragments (sk.h). */
#include "ike/sk.h"

#define PAD_LENGTH_LEN 1
#define PLACE_LEN 4

static const uint8_t *sender_key(const struct ike_keys *keys, uint8_t flags)
{
	return flags & IKE_FLAG_INITIATOR ? keys->ei : keys->er;
}

/* Header, generic header and place: what is authenticated beside the content. */
static void write_frame(struct writer *w, const struct ike_header *header, uint8_t first,
	const struct ike_place *place, size_t len)
{
	struct ike_header outer = *header;

	outer.next = place ? IKE_PAYLOAD_SKF : IKE_PAYLOAD_SK;
	outer.len = (uint32_t)len;
	ike_header_build(w, &outer);
	writer_u8(w, first);
	writer_u8(w, 0);
	writer_u16(w, (uint16_t)(len - IKE_HEADER_LEN));
	if (place) {
		writer_u16(w, place->number);
		writer_u16(w, place->total);
	}
}

size_t ike_sk_seal(const struct ike_keys *keys, const struct ike_header *header, uint64_t iv,
	uint8_t first, const struct ike_place *place, const uint8_t *inner, size_t inner_len,
	uint8_t *out, size_t room)
{
	uint8_t plain[IKE_MESSAGE_MAX];
	size_t sealed_len = inner_len + PAD_LENGTH_LEN + AEAD_TAG_LEN;
	size_t len = inner_len + (place ? IKE_SKF_OVERHEAD : IKE_SK_OVERHEAD), aad_len;
	struct writer w = writer_init(out, room);
	struct writer content = writer_init(plain, sizeof(plain));
	uint8_t *sealed, *iv_at;
	bool good;

	write_frame(&w, header, first, place, len);
	aad_len = w.len;
	iv_at = w.failed ? NULL : w.data + w.len;
	writer_u64(&w, iv);
	sealed = writer_reserve(&w, sealed_len);
	/* No padding is needed; its length octet stands alone (RFC 5282 3). */
	writer_bytes(&content, inner, inner_len);
	writer_u8(&content, 0);
	good = sealed && iv_at && !content.failed && len <= UINT16_MAX &&
	       aead_seal(keys->encr, sender_key(keys, header->flags), keys->aead_len, iv_at, out,
		       aad_len, plain, content.len, sealed);
	secret_wipe(plain, content.len);
	return good ? len : 0;
}

/* Where the padding says that the content ends; false when it says nonsense. */
static bool strip_padding(const uint8_t *plain, size_t len, size_t *content_len)
{
	size_t pad = plain[len - 1];

	if (pad + PAD_LENGTH_LEN > len)
		return false;
	*content_len = len - PAD_LENGTH_LEN - pad;
	return true;
}

/* `skip` bytes of the payload are in the clear before the IV. */
static enum ike_sk_result open_payload(const struct ike_keys *keys, const uint8_t *data, size_t len,
	const struct ike_message *outer, const struct ike_payload *payload, size_t skip,
	uint8_t *plain, size_t *plain_len)
{
	const uint8_t *iv;
	size_t aad_len, sealed_len;

	if (!payload || payload->len < skip + AEAD_IV_LEN + AEAD_TAG_LEN + PAD_LENGTH_LEN)
		return IKE_SK_FORGED;
	iv = payload->data + skip;
	aad_len = (size_t)(iv - data);
	sealed_len = payload->len - skip - AEAD_IV_LEN;
	if (aad_len + AEAD_IV_LEN + sealed_len != len ||
		!aead_open(keys->encr, sender_key(keys, outer->header.flags), keys->aead_len, iv,
			data, aad_len, iv + AEAD_IV_LEN, sealed_len, plain))
		return IKE_SK_FORGED;
	return strip_padding(plain, sealed_len - AEAD_TAG_LEN, plain_len) ? IKE_SK_OPENED
									   : IKE_SK_MALFORMED;
}

enum ike_sk_result ike_sk_parse(const struct ike_message *outer, uint8_t first,
	const uint8_t *content, size_t len, struct ike_message *inner)
{
	inner->header = outer->header;
	inner->count = 0;
	inner->unsupported = outer->unsupported;
	inner->sk_first = 0;
	return ike_chain_parse(first, content, len, inner) ? IKE_SK_OPENED : IKE_SK_MALFORMED;
}

enum ike_sk_result ike_sk_open(const struct ike_keys *keys, const uint8_t *data, size_t len,
	const struct ike_message *outer, uint8_t *plain, struct ike_message *inner)
{
	size_t plain_len;
	enum ike_sk_result result = open_payload(keys, data, len, outer,
		ike_message_find(outer, IKE_PAYLOAD_SK), 0, plain, &plain_len);

	return result == IKE_SK_OPENED
		       ? ike_sk_parse(outer, outer->sk_first, plain, plain_len, inner)
		       : result;
}

bool ike_skf_place(const struct ike_message *outer, struct ike_place *out)
{
	const struct ike_payload *payload = ike_message_find(outer, IKE_PAYLOAD_SKF);
	struct reader r;

	if (!payload)
		return false;
	r = reader_init(payload->data, payload->len);
	out->number = reader_u16(&r);
	out->total = reader_u16(&r);
	return !r.failed && out->number >= 1 && out->number <= out->total;
}

enum ike_sk_result ike_skf_open(const struct ike_keys *keys, const uint8_t *data, size_t len,
	const struct ike_message *outer, uint8_t *plain, size_t *plain_len)
{
	return open_payload(keys, data, len, outer, ike_message_find(outer, IKE_PAYLOAD_SKF),
		PLACE_LEN, plain, plain_len);
}
