/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key exchange (kex.h): what all methods have in common. */
#include "ike/crypto/kex.h"

#include "ike/crypto/kex_method.h"
#include "lib/mem.h"

#include <stdlib.h>

void kex_make_room(struct kex *kex, size_t private_len, size_t public_len)
{
	kex->public_len = (uint16_t)public_len;
	kex->public = mem_zalloc(public_len);
	kex->private_len = (uint16_t)private_len;
	kex->private = mem_zalloc(private_len);
}

static const struct kex_method *find_method(uint16_t id)
{
	for (size_t i = 0; i < kex_method_count; i++) {
		if (kex_methods[i].id == id)
			return &kex_methods[i];
	}
	return NULL;
}

bool kex_supported(uint16_t group)
{
	return find_method(group) != NULL;
}

bool kex_generate(struct kex *kex, uint16_t id, const struct crypto_random *random)
{
	const struct kex_method *method = find_method(id);

	kex_clear(kex);
	if (!method)
		return false;
	kex->group = id;
	method->generate(method, kex, random);
	return true;
}

bool kex_answer(struct kex *kex, uint16_t id, const uint8_t *peer, size_t len,
	const struct crypto_random *random)
{
	const struct kex_method *method = find_method(id);
	bool good;

	if (!method || !method->encapsulate)
		return kex_generate(kex, id, random);
	kex_clear(kex);
	kex->group = id;
	kex->has_secret = true;
	good = method->encapsulate(method, kex, peer, len, random);
	if (!good)
		kex_clear(kex);
	return good;
}

bool kex_derive(const struct kex *kex, const uint8_t *peer, size_t len, struct secret *shared)
{
	const struct kex_method *method = find_method(kex->group);

	secret_clear(shared);
	if (kex->has_secret)
		return secret_set(shared, kex->private, kex->private_len);
	return method && method->derive(method, kex, peer, len, shared);
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
