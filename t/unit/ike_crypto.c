/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cryptography against published vectors: RFC 7748 (X25519), RFC 5903 (ECP),
 * RFC 4231 and RFC 4868 (HMAC), RFC 3602 (AES-CBC), the GCM specification's test case 4; prf+ and the AUTH and
 * key derivations against values computed apart from this code.
 */
#include "t/tap.h"

#include "ike/auth.h"
#include "ike/crypto/aead.h"
#include "ike/crypto/kex.h"
#include "ike/crypto/prf.h"
#include "ike/const.h"
#include "lib/mem.h"
#include "t/unit/hex.h"

#include <gmp.h>
#include <stdlib.h>

static void test_x25519(void)
{
	uint8_t private[32], peer[32];
	struct crypto_random random = {.fill = fill_given, .arg = private};
	struct secret shared;
	struct kex kex = {0};

	from_hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", private);
	from_hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", peer);
	ok(kex_generate(&kex, IKE_GROUP_CURVE25519, &random) && kex.public_len == 32, "X25519");
	is_hex(kex.public, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
		"RFC 7748 6.1: the public value");
	ok(kex_derive(&kex, peer, 32, &shared) && shared.len == 32, "a shared secret");
	is_hex(shared.data, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
		"RFC 7748 6.1: the secret");
	memset(peer, 0, sizeof(peer));
	ok(!kex_derive(&kex, peer, 32, &shared), "a value that gives zero is refused");
	peer[0] = 1;
	ok(!kex_derive(&kex, peer, 32, &shared), "and another of small order");
	ok(!kex_derive(&kex, peer, 31, &shared) && !kex_derive(&kex, peer, 0, &shared),
		"a value of another length is refused");
	kex_clear(&kex);
}

static void test_ecp256(void)
{
	uint8_t private[32], peer[64];
	struct kex kex = {.group = IKE_GROUP_ECP_256};
	struct secret shared;

	kex.private_len = (uint16_t)from_hex(
		"c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433", private);
	kex.private = mem_dup(private, sizeof(private));
	from_hex("d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
		 "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
		peer);
	ok(kex_derive(&kex, peer, 64, &shared) && shared.len == 32, "ECP-256");
	is_hex(shared.data, "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
		"RFC 5903 8.1: the secret");
	peer[63] ^= 1;
	ok(!kex_derive(&kex, peer, 64, &shared), "a point that is not on the curve is refused");
	memset(peer, 0, sizeof(peer));
	ok(!kex_derive(&kex, peer, 64, &shared), "zero is refused");
	memset(peer, 0xff, sizeof(peer));
	ok(!kex_derive(&kex, peer, 64, &shared), "coordinates above the prime are refused");
	ok(!kex_derive(&kex, peer, 63, &shared), "half a point is refused");
	kex_clear(&kex);
}

/* --- what is freed holds no secret: GMP's memory, and so nettle's, goes through here ------------- */

#define SOUGHT 32
static struct {
	uint8_t bytes[2][SOUGHT]; /* the shared secret and our own value, the low bytes first as limbs have them */
	unsigned found;
} sought;

static void seek(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i + SOUGHT <= len; i++) {
		for (size_t j = 0; j < 2; j++)
			sought.found += memcmp(data + i, sought.bytes[j], SOUGHT) == 0;
	}
}

static void seek_and_free(void *data, size_t len)
{
	seek(data, len);
	free(data);
}

static void *seek_and_move(void *data, size_t old_len, size_t len)
{
	void *moved = mem_zalloc(len);

	memcpy(moved, data, old_len < len ? old_len : len);
	seek_and_free(data, old_len);
	return moved;
}

static void take_low_bytes(uint8_t out[SOUGHT], const uint8_t *number, size_t len)
{
	for (size_t i = 0; i < SOUGHT; i++)
		out[i] = number[len - 1 - i];
}

static void fill_by_count(void *arg, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = (uint8_t)(37 * ++*(unsigned *)arg);
}

static void test_wiped(uint16_t group, const char *name)
{
	unsigned count = 0;
	struct crypto_random random = {.fill = fill_by_count, .arg = &count};
	struct kex ours = {0}, theirs = {0};
	struct secret shared = {0};

	kex_generate(&ours, group, &random);
	kex_generate(&theirs, group, &random);
	kex_derive(&ours, theirs.public, theirs.public_len, &shared);
	take_low_bytes(sought.bytes[0], shared.data, shared.len);
	take_low_bytes(sought.bytes[1], ours.private, ours.private_len);
	sought.found = 0;
	mp_set_memory_functions(mem_zalloc, seek_and_move, seek_and_free);
	kex_derive(&ours, theirs.public, theirs.public_len, &shared);
	count = 0;
	kex_generate(&ours, group, &random);
	mp_set_memory_functions(NULL, NULL, NULL);
	ok(sought.found == 0, "%s: no secret is in what was freed", name);
	kex_clear(&ours);
	kex_clear(&theirs);
}

