/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's cryptography against values that another implementation
 * computed: t/unit/ike_vectors.py, in plain Python.
 */
#include "t/tap.h"

#include "ike/auth.h"
#include "ike/const.h"
#include "ike/crypto/kex.h"
#include "ike/crypto/modp.h"
#include "ike/sk.h"
#include "t/unit/hex.h"
#include "t/unit/ike_vectors.h"

/* --- MODP groups ---------------------------------------------------------------------------- */

static void add_small(uint8_t *number, size_t len, int value)
{
	number[len - 1] = (uint8_t)(number[len - 1] + value);
}

/* Numbers that give nothing away of the prime's neighbourhood: 0, 1, p - 1, p, p + 1 … are none. */
static void test_improper(const struct kex *kex, const struct modp_vector *vector)
{
	uint8_t peer[MODP_MAX] = {0};
	size_t len = modp_len(kex->group);
	struct secret shared;

	ok(!kex_derive(kex, peer, len, &shared), "0 is refused");
	peer[len - 1] = 1;
	ok(!kex_derive(kex, peer, len, &shared), "1 is refused");
	peer[len - 1] = 2;
	ok(kex_derive(kex, peer, len, &shared) && shared.len == len, "2 is taken");
	is_mem(shared.data, kex->public, len, "and gives our public number");
	memset(peer, 0, len);
	peer[len - 9] = 1;
	ok(kex_derive(kex, peer, len, &shared), "2^64 is taken");
	from_hex(vector->prime, peer);
	ok(!kex_derive(kex, peer, len, &shared), "the prime is refused");
	add_small(peer, len, -1);
	ok(!kex_derive(kex, peer, len, &shared), "and what is one less");
	add_small(peer, len, -1);
	ok(kex_derive(kex, peer, len, &shared), "two less is taken");
	memset(peer, 0xff, len);
	ok(!kex_derive(kex, peer, len, &shared), "larger ones are refused");
}

static void test_modp(const struct modp_vector *vector)
{
	uint8_t private[64], peer[MODP_MAX];
	struct crypto_random random = {.fill = fill_given, .arg = private};
	struct kex kex = {0};
	struct secret shared;
	size_t private_len = from_hex(vector->private, private), len = from_hex(vector->peer, peer);

	ok(kex_generate(&kex, vector->group, &random) && kex.private_len == private_len &&
			kex.public_len == len && modp_len(vector->group) == len,
		"%s", ike_group_name(vector->group));
	is_hex(kex.public, vector->public, "the public number");
	ok(kex_derive(&kex, peer, len, &shared) && shared.len == len, "a secret, as long as the prime");
	ok(shared.data[0] == 0, "which begins with zero");
	is_hex(shared.data, vector->shared, "the secret");
	ok(!kex_derive(&kex, peer, len - 1, &shared) && !kex_derive(&kex, peer, 0, &shared),
		"another length is refused (RFC 7296 3.4)");
	test_improper(&kex, vector);
	kex_clear(&kex);
}

/* --- a handshake ---------------------------------------------------------------------------- */

static struct ike_nonce nonce_of(const char *text)
{
	struct ike_nonce nonce = {0};

	nonce.len = from_hex(text, nonce.data);
	return nonce;
}

static struct secret secret_of(const char *text)
{
	struct secret secret = {0};

	secret.len = from_hex(text, secret.data);
	return secret;
}

static bool is_value(const uint8_t *got, size_t got_len, const char *want)
{
	uint8_t bytes[256];
	size_t len = from_hex(want, bytes);

	return got_len == len && (len == 0 || memcmp(got, bytes, len) == 0);
}

static void test_sk(const struct ike_keys *keys, const char *const want[7], const char *name)
{
	ok(is_value(keys->d, keys->prf_len, want[0]), "%s: SK_d", name);
	ok(is_value(keys->ai, keys->integ_len, want[1]) && is_value(keys->ar, keys->integ_len, want[2]),
		"%s: SK_ai, SK_ar", name);
	ok(is_value(keys->ei, keys->encr_len, want[3]) && is_value(keys->er, keys->encr_len, want[4]),
		"%s: SK_ei, SK_er", name);
	ok(is_value(keys->pi, keys->prf_len, want[5]) && is_value(keys->pr, keys->prf_len, want[6]),
		"%s: SK_pi, SK_pr", name);
}

/* SK(1) | SK(2) of IKE_FOLLOWUP_KE. */
static struct chunk more_secrets(void)
{
	static uint8_t data[256];
	size_t len = from_hex(VECTOR_SHARED_1, data);

	return (struct chunk){data, len + from_hex(VECTOR_SHARED_2, data + len)};
}

