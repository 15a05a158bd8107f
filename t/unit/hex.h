/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Octets written as hexadecimal text, for tests with published or computed values. */
#ifndef T_UNIT_HEX_H
#define T_UNIT_HEX_H

#include "t/tap.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The length; out has room for half the text. */
static inline size_t from_hex(const char *text, uint8_t *out)
{
	size_t len = 0;
	unsigned byte;

	for (; sscanf(text, "%2x", &byte) == 1; text += 2)
		out[len++] = (uint8_t)byte;
	return len;
}

/* What was got begins with the wanted octets, 1024 at most. */
static inline void is_hex(const void *got, const char *want, const char *name)
{
	uint8_t bytes[1024];
	size_t len = from_hex(want, bytes);

	is_mem(got, bytes, len, name);
}

/* A struct crypto_random's fill: "random" bytes that are given. */
static inline void fill_given(void *arg, void *out, size_t len)
{
	memcpy(out, arg, len);
}

#endif
