/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secrets from text, by nettle (text.h). */
#include "ike/crypto/text.h"

#include <nettle/base16.h>
#include <nettle/base64.h>
#include <string.h>

bool text_decode_hex(const char *text, struct secret *out)
{
	struct base16_decode_ctx ctx;
	uint8_t bytes[SECRET_MAX];
	size_t len = sizeof(bytes), in = strlen(text);
	bool good;

	base16_decode_init(&ctx);
	good = in <= BASE16_ENCODE_LENGTH(SECRET_MAX) &&
	       base16_decode_update(&ctx, &len, bytes, in, text) && base16_decode_final(&ctx) &&
	       len > 0 && secret_set(out, bytes, len);
	secret_wipe(bytes, sizeof(bytes));
	return good;
}

bool text_decode_base64(const char *text, struct secret *out)
{
	struct base64_decode_ctx ctx;
	uint8_t bytes[BASE64_DECODE_LENGTH(BASE64_ENCODE_RAW_LENGTH(SECRET_MAX)) + 8];
	size_t len = sizeof(bytes), in = strlen(text);
	bool good;

	base64_decode_init(&ctx);
	good = in <= BASE64_ENCODE_RAW_LENGTH(SECRET_MAX) &&
	       base64_decode_update(&ctx, &len, bytes, in, text) && base64_decode_final(&ctx) &&
	       len > 0 && secret_set(out, bytes, len);
	secret_wipe(bytes, sizeof(bytes));
	return good;
}
