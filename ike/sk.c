/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Encrypted payload and its fragments (sk.h). */
#include "ike/sk.h"

#define PAD_LENGTH_LEN 1
#define PLACE_LEN 4

/* The keys of one direction. */
struct direction {
	const uint8_t *encr, *integ;
};

static struct direction sender_keys(const struct ike_keys *keys, uint8_t flags)
{
	if (flags & IKE_FLAG_INITIATOR)
		return (struct direction){keys->ei, keys->ai};
	return (struct direction){keys->er, keys->ar};
}

/* What the cipher adds: an IV, padding up to whole blocks, an integrity check value. */
struct shape {
	size_t iv_len, block, icv_len;
};

static struct shape shape_of(const struct ike_keys *keys)
{
	if (keys->integ)
		return (struct shape){CBC_BLOCK_LEN, CBC_BLOCK_LEN, cbc_icv_len(keys->integ)};
	return (struct shape){AEAD_IV_LEN, 1, AEAD_TAG_LEN};
}

/* Content with its padding and the length of that. */
static size_t padded_len(const struct shape *shape, size_t len)
{
	len += PAD_LENGTH_LEN;
	return (len + shape->block - 1) / shape->block * shape->block;
}

static size_t frame_len(bool fragment)
{
	return IKE_HEADER_LEN + IKE_GENERIC_LEN + (fragment ? PLACE_LEN : 0u);
}

size_t ike_sk_room(const struct ike_keys *keys, bool fragment, size_t len)
{
	struct shape shape = shape_of(keys);
	size_t overhead = frame_len(fragment) + shape.iv_len + shape.icv_len;

	if (len < overhead + shape.block)
		return 0;
	return (len - overhead) / shape.block * shape.block - PAD_LENGTH_LEN;
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

/* CBC: the ICV covers all before it, IV and ciphertext too (3.14). */
static bool seal_cbc(const struct ike_keys *keys, const struct direction *direction, uint64_t iv,
	const uint8_t *plain, size_t len, uint8_t *out, size_t aad_len)
{
	uint8_t *iv_at = out + aad_len, *sealed = iv_at + CBC_BLOCK_LEN;

	return cbc_make_iv(direction->encr, keys->encr_len, iv, iv_at) &&
	       cbc_encrypt(direction->encr, keys->encr_len, iv_at, plain, len, sealed) &&
	       cbc_sign(keys->integ, direction->integ, out, (size_t)(sealed - out) + len,
		       sealed + len);
}

/* Seals `plain` behind the first `aad_len` bytes of `out`, which has room for it. */
static bool seal_content(const struct ike_keys *keys, uint8_t flags, uint64_t iv,
	const uint8_t *plain, size_t len, uint8_t *out, size_t aad_len)
{
	struct direction direction = sender_keys(keys, flags);
	struct writer w = writer_init(out + aad_len, AEAD_IV_LEN);

	if (keys->integ)
		return seal_cbc(keys, &direction, iv, plain, len, out, aad_len);
	writer_u64(&w, iv);
	return aead_seal(keys->encr, direction.encr, keys->encr_len, out + aad_len, out, aad_len,
		plain, len, out + aad_len + AEAD_IV_LEN);
}

size_t ike_sk_seal(const struct ike_keys *keys, const struct ike_header *header, uint64_t iv,
	uint8_t first, const struct ike_place *place, const uint8_t *inner, size_t inner_len,
	uint8_t *out, size_t room)
{
	uint8_t plain[IKE_MESSAGE_MAX + CBC_BLOCK_LEN] = {0};
	struct shape shape = shape_of(keys);
	size_t padded = padded_len(&shape, inner_len), aad_len;
	size_t sealed_len = shape.iv_len + padded + shape.icv_len;
	size_t len = frame_len(place != NULL) + sealed_len;
	struct writer w = writer_init(out, room);
	struct writer content = writer_init(plain, sizeof(plain));
	bool good;

	write_frame(&w, header, first, place, len);
	aad_len = w.len;
	writer_reserve(&w, sealed_len);
	/* AEAD needs no padding; its length octet stands alone (RFC 5282 3). */
	writer_bytes(&content, inner, inner_len);
	writer_reserve(&content, padded - inner_len - PAD_LENGTH_LEN);
	writer_u8(&content, (uint8_t)(padded - inner_len - PAD_LENGTH_LEN));
	good = !w.failed && !content.failed && len <= UINT16_MAX &&
	       seal_content(keys, header->flags, iv, plain, padded, out, aad_len);
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

/* Checks and deciphers what stands behind the first `aad_len` bytes of `data`; nothing is deciphered unchecked. */
static bool open_content(const struct ike_keys *keys, uint8_t flags, const uint8_t *data,
	size_t aad_len, size_t sealed_len, uint8_t *plain)
{
	struct direction direction = sender_keys(keys, flags);
	struct shape shape = shape_of(keys);
	const uint8_t *iv = data + aad_len, *sealed = iv + shape.iv_len;
	size_t len = sealed_len - shape.icv_len;

	if (!keys->integ)
		return aead_open(keys->encr, direction.encr, keys->encr_len, iv, data, aad_len,
			sealed, sealed_len, plain);
	return len % CBC_BLOCK_LEN == 0 &&
	       cbc_check(keys->integ, direction.integ, data, (size_t)(sealed - data) + len,
		       sealed + len) &&
	       cbc_decrypt(direction.encr, keys->encr_len, iv, sealed, len, plain);
}

/* `skip` bytes of the payload are in the clear before the IV. */
static enum ike_sk_result open_payload(const struct ike_keys *keys, const uint8_t *data, size_t len,
	const struct ike_message *outer, const struct ike_payload *payload, size_t skip,
	uint8_t *plain, size_t *plain_len)
{
	struct shape shape = shape_of(keys);
	size_t aad_len, sealed_len;

	if (!payload || payload->len < skip + shape.iv_len + shape.icv_len + PAD_LENGTH_LEN)
		return IKE_SK_FORGED;
	aad_len = (size_t)(payload->data + skip - data);
	sealed_len = payload->len - skip - shape.iv_len;
	if (aad_len + shape.iv_len + sealed_len != len ||
		!open_content(keys, outer->header.flags, data, aad_len, sealed_len, plain))
		return IKE_SK_FORGED;
	return strip_padding(plain, sealed_len - shape.icv_len, plain_len) ? IKE_SK_OPENED
									   : IKE_SK_MALFORMED;
}

enum ike_sk_result ike_sk_parse(const struct ike_message *outer, uint8_t first,
	const uint8_t *content, size_t len, struct ike_message *inner)
{
	inner->header = outer->header;
	inner->count = 0;
	inner->unsupported = outer->unsupported;
	inner->sk_first = 0;
	inner->first = first;
	inner->content = content;
	inner->content_len = len;
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