static void test_child(const struct ike_keys *keys, const struct ike_chosen *chosen, bool pfs,
	const struct chunk *more, const char *const want[4])
{
	struct ike_nonce ni = nonce_of(pfs ? VECTOR_NI2 : VECTOR_NI);
	struct ike_nonce nr = nonce_of(pfs ? VECTOR_NR2 : VECTOR_NR);
	struct secret shared = secret_of(VECTOR_SHARED_PFS);
	struct ipsec_sa to_responder = {0}, to_initiator = {0};

	ok(ike_keys_child(keys, chosen, pfs ? &shared : NULL, more, &ni, &nr, &to_responder, &to_initiator),
		"keys of ESP, %s PFS%s", pfs ? "with" : "without", more ? " and more" : "");
	ok(is_value(to_responder.encr_key, to_responder.encr_key_len, want[0]) &&
			is_value(to_responder.integ_key, to_responder.integ_key_len, want[1]),
		"to the responder");
	ok(is_value(to_initiator.encr_key, to_initiator.encr_key_len, want[2]) &&
			is_value(to_initiator.integ_key, to_initiator.integ_key_len, want[3]),
		"and back");
}

static void test_auth(const struct ike_keys *keys, bool of_initiator, bool by_psk, bool by_ppk,
	const char *want)
{
	struct ike_nonce nonce = nonce_of(of_initiator ? VECTOR_NR : VECTOR_NI);
	struct secret secret = secret_of(VECTOR_PSK), ppk = secret_of(VECTOR_PPK);
	struct auth_task task = {0};
	uint8_t message[64], id[64];
	size_t message_len = from_hex(of_initiator ? VECTOR_MESSAGE_I : VECTOR_MESSAGE_R, message);
	size_t id_len = from_hex(of_initiator ? VECTOR_ID_I : VECTOR_ID_R, id);

	auth_task_init(&task, keys, of_initiator, message, message_len, &nonce, id, id_len);
	if (by_ppk)
		auth_task_with_ppk(&task, &ppk);
	auth_task_by_secret(&task, by_psk ? &secret : NULL);
	auth_task_run(&task);
	ok(task.good && is_value(task.proof, task.proof_len, want), "AUTH of the %s, %s%s",
		of_initiator ? "initiator" : "responder", by_psk ? "PSK" : "NULL", by_ppk ? " and PPK" : "");
	auth_task_clear(&task);
}

/* Sealed as the script has sealed it, and opened again. */
static void test_message(const struct ike_keys *keys, const struct ike_place *place, const char *want)
{
	struct ike_header header = {.spi_i = VECTOR_SPI_I,
		.spi_r = VECTOR_SPI_R,
		.exchange = IKE_EXCHANGE_INFORMATIONAL,
		.flags = place ? IKE_FLAG_RESPONSE : IKE_FLAG_INITIATOR,
		.id = 5};
	uint8_t content[64], sealed[256], plain[256];
	size_t content_len = from_hex(VECTOR_CONTENT, content), plain_len = 0;
	size_t len = ike_sk_seal(keys, &header, VECTOR_IV, place ? 0 : IKE_PAYLOAD_NOTIFY, place, content,
		content_len, sealed, sizeof(sealed));
	struct ike_message outer, inner;

	ok(is_value(sealed, len, want), "%s", place ? "a fragment" : "a message");
	len = from_hex(want, sealed);
	ok(ike_message_parse(sealed, len, &outer), "which parses");
	if (place)
		ok(ike_skf_open(keys, sealed, len, &outer, plain, &plain_len) == IKE_SK_OPENED &&
				is_value(plain, plain_len, VECTOR_CONTENT),
			"and opens");
	else
		ok(ike_sk_open(keys, sealed, len, &outer, plain, &inner) == IKE_SK_OPENED &&
				inner.count == 2,
			"and opens");
}

/* RFC 8784 3: three keys change, the others stay. */
static void test_ppk(struct ike_keys *keys, const char *const want[3])
{
	struct secret ppk = secret_of(VECTOR_PPK);
	uint8_t before[64];

	memcpy(before, keys->ei, keys->encr_len);
	ok(ike_keys_with_ppk(keys, &ppk) && is_value(keys->d, keys->prf_len, want[0]) &&
			is_value(keys->pi, keys->prf_len, want[1]) && is_value(keys->pr, keys->prf_len, want[2]),
		"SK_d, SK_pi and SK_pr with a PPK");
	is_mem(keys->ei, before, keys->encr_len, "and SK_ei as it was");
}

/* The nth message of IKE_INTERMEDIATE of each end, as its header goes over the wire in pieces. */
static void cover(const struct ike_keys *keys, uint8_t n, uint8_t macs[2][PRF_MAX])
{
	for (int end = 0; end < 2; end++) {
		struct ike_header header = {.spi_i = VECTOR_SPI_I,
			.spi_r = VECTOR_SPI_R,
			.next = IKE_PAYLOAD_SKF,
			.exchange = IKE_EXCHANGE_IKE_INTERMEDIATE,
			.flags = end ? IKE_FLAG_RESPONSE : IKE_FLAG_INITIATOR,
			.id = n,
			.len = 999};
		uint8_t bytes[IKE_HEADER_LEN], content[64];
		struct writer w = writer_init(bytes, sizeof(bytes));
		size_t len = from_hex(VECTOR_CONTENT, content);

		ike_header_build(&w, &header);
		ok(auth_cover_intermediate(keys, !end, n == 1, bytes, IKE_PAYLOAD_NOTIFY, content, len, macs[end]),
			"IntAuth of message %u", n);
	}
}

