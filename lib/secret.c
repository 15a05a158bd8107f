/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key material that is wiped (secret.h). */
#include "lib/secret.h"

#include <string.h>

void secret_wipe(void *data, size_t len)
{
	if (len)
		explicit_bzero(data, len);
}

bool secret_set(struct secret *secret, const void *data, size_t len)
{
	secret_clear(secret);
	if (len > sizeof(secret->data))
		return false;
	if (len)
		memcpy(secret->data, data, len);
	secret->len = len;
	return true;
}

void secret_clear(struct secret *secret)
{
	secret_wipe(secret, sizeof(*secret));
}

bool secret_equal(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *left = a;
	const volatile uint8_t *right = b;
	uint8_t difference = 0;

	for (size_t i = 0; i < len; i++)
		difference |= (uint8_t)(left[i] ^ right[i]);
	return difference == 0;
}