static void test_prf(void)
{
	static const char text[] = "what do ya want for nothing?";
	struct chunk chunks[] = {{text, 10}, {text + 10, sizeof(text) - 11}};
	uint8_t out[128];

	ok(prf_compute(IKE_PRF_HMAC_SHA2_256, "Jefe", 4, chunks, 2, out), "HMAC");
	is_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		"RFC 4231 4.3: SHA-256");
	prf_compute(IKE_PRF_HMAC_SHA2_384, "Jefe", 4, chunks, 2, out);
	is_hex(out,
		"af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
		"8e2240ca5e69e2c78b3239ecfab21649",
		"RFC 4231 4.3: SHA-384");
	prf_compute(IKE_PRF_HMAC_SHA2_512, "Jefe", 4, chunks, 2, out);
	is_hex(out,
		"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
		"9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
		"RFC 4231 4.3: SHA-512");
	prf_plus(IKE_PRF_HMAC_SHA2_256, "Jefe", 4, text, sizeof(text) - 1, out, 100);
	is_hex(out,
		"86a83299a0c0da43781616672c35abfe1b7fc6bb39ee07989fde386bd120b9d0"
		"e033caafabcd10f22f194b4f7c8b6a0c60d10bdd34648387a35f2331ea3e0ade"
		"7cc5e0720d8b4b967a957edf850235860e3fb083744b0691d315b774667d95cc"
		"623dbbaf",
		"prf+ of four blocks");
	ok(!prf_compute(99, "Jefe", 4, chunks, 2, out) && prf_len(99) == 0, "an unknown PRF");
}

static void test_gcm(void)
{
	uint8_t key[32], iv[8], aad[32], plain[64], want[80], sealed[80], opened[64];
	size_t key_len = from_hex("feffe9928665731c6d6a8f9467308308" "cafebabe", key);
	size_t aad_len = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
	size_t len = from_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
			      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
		plain);
	size_t want_len =
		from_hex("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
			 "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
			 "5bc94fbc3221a5db94fae95ae7121a47",
			want);

	from_hex("facedbaddecaf888", iv);
	ok(aead_key_len(IKE_ENCR_AES_GCM_16, 128) == key_len, "AES-GCM's key has its salt");
	ok(aead_seal(IKE_ENCR_AES_GCM_16, key, key_len, iv, aad, aad_len, plain, len, sealed) &&
			want_len == len + AEAD_TAG_LEN,
		"sealed");
	is_mem(sealed, want, want_len, "the GCM specification's test case 4");
	ok(aead_open(IKE_ENCR_AES_GCM_16, key, key_len, iv, aad, aad_len, sealed, want_len, opened),
		"opened");
	is_mem(opened, plain, len, "to the same bytes");
	for (size_t i = 0; i < want_len; i += 13) {
		sealed[i] ^= 1;
		ok(!aead_open(IKE_ENCR_AES_GCM_16, key, key_len, iv, aad, aad_len, sealed, want_len,
			   opened),
			"byte %zu changed: refused", i);
		sealed[i] ^= 1;
	}
	aad[0] ^= 1;
	ok(!aead_open(IKE_ENCR_AES_GCM_16, key, key_len, iv, aad, aad_len, sealed, want_len, opened),
		"associated data changed: refused");
}