/* RFC 9242, RFC 9370: two exchanges, the keys changed by the first. */
static void test_intermediate(
	const struct ike_keys *first, const struct ike_chosen *chosen, const struct handshake_vector *vector)
{
	struct ike_nonce ni = nonce_of(VECTOR_NI), nr = nonce_of(VECTOR_NR);
	struct secret shared = secret_of(VECTOR_SHARED), more = secret_of(VECTOR_SHARED_PFS);
	struct secret psk = secret_of(VECTOR_PSK);
	struct auth_task task = {0};
	struct ike_keys keys = {0};
	uint8_t macs[2][PRF_MAX], message[64], id[64];
	size_t message_len = from_hex(VECTOR_MESSAGE_R, message), id_len = from_hex(VECTOR_ID_R, id);

	cover(first, 1, macs);
	ok(ike_keys_derive(&keys, chosen, &shared, &ni, &nr, VECTOR_SPI_I, VECTOR_SPI_R) &&
			ike_keys_update(&keys, chosen, &more, &ni, &nr, VECTOR_SPI_I, VECTOR_SPI_R),
		"keys after an additional key exchange");
	test_sk(&keys, vector->updated, "updated");
	cover(&keys, 2, macs);
	auth_task_init(&task, &keys, false, message, message_len, &ni, id, id_len);
	auth_task_with_intermediate(&task, macs[0], macs[1], 3);
	auth_task_by_secret(&task, &psk);
	auth_task_run(&task);
	ok(task.good && is_value(task.proof, task.proof_len, vector->intermediate_psk_r),
		"AUTH after IKE_INTERMEDIATE");
	auth_task_clear(&task);
	ike_keys_clear(&keys);
}

static void test_handshake(const struct handshake_vector *vector)
{
	static const struct ike_place place = {2, 3};
	struct ike_chosen chosen = {.protocol = IKE_PROTOCOL_IKE,
		.encr = vector->encr,
		.key_bits = vector->key_bits,
		.integ = vector->integ,
		.prf = vector->prf};
	struct ike_nonce ni = nonce_of(VECTOR_NI), nr = nonce_of(VECTOR_NR);
	struct secret shared = secret_of(VECTOR_SHARED);
	struct ike_keys keys = {0}, rekeyed = {0};
	struct chunk more = more_secrets();

	ok(ike_keys_derive(&keys, &chosen, &shared, &ni, &nr, VECTOR_SPI_I, VECTOR_SPI_R), "%s %u, %s",
		ike_encr_name(vector->encr), vector->key_bits, ike_prf_name(vector->prf));
	test_sk(&keys, vector->sk, "first");
	test_child(&keys, &chosen, false, NULL, vector->child);
	test_child(&keys, &chosen, true, NULL, vector->pfs);
	test_child(&keys, &chosen, true, &more, vector->followed_child);
	test_auth(&keys, true, false, false, vector->null_i);
	test_auth(&keys, false, false, false, vector->null_r);
	test_auth(&keys, true, true, false, vector->psk_i);
	test_auth(&keys, false, true, false, vector->psk_r);
	test_auth(&keys, true, false, true, vector->ppk_null_i);
	test_auth(&keys, false, true, true, vector->ppk_psk_r);
	test_message(&keys, NULL, vector->message);
	test_message(&keys, &place, vector->fragment);
	shared = secret_of(VECTOR_SHARED_PFS);
	ni = nonce_of(VECTOR_NI2);
	nr = nonce_of(VECTOR_NR2);
	ok(ike_keys_rekey(&rekeyed, &keys, &chosen, &shared, NULL, &ni, &nr, VECTOR_SPI_I2, VECTOR_SPI_R2),
		"rekeyed");
	test_sk(&rekeyed, vector->rekeyed, "rekeyed");
	ok(ike_keys_rekey(&rekeyed, &keys, &chosen, &shared, &more, &ni, &nr, VECTOR_SPI_I2, VECTOR_SPI_R2),
		"rekeyed with IKE_FOLLOWUP_KE");
	test_sk(&rekeyed, vector->followed, "rekeyed with IKE_FOLLOWUP_KE");
	test_intermediate(&keys, &chosen, vector);
	test_ppk(&keys, vector->ppk);
	ike_keys_clear(&keys);
	ike_keys_clear(&rekeyed);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(modp_vectors) / sizeof(modp_vectors[0]); i++)
		test_modp(&modp_vectors[i]);
	for (size_t i = 0; i < sizeof(handshake_vectors) / sizeof(handshake_vectors[0]); i++)
		test_handshake(&handshake_vectors[i]);
	return tap_done();
}
