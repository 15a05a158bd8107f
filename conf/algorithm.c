/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ike= and esp= in libreswan's syntax: "aes_gcm256-sha2_512;x25519+dh19, ...",
 * and for additional key exchanges (RFC 9370) "...;x25519;addke1=ecp384+none",
 * for which strongSwan writes "...-x25519-ke1_ecp384".
 * The engine has one list of each kind (RFC 7296 3.3), so proposals are
 * joined. A hash is the PRF of IKE and, for AES-CBC, the integrity too; in ESP
 * it is the integrity. What this build lacks is left out; a kind of which
 * nothing is left is an error, because the default was not asked for.
 */
#include "conf/internal.h"

#include "ike/const.h"
#include "lib/mem.h"
#include "lib/strbuf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum kind { CIPHER = 1, HASH = 2, GROUP = 4, NOTHING = 8 };

struct algorithm {
	const char *name; /* without '_', lower case */
	enum kind kind;
	uint16_t id;
	uint16_t bits; /* of a cipher; 0: both lengths */
};

static const struct algorithm available[] = {
	{"aesgcm", CIPHER, IKE_ENCR_AES_GCM_16, 0},
	{"aesgcm256", CIPHER, IKE_ENCR_AES_GCM_16, 256},
	{"aesgcm128", CIPHER, IKE_ENCR_AES_GCM_16, 128},
	{"aesgcmc", CIPHER, IKE_ENCR_AES_GCM_16, 0},
	{"aesgcmc256", CIPHER, IKE_ENCR_AES_GCM_16, 256},
	{"aesgcmc128", CIPHER, IKE_ENCR_AES_GCM_16, 128},
	{"aesgcm16256", CIPHER, IKE_ENCR_AES_GCM_16, 256},
	{"aesgcm16128", CIPHER, IKE_ENCR_AES_GCM_16, 128},
	{"aes256gcm16", CIPHER, IKE_ENCR_AES_GCM_16, 256},
	{"aes128gcm16", CIPHER, IKE_ENCR_AES_GCM_16, 128},
	{"chacha20poly1305", CIPHER, IKE_ENCR_CHACHA20_POLY1305, 0},
	{"aes", CIPHER, IKE_ENCR_AES_CBC, 0},
	{"aes256", CIPHER, IKE_ENCR_AES_CBC, 256},
	{"aes128", CIPHER, IKE_ENCR_AES_CBC, 128},
	{"aescbc", CIPHER, IKE_ENCR_AES_CBC, 0},
	{"aescbc256", CIPHER, IKE_ENCR_AES_CBC, 256},
	{"aescbc128", CIPHER, IKE_ENCR_AES_CBC, 128},
	{"sha2", HASH, IKE_PRF_HMAC_SHA2_256, 0},
	{"sha256", HASH, IKE_PRF_HMAC_SHA2_256, 0},
	{"sha2256", HASH, IKE_PRF_HMAC_SHA2_256, 0},
	{"sha384", HASH, IKE_PRF_HMAC_SHA2_384, 0},
	{"sha2384", HASH, IKE_PRF_HMAC_SHA2_384, 0},
	{"sha512", HASH, IKE_PRF_HMAC_SHA2_512, 0},
	{"sha2512", HASH, IKE_PRF_HMAC_SHA2_512, 0},
	{"x25519", GROUP, IKE_GROUP_CURVE25519, 0},
	{"curve25519", GROUP, IKE_GROUP_CURVE25519, 0},
	{"dh31", GROUP, IKE_GROUP_CURVE25519, 0},
	{"dh19", GROUP, IKE_GROUP_ECP_256, 0},
	{"ecp256", GROUP, IKE_GROUP_ECP_256, 0},
	{"dh20", GROUP, IKE_GROUP_ECP_384, 0},
	{"ecp384", GROUP, IKE_GROUP_ECP_384, 0},
	{"dh21", GROUP, IKE_GROUP_ECP_521, 0},
	{"ecp521", GROUP, IKE_GROUP_ECP_521, 0},
	{"dh14", GROUP, IKE_GROUP_MODP_2048, 0},
	{"modp2048", GROUP, IKE_GROUP_MODP_2048, 0},
	{"dh15", GROUP, IKE_GROUP_MODP_3072, 0},
	{"modp3072", GROUP, IKE_GROUP_MODP_3072, 0},
	{"dh16", GROUP, IKE_GROUP_MODP_4096, 0},
	{"modp4096", GROUP, IKE_GROUP_MODP_4096, 0},
	/* "aes_gcm-null" names the integrity that an AEAD cipher has not. */
	{"null", NOTHING, 0, 0},
	{"none", NOTHING, 0, 0},
	{"dh0", NOTHING, 0, 0},
};