static void test_cbc(void)
{
	static const char text[] = "This is a 48-byte message (exactly 3 AES blocks)";
	uint8_t key[32], iv[CBC_BLOCK_LEN], plain[48], sealed[48];

	ok(cbc_key_len(IKE_ENCR_AES_CBC, 128) == from_hex("6c3ea0477630ce21a2ce334aa746c2cd", key) &&
			cbc_key_len(IKE_ENCR_AES_CBC, 0) == 0 && cbc_key_len(IKE_ENCR_AES_GCM_16, 128) == 0,
		"AES-CBC's keys");
	from_hex("c782dc4c098c66cbd9cd27d825682c81", iv);
	ok(cbc_encrypt(key, 16, iv, (const uint8_t *)text, 48, sealed), "enciphered");
	is_hex(sealed,
		"d0a02b3836451753d493665d33f0e8862dea54cdb293abc7506939276772f8d5"
		"021c19216bad525c8579695d83ba2684",
		"RFC 3602 4, case 3");
	ok(cbc_decrypt(key, 16, iv, sealed, 48, plain) && memcmp(plain, text, 48) == 0, "and back");
	from_hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", key);
	from_hex("000102030405060708090a0b0c0d0e0f", iv);
	from_hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51", plain);
	ok(cbc_encrypt(key, 32, iv, plain, 32, sealed), "with 256 bits");
	is_hex(sealed, "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
		"SP 800-38A F.2.5");
	ok(cbc_make_iv(key, 32, UINT64_C(0x0102030405060708), iv), "an IV");
	ok(cbc_decrypt(key, 32, (const uint8_t[CBC_BLOCK_LEN]){0}, iv, 16, plain), "which deciphers");
	is_hex(plain, "00000000000000000102030405060708", "to its counter");
}

static void test_integ(void)
{
	static const struct {
		uint16_t integ;
		size_t key_len;
		const char *icv;
	} rows[] = {
		{IKE_INTEG_HMAC_SHA2_256_128, 32, "198a607eb44bfbc69903a0f1cf2bbdc5"},
		{IKE_INTEG_HMAC_SHA2_384_192, 48, "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973"},
		{IKE_INTEG_HMAC_SHA2_512_256, 64,
			"637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8"},
	};
	uint8_t key[64], icv[CBC_ICV_MAX], data[] = "Hi There";

	memset(key, 0x0b, sizeof(key));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint16_t integ = rows[i].integ;

		ok(cbc_integ_key_len(integ) == rows[i].key_len && cbc_sign(integ, key, data, 8, icv) &&
				cbc_icv_len(integ) == strlen(rows[i].icv) / 2,
			"HMAC with %zu bytes of key", rows[i].key_len);
		is_hex(icv, rows[i].icv, "RFC 4868 2.7.2");
		ok(cbc_check(integ, key, data, 8, icv), "checked");
		icv[cbc_icv_len(integ) - 1] ^= 1;
		ok(!cbc_check(integ, key, data, 8, icv), "its last bit counts");
	}
	ok(!cbc_sign(2, key, data, 8, icv) && cbc_icv_len(2) == 0, "HMAC-SHA1 is not here (RFC 8247)");
}

/* --- derivations: the constants were computed with another implementation of HMAC --------------- */

static struct ike_keys keys;
static struct ike_nonce ni = {.len = 16}, nr = {.len = 32};

/* Whatever number is agreed on: what we have no key for makes no key, and none of zero bytes (CVE-2024-3652). */
static void test_no_key(void)
{
	static const uint16_t bits[] = {0, 1, 8, 40, 64, 127, 128, 129, 192, 255, 256, 257, 512, 65535};
	struct ike_nonce nonce = {.len = 32};
	struct secret shared = {.len = 32};
	unsigned made = 0, senseless = 0;

	for (unsigned i = 0; i < 65536 * ARRAY_LEN(bits); i++) {
		struct ike_chosen chosen = {.encr = (uint16_t)(i / ARRAY_LEN(bits)),
			.key_bits = bits[i % ARRAY_LEN(bits)],
			.prf = IKE_PRF_HMAC_SHA2_256};
		struct ike_keys made_keys = {0};

		if (aead_key_len(chosen.encr, chosen.key_bits) == 0 &&
			!ike_keys_derive(&made_keys, &chosen, &shared, &nonce, &nonce, 1, 2))
			continue;
		made += ike_keys_derive(&made_keys, &chosen, &shared, &nonce, &nonce, 1, 2);
		senseless += made_keys.encr_len < 16 + 4;
		ike_keys_clear(&made_keys);
	}
	ok(made == 3 && !senseless, "of all ciphers with all key lengths %u have keys: AES-GCM's two, and one", made);
}

