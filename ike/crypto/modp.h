/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MODP groups of RFC 3526, for kex.h. Exponents and what comes of them lie
 * in memory of our own, which is wiped; the power takes a time that does not
 * depend on them.
 */
#ifndef IKE_CRYPTO_MODP_H
#define IKE_CRYPTO_MODP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODP_MAX 512 /* bytes of the largest prime */

/* Bytes of the prime, and of every public number and secret; 0 for a group that we do not have. */
size_t modp_len(uint16_t group);
/* Bytes of a private exponent: twice the group's strength at least (RFC 3526 8, RFC 7919 5.2). */
size_t modp_private_len(uint16_t group);
/* 2 to the power of the exponent, modp_len() bytes. */
void modp_public(uint16_t group, const uint8_t *private, uint8_t *out);
/* The peer's number to the power of the exponent; false unless it is in 2 .. p - 2 (RFC 6989 2.1). */
bool modp_shared(uint16_t group, const uint8_t *private, const uint8_t *peer, uint8_t *out);

#endif