/* Known, not here; digits at the end (a key length, a group's number) are taken off first. */
static const struct algorithm elsewhere[] = {
	{"aes", CIPHER, 0, 0},
	{"aescbc", CIPHER, 0, 0},
	{"aesctr", CIPHER, 0, 0},
	{"aesccm", CIPHER, 0, 0},
	{"aesccma", CIPHER, 0, 0},
	{"aesccmb", CIPHER, 0, 0},
	{"aesccmc", CIPHER, 0, 0},
	{"aesgcm", CIPHER, 0, 0},
	{"aesgcma", CIPHER, 0, 0},
	{"aesgcmb", CIPHER, 0, 0},
	{"aesgcmc", CIPHER, 0, 0},
	{"3des", CIPHER, 0, 0},
	{"3descbc", CIPHER, 0, 0},
	{"camellia", CIPHER, 0, 0},
	{"camelliacbc", CIPHER, 0, 0},
	{"camelliactr", CIPHER, 0, 0},
	{"nullauthaesgmac", CIPHER, 0, 0},
	{"md", HASH, 0, 0},
	{"sha", HASH, 0, 0},
	{"hmacsha", HASH, 0, 0},
	{"aesxcbc", HASH, 0, 0},
	{"aescmac", HASH, 0, 0},
	{"modp", GROUP, 0, 0},
	{"dh", GROUP, 0, 0},
	{"ecp", GROUP, 0, 0},
	{"curve", GROUP, 0, 0},
	{"x", GROUP, 0, 0},
	{"mlkem", GROUP, 0, 0},
};

struct reading {
	struct ike_suite *suite;
	bool is_ike;
	size_t addke; /* index of the additional key exchange that is read; IKE_ADDKE_MAX: none */
	unsigned addke_named, addke_got;
	unsigned named, got; /* kinds */
	struct strbuf left_out;
	char *wrong; /* the first word that is no algorithm at all */
};

static const struct algorithm *find(
	const struct algorithm *list, size_t count, const char *name, size_t len)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(list[i].name) == len && memcmp(list[i].name, name, len) == 0)
			return &list[i];
	}
	return NULL;
}

static void add_id(uint16_t *list, size_t *count, uint16_t id)
{
	for (size_t i = 0; i < *count; i++) {
		if (list[i] == id)
			return;
	}
	if (*count < IKE_SUITE_MAX)
		list[(*count)++] = id;
}

static void add_cipher(struct ike_suite *suite, uint16_t id, uint16_t bits)
{
	for (size_t i = 0; i < suite->encr_count; i++) {
		if (suite->encr[i].id == id && suite->encr[i].key_bits == bits)
			return;
	}
	if (suite->encr_count < IKE_SUITE_MAX)
		suite->encr[suite->encr_count++] = (struct ike_encr_choice){id, bits};
}

/* RFC 4868: one hash, as a PRF and as integrity. */
static uint16_t integ_of(uint16_t prf)
{
	switch (prf) {
	case IKE_PRF_HMAC_SHA2_384:
		return IKE_INTEG_HMAC_SHA2_384_192;
	case IKE_PRF_HMAC_SHA2_512:
		return IKE_INTEG_HMAC_SHA2_512_256;
	}
	return IKE_INTEG_HMAC_SHA2_256_128;
}

static void add_algorithm(struct ike_suite *suite, const struct algorithm *algorithm)
{
	switch (algorithm->kind) {
	case CIPHER:
		/* RFC 7634: one length, and no attribute that says it. */
		if (algorithm->id == IKE_ENCR_CHACHA20_POLY1305) {
			add_cipher(suite, algorithm->id, 0);
			break;
		}
		if (algorithm->bits != 128)
			add_cipher(suite, algorithm->id, 256);
		if (algorithm->bits != 256)
			add_cipher(suite, algorithm->id, 128);
		break;
	case HASH:
		add_id(suite->prf, &suite->prf_count, algorithm->id);
		add_id(suite->integ, &suite->integ_count, integ_of(algorithm->id));
		break;
	case GROUP:
		add_id(suite->ke, &suite->ke_count, algorithm->id);
		break;
	case NOTHING:
		break;
	}
}

static void add_addke(struct reading *reading, const struct algorithm *algorithm)
{
	size_t index = reading->addke;

	add_id(reading->suite->addke[index], &reading->suite->addke_count[index],
		algorithm->kind == NOTHING ? IKE_KE_NONE : algorithm->id);
	if (algorithm->kind == GROUP)
		reading->addke_got |= 1u << index;
}

/* "addke1=" and "ke1": the word behind it, and those that '+' joins to that, are of that exchange. */
static const char *take_prefix(struct reading *reading, const char *plain)
{
	const char *digit = strncmp(plain, "addke", 5) == 0 ? plain + 5 : plain + 2;
	const char *rest = digit + 1 + (digit == plain + 5 && digit[0] && digit[1] == '=');

	if (strncmp(plain, "addke", 5) != 0 && strncmp(plain, "ke", 2) != 0)
		return plain;
	if (*digit < '1' || *digit > '0' + IKE_ADDKE_MAX || (digit == plain + 5 && digit[1] != '='))
		return plain;
	reading->addke = (size_t)(*digit - '1');
	reading->addke_named |= 1u << reading->addke;
	return rest;
}

