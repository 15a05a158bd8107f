/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The methods of key exchange that there are (kex_method.h). */
#include "ike/crypto/kex_method.h"

#include "ike/const.h"
#include "lib/mem.h"

#define ECP(id, len, curve) {id, len, curve, kex_ecp_generate, NULL, kex_ecp_derive}
#define MODP(id) {id, 0, NULL, kex_modp_generate, NULL, kex_modp_derive}

const struct kex_method kex_methods[] = {
	{IKE_GROUP_CURVE25519, 32, NULL, kex_x25519_generate, NULL, kex_x25519_derive},
	ECP(IKE_GROUP_ECP_256, 32, nettle_get_secp_256r1),
	ECP(IKE_GROUP_ECP_384, 48, nettle_get_secp_384r1),
	ECP(IKE_GROUP_ECP_521, 66, nettle_get_secp_521r1),
	MODP(IKE_GROUP_MODP_2048),
	MODP(IKE_GROUP_MODP_3072),
	MODP(IKE_GROUP_MODP_4096),
};
const size_t kex_method_count = ARRAY_LEN(kex_methods);
