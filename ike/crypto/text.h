/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secrets from their textual forms. */
#ifndef IKE_CRYPTO_TEXT_H
#define IKE_CRYPTO_TEXT_H

#include "lib/secret.h"

/* Hexadecimal digits, or base64; false when it is not that, is empty or too long. */
bool text_decode_hex(const char *text, struct secret *out);
bool text_decode_base64(const char *text, struct secret *out);

#endif