/* False for one that has no place there. */
static bool take_known(struct reading *reading, const struct algorithm *algorithm)
{
	enum kind kind = algorithm->kind;

	/* The group of ESP's own key exchange is the IKE SA's (pfs=). */
	if (!reading->is_ike && (kind == GROUP || reading->addke < IKE_ADDKE_MAX))
		return false;
	if (reading->addke < IKE_ADDKE_MAX) {
		if (kind == GROUP || kind == NOTHING)
			add_addke(reading, algorithm);
		return kind == GROUP || kind == NOTHING;
	}
	add_algorithm(reading->suite, algorithm);
	reading->named |= kind;
	reading->got |= kind;
	return true;
}

/* One word, its '_' taken out and lower case. */
static void take_word(struct reading *reading, const char *word, const char *prefixed)
{
	const char *plain = take_prefix(reading, prefixed);
	size_t len = strlen(plain);
	const struct algorithm *found = find(available, ARRAY_LEN(available), plain, len);

	if (found && take_known(reading, found))
		return;
	while (!found && len && isdigit((unsigned char)plain[len - 1]))
		len--;
	if (!found)
		found = find(elsewhere, ARRAY_LEN(elsewhere), plain, len);
	if (!found || (reading->addke < IKE_ADDKE_MAX && found->kind != GROUP)) {
		if (!reading->wrong)
			reading->wrong = mem_strdup(word);
		return;
	}
	strbuf_printf(&reading->left_out, "%s%s", reading->left_out.len ? ", " : "", word);
	if (reading->addke == IKE_ADDKE_MAX && (reading->is_ike || found->kind != GROUP))
		reading->named |= found->kind;
}

/* "aes_gcm-256" and "AES_GCM_256" are one word each: a length belongs to the name before it. */
static void take_text(struct reading *reading, const char *value)
{
	static const char ends[] = ",;+- \t";

	for (const char *at = value + strspn(value, ends); *at; at += strspn(at, ends)) {
		size_t len = strcspn(at, ends);
		char *word, *plain, *out;

		if (at[len] == '-' && isdigit((unsigned char)at[len + 1])) {
			size_t digits = strspn(at + len + 1, "0123456789");

			if (strcspn(at + len + 1, ends) == digits)
				len += 1 + digits;
		}
		if (at == value || at[-1] != '+')
			reading->addke = IKE_ADDKE_MAX;
		word = mem_strndup(at, len);
		plain = out = mem_strdup(word);
		for (const char *from = word; *from; from++) {
			if (*from != '_' && *from != '-')
				*out++ = (char)tolower((unsigned char)*from);
		}
		*out = '\0';
		take_word(reading, word, plain);
		free(plain);
		free(word);
		at += len;
	}
}

static const char *missing_kind(unsigned kinds)
{
	if (kinds & CIPHER)
		return "no cipher";
	return kinds & HASH ? "no hash" : "no key exchange";
}

/* "esp=aes_gcm256,aes128-sha1": the hash that is not here belongs to a cipher that can go with it. */
static bool drop_with_hash(struct reading *reading)
{
	struct ike_suite *suite = reading->suite;
	size_t kept = 0;

	for (size_t i = 0; i < suite->encr_count; i++) {
		if (suite->encr[i].id != IKE_ENCR_AES_CBC)
			suite->encr[kept++] = suite->encr[i];
	}
	if (kept == 0)
		return false;
	if (kept < suite->encr_count)
		strbuf_printf(&reading->left_out, " with aes");
	suite->encr_count = kept;
	return true;
}

/* One of which nothing is left was demanded, unless it may be left out: then it is. */
static bool end_addkes(struct reading *reading)
{
	for (size_t i = 0; i < IKE_ADDKE_MAX; i++) {
		bool empty = reading->is_ike && (reading->addke_named & ~reading->addke_got & 1u << i);

		if (empty && !reading->suite->addke_count[i])
			return false;
		if (empty)
			reading->suite->addke_count[i] = 0;
	}
	return true;
}

bool value_suite(const char *value, bool is_ike, struct ike_suite *out, char **text)
{
	struct reading reading = {.suite = out, .is_ike = is_ike, .addke = IKE_ADDKE_MAX};
	unsigned missing;
	char *left_out;

	*out = (struct ike_suite){0};
	take_text(&reading, value);
	missing = reading.named & ~reading.got;
	missing |= end_addkes(&reading) ? 0 : GROUP;
	if (!is_ike && missing == HASH && drop_with_hash(&reading))
		missing = 0;
	left_out = strbuf_take(&reading.left_out);
	*text = left_out;
	if (reading.named && !reading.wrong && !missing)
		return true;
	if (reading.wrong)
		*text = mem_printf("'%s' is no algorithm", reading.wrong);
	else if (missing)
		*text = mem_printf("%s of these is available in this build", missing_kind(missing));
	else
		*text = mem_strdup("names no algorithm");
	free(left_out);
	free(reading.wrong);
	return false;
}
