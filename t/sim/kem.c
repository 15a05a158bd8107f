/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine with a method of key exchange that is no Diffie-Hellman: a KEM as
 * large as ML-KEM-1024, one row of a table of this test's own. It protects
 * nothing. Its public key does not fit into a datagram that every path carries.
 */
#include "ike/crypto/kex_method.h"
#include "ike/sa.h"
#include "lib/mem.h"
#include "t/sim/world.h"
#include "t/tap.h"

#include <stdlib.h>

#define KEM 37
#define KEY_LEN 32
#define PUBLIC_LEN 1568
#define CIPHERTEXT_LEN 1560

static unsigned encapsulated, derived;

static void generate(const struct kex_method *method, struct kex *kex, const struct crypto_random *random)
{
	(void)method;
	kex_make_room(kex, KEY_LEN, PUBLIC_LEN);
	random->fill(random->arg, kex->private, KEY_LEN);
	for (size_t i = 0; i < PUBLIC_LEN; i++)
		kex->public[i] = (uint8_t)(kex->private[i % KEY_LEN] + i);
}

/* The secret is ours, under the initiator's key. */
static bool encapsulate(const struct kex_method *method, struct kex *kex, const uint8_t *peer, size_t len,
	const struct crypto_random *random)
{
	(void)method;
	if (len != PUBLIC_LEN || peer[KEY_LEN] != (uint8_t)(peer[0] + KEY_LEN))
		return false;
	encapsulated++;
	kex_make_room(kex, KEY_LEN, CIPHERTEXT_LEN);
	random->fill(random->arg, kex->private, KEY_LEN);
	for (size_t i = 0; i < CIPHERTEXT_LEN; i++)
		kex->public[i] = kex->private[i % KEY_LEN] ^ (uint8_t)(peer[i % KEY_LEN] - i % KEY_LEN);
	return true;
}

static bool derive(const struct kex_method *method, const struct kex *kex, const uint8_t *peer, size_t len,
	struct secret *shared)
{
	(void)method;
	if (len != CIPHERTEXT_LEN)
		return false;
	derived++;
	for (size_t i = 0; i < KEY_LEN; i++)
		shared->data[i] = peer[i] ^ kex->private[i];
	shared->len = KEY_LEN;
	return true;
}

const struct kex_method kex_methods[] = {
	{IKE_GROUP_CURVE25519, 32, NULL, kex_x25519_generate, NULL, kex_x25519_derive},
	{KEM, 0, NULL, generate, encapsulate, derive},
};
const size_t kex_method_count = ARRAY_LEN(kex_methods);

/* --- the method alone ------------------------------------------------------------------------- */

static void fill_count(void *arg, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = ++*(uint8_t *)arg;
}

static void test_method(void)
{
	uint8_t count = 0;
	struct crypto_random random = {.fill = fill_count, .arg = &count};
	struct kex ours = {0}, theirs = {0};
	struct secret a, b;

	ok(kex_generate(&ours, KEM, &random) &&
			kex_answer(&theirs, KEM, ours.public, ours.public_len, &random) &&
			theirs.public_len == CIPHERTEXT_LEN,
		"the answer depends on what it answers");
	ok(kex_derive(&ours, theirs.public, theirs.public_len, &a) &&
			kex_derive(&theirs, ours.public, ours.public_len, &b) && a.len == KEY_LEN &&
			b.len == KEY_LEN && memcmp(a.data, b.data, KEY_LEN) == 0,
		"both derive the same");
	ok(!kex_answer(&theirs, KEM, ours.public, 5, &random) && !theirs.public && !theirs.private,
		"a key that is none has no answer");
	ok(!kex_derive(&ours, ours.public, 7, &a), "nor a ciphertext that is none");
	kex_clear(&ours);
	kex_clear(&theirs);
}

/* --- negotiations --------------------------------------------------------------------------------- */

static struct world world;
static size_t largest, pieces;

#define A (&world.hosts[0])
#define B (&world.hosts[1])
#define DATAGRAM_MAX 1248

static bool watch(struct world *w, struct packet *packet)
{
	struct ike_message message;

	(void)w;
	largest = packet->len > largest ? packet->len : largest;
	pieces += packet->exchange == IKE_EXCHANGE_IKE_INTERMEDIATE &&
		  ike_message_parse(packet->data, packet->len, &message) &&
		  ike_message_find(&message, IKE_PAYLOAD_SKF);
	return true;
}

static void begin(uint64_t seed, bool main_too)
{
	world_init(&world, seed, IKE_AUTH_PSK);
	largest = pieces = 0;
	encapsulated = derived = 0;
	world.filter = watch;
	for (size_t i = 0; i < 2; i++) {
		struct ike_suite *suite = &world.hosts[i].conns[0].ike;

		suite->ke[0] = main_too ? KEM : IKE_GROUP_CURVE25519;
		suite->ke_count = 1;
		suite->addke[0][0] = main_too ? IKE_GROUP_CURVE25519 : KEM;
		suite->addke_count[0] = 1;
		world_reload(&world, i);
	}
}

static bool is_up(void)
{
	return A->ups == 1 && B->ups == 1 && A->child_count == 1 && world_agrees(&world);
}

static void test_additional(void)
{
	begin(1, false);
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(is_up() && encapsulated == 1 && derived == 1, "as an additional key exchange");
	ok(pieces == 4 && largest <= DATAGRAM_MAX, "in %zu pieces, the largest datagram has %zu bytes", pieces, largest);
	world_clear(&world);
	begin(2, true);
	world_initiate(&world, 0);
	world_run_for(&world, 1000 * WORLD_MS);
	ok(is_up() && encapsulated == 1 && derived == 1, "as the first one");
	world_clear(&world);
}

/* Loses the nth datagram of IKE_INTERMEDIATE. */
static bool lose_nth(struct world *w, struct packet *packet)
{
	return packet->exchange != IKE_EXCHANGE_IKE_INTERMEDIATE ||
	       w->filter_count++ != *(unsigned *)w->filter_arg;
}

static void test_pieces_lost(void)
{
	unsigned up = 0;

	for (unsigned n = 0; n < 4; n++) {
		begin(10 + n, false);
		world.filter = lose_nth;
		world.filter_arg = &n;
		world_initiate(&world, 0);
		world_run_for(&world, 2000 * WORLD_MS);
		up += is_up() && encapsulated == 1;
		world_clear(&world);
	}
	is_int(up, 4, "whichever piece is lost, it is up, and nothing is computed twice");
}

static void test_weather(void)
{
	unsigned up = 0;

	for (uint64_t seed = 0; seed < 40; seed++) {
		begin(100 + seed, false);
		up += world_weather(&world, 10, 50, 60);
		world_clear(&world);
	}
	is_int(up, 40, "40 seeds of loss, doubles and disorder, in pieces");
}

int main(void)
{
	test_method();
	test_additional();
	test_pieces_lost();
	test_weather();
	return tap_done();
}