static void test_keys(void)
{
	struct ike_chosen chosen = {.protocol = IKE_PROTOCOL_IKE,
		.encr = IKE_ENCR_AES_GCM_16,
		.key_bits = 256,
		.prf = IKE_PRF_HMAC_SHA2_256};
	struct ike_chosen esp = {
		.protocol = IKE_PROTOCOL_ESP, .encr = IKE_ENCR_AES_GCM_16, .key_bits = 128};
	struct secret shared = {.len = 32};
	struct ipsec_sa to_responder = {0}, to_initiator = {0};

	memset(ni.data, 1, ni.len);
	memset(nr.data, 2, nr.len);
	for (uint8_t i = 0; i < 32; i++)
		shared.data[i] = i;
	ok(ike_keys_derive(&keys, &chosen, &shared, &ni, &nr, UINT64_C(0x1111111111111111),
		   UINT64_C(0x2222222222222222)),
		"keys of an IKE SA");
	is_hex(keys.d, "22db53840a35bc9fa19abcfce55e9e997d8a91e58ef7996e60301be3c3ef4cd9", "SK_d");
	is_hex(keys.ei, "ed029789bffde789531c4a55ba6249b39bac5aa9464dda84623a4c099e4b128bce0c19d9",
		"SK_ei");
	is_hex(keys.er, "7aba473dddeae19c225abe62937ee19abf57389814c6d456a552ec5a81f08aa48409360d",
		"SK_er");
	is_hex(keys.pi, "754d5578a71d309fed429125f6386b0554f9d5d2d11fa76369acfd0f921384db", "SK_pi");
	is_hex(keys.pr, "0a75e0b6f873e0e469fd26189c2eeca8e674a35dbed1dac89792deeef862f2c2", "SK_pr");
	ok(ike_keys_child(&keys, &esp, NULL, NULL, &ni, &nr, &to_responder, &to_initiator) &&
			to_responder.encr_key_len == 20 && to_initiator.integ_key_len == 0,
		"keys of a CHILD SA");
	is_hex(to_responder.encr_key, "29e8d1cacb9ad1755988b745654905403dfa874e", "to the responder first");
	is_hex(to_initiator.encr_key, "2e34306119880c584576340ce231a2b5c745b02b", "then to the initiator");
}

static const uint8_t message[] = "first message";
static const uint8_t id[] = {IKE_ID_NULL, 0, 0, 0};

/* A peer's NULL authentication by this method and data. */
static bool claim_is_good(uint8_t method, const uint8_t *mac, size_t len)
{
	struct auth_task task = {0};
	bool good;

	auth_task_init(&task, &keys, true, message, sizeof(message) - 1, &nr, id, sizeof(id));
	auth_task_by_secret(&task, NULL);
	auth_task_claim(&task, method, mac, len);
	auth_task_run(&task);
	good = task.good;
	auth_task_clear(&task);
	return good;
}

static void test_auth(void)
{
	struct secret psk = {0};
	struct auth_task task = {0};
	uint8_t mac[32];

	auth_task_init(&task, &keys, true, message, sizeof(message) - 1, &nr, id, sizeof(id));
	auth_task_by_secret(&task, NULL);
	auth_task_run(&task);
	ok(task.good && task.method == IKE_METHOD_NULL && task.proof_len == 32, "made");
	is_hex(task.proof, "91e049cd41e7d4da35a636431051570d6ff66ee954815345d2ff0bdbd6719060",
		"AUTH with NULL (RFC 7619)");
	memcpy(mac, task.proof, sizeof(mac));
	ok(claim_is_good(IKE_METHOD_NULL, mac, 32), "verifies");
	ok(!claim_is_good(IKE_METHOD_NULL, mac, 31) && !claim_is_good(IKE_METHOD_NULL, mac, 0),
		"not a part");
	ok(!claim_is_good(IKE_METHOD_PSK, mac, 32), "nor by another method");
	mac[31] ^= 1;
	ok(!claim_is_good(IKE_METHOD_NULL, mac, 32), "nor with a bit changed");
	secret_set(&psk, "open sesame", 11);
	auth_task_init(&task, &keys, true, message, sizeof(message) - 1, &nr, id, sizeof(id));
	auth_task_by_secret(&task, &psk);
	auth_task_run(&task);
	is_hex(task.proof, "82526dd240205e5bc8b2abb082a9ade3c2a36fbcc2666acaaa089b60e477b547",
		"AUTH with a PSK (RFC 7296 2.15)");
	auth_task_clear(&task);
}

int main(void)
{
	test_x25519();
	test_ecp256();
	test_wiped(IKE_GROUP_ECP_256, "ECP_256");
	test_wiped(IKE_GROUP_ECP_384, "ECP_384");
	test_wiped(IKE_GROUP_ECP_521, "ECP_521");
	test_prf();
	test_gcm();
	test_cbc();
	test_integ();
	test_no_key();
	test_keys();
	test_auth();
	return tap_done();
}
