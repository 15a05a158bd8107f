/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key exchange (kex.h): X25519 (RFC 8031), the ECP groups (RFC 5903), the MODP groups (RFC 3526). */
#include "ike/crypto/kex.h"

#include "ike/const.h"
#include "ike/crypto/modp.h"
#include "lib/mem.h"

#include <gmp.h>
#include <nettle/curve25519.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <stdlib.h>
#include <string.h>

/* One row a group; the functions do what kex.h says. */
struct group {
	uint16_t id;
	size_t coordinate; /* bytes of a coordinate, of a private number too; MODP: modp.h knows */
	const struct ecc_curve *(*curve)(void);
	void (*generate)(const struct group *group, struct kex *kex, const struct crypto_random *random);
	bool (*derive)(const struct group *group, const struct kex *kex, const uint8_t *peer,
		size_t len, struct secret *shared);
};

static void make_room(struct kex *kex, size_t private_len, size_t public_len)
{
	kex->public_len = (uint16_t)public_len;
	kex->public = mem_zalloc(public_len);
	kex->private_len = (uint16_t)private_len;
	kex->private = mem_zalloc(private_len);
}

/* --- X25519 --------------------------------------------------------------------------------- */

static void generate_x25519(
	const struct group *group, struct kex *kex, const struct crypto_random *random)
{
	make_room(kex, group->coordinate, CURVE25519_SIZE);
	random->fill(random->arg, kex->private, CURVE25519_SIZE);
	curve25519_mul_g(kex->public, kex->private);
}

static bool derive_x25519(const struct group *group, const struct kex *kex, const uint8_t *peer,
	size_t len, struct secret *shared)
{
	static const uint8_t zero[CURVE25519_SIZE];

	if (len != CURVE25519_SIZE)
		return false;
	curve25519_mul(shared->data, kex->private, peer);
	shared->len = group->coordinate;
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

static void write_point(const struct ecc_point *point, size_t coordinate, uint8_t *x, uint8_t *y)
{
	mpz_t mx, my;

	mpz_init(mx);
	mpz_init(my);
	ecc_point_get(point, mx, my);
	write_number(x, coordinate, mx);
	if (y)
		write_number(y, coordinate, my);
	mpz_clear(mx);
	mpz_clear(my);
}

static void generate_ecp(const struct group *group, struct kex *kex, const struct crypto_random *random)
{
	struct ecc_scalar scalar;
	struct ecc_point point;
	mpz_t number;

	ecc_scalar_init(&scalar, group->curve());
	ecc_point_init(&point, group->curve());
	ecc_scalar_random(&scalar, (void *)random, fill_random);
	ecc_point_mul_g(&point, &scalar);
	make_room(kex, group->coordinate, 2 * group->coordinate);
	write_point(&point, group->coordinate, kex->public, kex->public + group->coordinate);
	mpz_init(number);
	ecc_scalar_get(&scalar, number);
	write_number(kex->private, group->coordinate, number);
	secret_wipe(mpz_limbs_modify(number, (mp_size_t)mpz_size(number)),
		mpz_size(number) * sizeof(mp_limb_t));
	mpz_clear(number);
	ecc_point_clear(&point);
	ecc_scalar_clear(&scalar);
}

static bool set_scalar(struct ecc_scalar *scalar, const struct kex *kex)
{
	mpz_t number;
	bool good;

	mpz_init(number);
	mpz_import(number, kex->private_len, 1, 1, 1, 0, kex->private);
	good = ecc_scalar_set(scalar, number) == 1;
	secret_wipe(mpz_limbs_modify(number, (mp_size_t)mpz_size(number)),
		mpz_size(number) * sizeof(mp_limb_t));
	mpz_clear(number);
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

static bool derive_ecp(const struct group *group, const struct kex *kex, const uint8_t *peer,
	size_t len, struct secret *shared)
{
	struct ecc_scalar scalar;
	struct ecc_point point;
	bool good;

	if (len != 2 * group->coordinate)
		return false;
	ecc_scalar_init(&scalar, group->curve());
	ecc_point_init(&point, group->curve());
	good = set_point(&point, peer, group->coordinate) && set_scalar(&scalar, kex);
	if (good) {
		ecc_point_mul(&point, &scalar, &point);
		write_point(&point, group->coordinate, shared->data, NULL);
		shared->len = group->coordinate;
	}
	ecc_point_clear(&point);
	ecc_scalar_clear(&scalar);
	return good;
}

/* --- MODP ---------------------------------------------------------------------------------- */

static void generate_modp(
	const struct group *group, struct kex *kex, const struct crypto_random *random)
{
	make_room(kex, modp_private_len(group->id), modp_len(group->id));
	random->fill(random->arg, kex->private, kex->private_len);
	modp_public(group->id, kex->private, kex->public);
}

/* The length is that of the prime, leading zeros too (RFC 7296 3.4). */
static bool derive_modp(const struct group *group, const struct kex *kex, const uint8_t *peer,
	size_t len, struct secret *shared)
{
	if (len != modp_len(group->id) || !modp_shared(group->id, kex->private, peer, shared->data))
		return false;
	shared->len = len;
	return true;
}

static const struct group groups[] = {
	{IKE_GROUP_CURVE25519, 32, NULL, generate_x25519, derive_x25519},
	{IKE_GROUP_ECP_256, 32, nettle_get_secp_256r1, generate_ecp, derive_ecp},
	{IKE_GROUP_ECP_384, 48, nettle_get_secp_384r1, generate_ecp, derive_ecp},
	{IKE_GROUP_ECP_521, 66, nettle_get_secp_521r1, generate_ecp, derive_ecp},
	{IKE_GROUP_MODP_2048, 0, NULL, generate_modp, derive_modp},
	{IKE_GROUP_MODP_3072, 0, NULL, generate_modp, derive_modp},
	{IKE_GROUP_MODP_4096, 0, NULL, generate_modp, derive_modp},
};

static const struct group *find_group(uint16_t id)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (groups[i].id == id)
			return &groups[i];
	}
	return NULL;
}

bool kex_supported(uint16_t group)
{
	return find_group(group) != NULL;
}

bool kex_generate(struct kex *kex, uint16_t id, const struct crypto_random *random)
{
	const struct group *group = find_group(id);

	kex_clear(kex);
	if (!group)
		return false;
	kex->group = id;
	group->generate(group, kex, random);
	return true;
}

bool kex_derive(const struct kex *kex, const uint8_t *peer, size_t len, struct secret *shared)
{
	const struct group *group = find_group(kex->group);

	secret_clear(shared);
	return group && group->derive(group, kex, peer, len, shared);
}

void kex_forget_public(struct kex *kex)
{
	free(kex->public);
	kex->public = NULL;
	kex->public_len = 0;
}

void kex_clear(struct kex *kex)
{
	kex_forget_public(kex);
	secret_wipe(kex->private, kex->private_len);
	free(kex->private);
	*kex = (struct kex){0};
}
