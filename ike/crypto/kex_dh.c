/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Diffie-Hellman methods (kex_method.h): X25519 (RFC 8031), the ECP groups (RFC 5903), the MODP groups (RFC 3526). */
#include "ike/crypto/kex_method.h"

#include "ike/crypto/modp.h"
#include "lib/mem.h"

#include <gmp.h>
#include <nettle/curve25519.h>
#include <nettle/ecc.h>
#include <string.h>

/* --- X25519 --------------------------------------------------------------------------------- */

void kex_x25519_generate(
	const struct kex_method *method, struct kex *kex, const struct crypto_random *random)
{
	kex_make_room(kex, method->coordinate, CURVE25519_SIZE);
	random->fill(random->arg, kex->private, CURVE25519_SIZE);
	curve25519_mul_g(kex->public, kex->private);
}

bool kex_x25519_derive(const struct kex_method *method, const struct kex *kex, const uint8_t *peer,
	size_t len, struct secret *shared)
{
	static const uint8_t zero[CURVE25519_SIZE];

	if (len != CURVE25519_SIZE)
		return false;
	curve25519_mul(shared->data, kex->private, peer);
	shared->len = method->coordinate;
	return !secret_equal(shared->data, zero, CURVE25519_SIZE);
}

/* --- ECP: public is x | y, the secret is x ------------------------------------------------------ */

static void fill_random(void *arg, size_t len, uint8_t *out)
{
	const struct crypto_random *random = arg;

	random->fill(random->arg, out, len);
}

static void write_number(uint8_t *out, size_t len, const mpz_t number)
{
	size_t used = (mpz_sizeinbase(number, 2) + 7) / 8;

	memset(out, 0, len);
	if (mpz_sgn(number) != 0 && used <= len)
		mpz_export(out + len - used, NULL, 1, 1, 1, 0, number);
}

/* GMP and nettle free what they have as it is. */
static void forget_number(mpz_t number)
{
	secret_wipe(mpz_limbs_modify(number, (mp_size_t)mpz_size(number)),
		mpz_size(number) * sizeof(mp_limb_t));
	mpz_clear(number);
}

static void forget_point(struct ecc_point *point)
{
	secret_wipe(point->p, (size_t)ecc_size_a(point->ecc) * sizeof(mp_limb_t));
	ecc_point_clear(point);
}

static void forget_scalar(struct ecc_scalar *scalar)
{
	secret_wipe(scalar->p, (size_t)ecc_size(scalar->ecc) * sizeof(mp_limb_t));
	ecc_scalar_clear(scalar);
}

static void write_point(const struct ecc_point *point, size_t coordinate, uint8_t *x, uint8_t *y)
{
	mpz_t mx, my;

	mpz_init(mx);
	mpz_init(my);
	ecc_point_get(point, mx, my);
	write_number(x, coordinate, mx);
	if (y)
		write_number(y, coordinate, my);
	forget_number(mx);
	forget_number(my);
}

void kex_ecp_generate(const struct kex_method *method, struct kex *kex, const struct crypto_random *random)
{
	struct ecc_scalar scalar;
	struct ecc_point point;
	mpz_t number;

	ecc_scalar_init(&scalar, method->curve());
	ecc_point_init(&point, method->curve());
	ecc_scalar_random(&scalar, (void *)random, fill_random);
	ecc_point_mul_g(&point, &scalar);
	kex_make_room(kex, method->coordinate, 2 * method->coordinate);
	write_point(&point, method->coordinate, kex->public, kex->public + method->coordinate);
	mpz_init(number);
	ecc_scalar_get(&scalar, number);
	write_number(kex->private, method->coordinate, number);
	forget_number(number);
	forget_point(&point);
	forget_scalar(&scalar);
}

static bool set_scalar(struct ecc_scalar *scalar, const struct kex *kex)
{
	mpz_t number;
	bool good;

	mpz_init(number);
	mpz_import(number, kex->private_len, 1, 1, 1, 0, kex->private);
	good = ecc_scalar_set(scalar, number) == 1;
	forget_number(number);
	return good;
}

/* False when x | y is not on the curve (nettle checks). */
static bool set_point(struct ecc_point *point, const uint8_t *peer, size_t coordinate)
{
	mpz_t x, y;
	bool good;

	mpz_init(x);
	mpz_init(y);
	mpz_import(x, coordinate, 1, 1, 1, 0, peer);
	mpz_import(y, coordinate, 1, 1, 1, 0, peer + coordinate);
	good = ecc_point_set(point, x, y) == 1;
	mpz_clear(x);
	mpz_clear(y);
	return good;
}

bool kex_ecp_derive(const struct kex_method *method, const struct kex *kex, const uint8_t *peer,
	size_t len, struct secret *shared)
{
	struct ecc_scalar scalar;
	struct ecc_point point;
	bool good;

	if (len != 2 * method->coordinate)
		return false;
	ecc_scalar_init(&scalar, method->curve());
	ecc_point_init(&point, method->curve());
	good = set_point(&point, peer, method->coordinate) && set_scalar(&scalar, kex);
	if (good) {
		ecc_point_mul(&point, &scalar, &point);
		write_point(&point, method->coordinate, shared->data, NULL);
		shared->len = method->coordinate;
	}
	forget_point(&point);
	forget_scalar(&scalar);
	return good;
}

/* --- MODP ---------------------------------------------------------------------------------- */

void kex_modp_generate(
	const struct kex_method *method, struct kex *kex, const struct crypto_random *random)
{
	kex_make_room(kex, modp_private_len(method->id), modp_len(method->id));
	random->fill(random->arg, kex->private, kex->private_len);
	modp_public(method->id, kex->private, kex->public);
}

/* The length is that of the prime, leading zeros too (RFC 7296 3.4). */
bool kex_modp_derive(const struct kex_method *method, const struct kex *kex, const uint8_t *peer,
	size_t len, struct secret *shared)
{
	if (len != modp_len(method->id) || !modp_shared(method->id, kex->private, peer, shared->data))
		return false;
	shared->len = len;
	return true;
}
