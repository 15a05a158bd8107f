/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Encrypted payload (sk.h). */
#include "ike/sk.h"

#define SK_AT (IKE_HEADER_LEN)
#define AAD_LEN (IKE_HEADER_LEN + IKE_GENERIC_LEN)
#define PAD_LENGTH_LEN 1

static const uint8_t *sender_key(const struct ike_keys *keys, uint8_t flags)
{
	return flags & IKE_FLAG_INITIATOR ? keys->ei : keys->er;
}

size_t ike_sk_seal(const struct ike_keys *keys, const struct ike_header *header, uint64_t iv,
	uint8_t first, const uint8_t *inner, size_t inner_len, uint8_t *out, size_t room)
{
	uint8_t plain[IKE_MESSAGE_MAX];
	size_t sealed_len = inner_len + PAD_LENGTH_LEN + AEAD_TAG_LEN;
	size_t len = AAD_LEN + AEAD_IV_LEN + sealed_len;
	struct ike_header outer = *header;
	struct writer w = writer_init(out, room);
	struct writer content = writer_init(plain, sizeof(plain));
	uint8_t *sealed, *iv_at;
	bool good;

	outer.next = IKE_PAYLOAD_SK;
	outer.len = (uint32_t)len;
	ike_header_build(&w, &outer);
	writer_u8(&w, first);
	writer_u8(&w, 0);
	writer_u16(&w, (uint16_t)(len - IKE_HEADER_LEN));
	iv_at = w.failed ? NULL : w.data + w.len;
	writer_u64(&w, iv);
	sealed = writer_reserve(&w, sealed_len);
	/* No padding is needed; its length octet stands alone (RFC 5282 3). */
	writer_bytes(&content, inner, inner_len);
	writer_u8(&content, 0);
	good = sealed && iv_at && !content.failed && len <= UINT16_MAX &&
	       aead_seal(keys->encr, sender_key(keys, header->flags), keys->aead_len, iv_at, out,
		       AAD_LEN, plain, content.len, sealed);
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

enum ike_sk_result ike_sk_open(const struct ike_keys *keys, const uint8_t *data, size_t len,
	const struct ike_message *outer, uint8_t *plain, struct ike_message *inner)
{
	const struct ike_payload *sk = ike_message_find(outer, IKE_PAYLOAD_SK);
	size_t aad_len, sealed_len, content_len;

	if (!sk || sk->len < AEAD_IV_LEN + AEAD_TAG_LEN + PAD_LENGTH_LEN)
		return IKE_SK_FORGED;
	aad_len = (size_t)(sk->data - data);
	sealed_len = sk->len - AEAD_IV_LEN;
	if (aad_len + sk->len != len ||
		!aead_open(keys->encr, sender_key(keys, outer->header.flags), keys->aead_len,
			sk->data, data, aad_len, sk->data + AEAD_IV_LEN, sealed_len, plain))
		return IKE_SK_FORGED;
	inner->header = outer->header;
	inner->count = 0;
	inner->unsupported = outer->unsupported;
	inner->sk_first = 0;
	if (!strip_padding(plain, sealed_len - AEAD_TAG_LEN, &content_len) ||
		!ike_chain_parse(outer->sk_first, plain, content_len, inner))
		return IKE_SK_MALFORMED;
	return IKE_SK_OPENED;
}
