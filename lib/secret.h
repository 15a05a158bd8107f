/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key material: a small buffer of fixed capacity that is embedded in its
 * owner and wiped when it goes. Pure: the bytes come from elsewhere.
 */
#ifndef LIB_SECRET_H
#define LIB_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Holds every key of IKE and ESP, and a Diffie-Hellman result of MODP-4096. */
#define SECRET_MAX 512

struct secret {
	size_t len;
	uint8_t data[SECRET_MAX];
};

/* Overwrites memory in a way that the compiler keeps. */
void secret_wipe(void *data, size_t len);
/* Replaces the content; false (and cleared) when len > SECRET_MAX. */
bool secret_set(struct secret *secret, const void *data, size_t len);
/* Wipes and empties. */
void secret_clear(struct secret *secret);
/* Compares in constant time; lengths are not secret. */
bool secret_equal(const void *a, const void *b, size_t len);

#endif
