/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of options (internal.h). */
#include "conf/internal.h"

#include "ike/const.h"
#include "lib/mem.h"
#include "lib/strbuf.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool value_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (!isdigit((unsigned char)*text) || *end || value > max)
		return false;
	*out = value;
	return true;
}

bool value_time_ms(const char *text, uint64_t *out)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (!isdigit((unsigned char)*text) || value > 1000000000)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(end, units[i].unit) == 0) {
			*out = value * units[i].ms;
			return true;
		}
	}
	return false;
}

bool value_bool(const char *text, bool *out)
{
	*out = value_is_one_of(text, "yes | true | on | 1");
	return *out || value_is_one_of(text, "no | false | off | 0");
}

bool value_is_one_of(const char *text, const char *list)
{
	size_t len = strlen(text);

	while (*list) {
		size_t word = strcspn(list, " ");

		if (word == len && strncasecmp(list, text, len) == 0 && *list != '|')
			return true;
		list += word;
		list += strspn(list, " ");
	}
	return false;
}

/* --- identities -------------------------------------------------------------------------------- */

static bool set_id(struct ike_id *id, uint8_t type, const void *data, size_t len)
{
	if (len == 0 || len > IKE_ID_MAX)
		return false;
	id->type = type;
	id->len = (uint16_t)len;
	memcpy(id->data, data, len);
	return true;
}

bool value_id(const char *text, struct ike_id_spec *out)
{
	static const struct {
		const char *text;
		enum ike_id_kind kind;
	} special[] = {{"%null", IKE_ID_KIND_NULL}, {"%any", IKE_ID_KIND_ANY},
		{"%none", IKE_ID_KIND_DEFAULT}, {"%fromcert", IKE_ID_KIND_FROMCERT}};
	struct addr addr;

	*out = (struct ike_id_spec){.kind = IKE_ID_KIND_EXACT};
	for (size_t i = 0; i < ARRAY_LEN(special); i++) {
		if (strcasecmp(text, special[i].text) == 0) {
			out->kind = special[i].kind;
			return true;
		}
	}
	if (addr_parse(text, &addr))
		return set_id(&out->id,
			addr.family == ADDR_IPV4 ? IKE_ID_IPV4_ADDR : IKE_ID_IPV6_ADDR, addr.bytes,
			addr_len(&addr));
	if (text[0] == '@')
		return set_id(&out->id, IKE_ID_FQDN, text + 1, strlen(text + 1));
	if (strchr(text, '@'))
		return set_id(&out->id, IKE_ID_RFC822_ADDR, text, strlen(text));
	/* A distinguished name; its DER form comes with certificates. */
	if (strchr(text, '='))
		return set_id(&out->id, IKE_ID_DER_ASN1_DN, text, strlen(text));
	return set_id(&out->id, IKE_ID_FQDN, text, strlen(text)) && text[0] != '%';
}

/* --- algorithms ---------------------------------------------------------------------------------- */

struct algorithm {
	const char *name; /* without '_' and '-', lower case */
	uint16_t id;
	uint16_t bits; /* 0: both lengths */
};

static const struct algorithm ciphers[] = {{"aesgcm", IKE_ENCR_AES_GCM_16, 0},
	{"aesgcm256", IKE_ENCR_AES_GCM_16, 256}, {"aesgcm128", IKE_ENCR_AES_GCM_16, 128},
	{"aesgcmc256", IKE_ENCR_AES_GCM_16, 256}, {"aesgcmc128", IKE_ENCR_AES_GCM_16, 128},
	{"aes256gcm16", IKE_ENCR_AES_GCM_16, 256}, {"aes128gcm16", IKE_ENCR_AES_GCM_16, 128},
	{"aesgcm16256", IKE_ENCR_AES_GCM_16, 256}, {"aesgcm16128", IKE_ENCR_AES_GCM_16, 128}};
static const struct algorithm prfs[] = {{"sha2", IKE_PRF_HMAC_SHA2_256, 0},
	{"sha256", IKE_PRF_HMAC_SHA2_256, 0}, {"sha2256", IKE_PRF_HMAC_SHA2_256, 0},
	{"sha384", IKE_PRF_HMAC_SHA2_384, 0}, {"sha2384", IKE_PRF_HMAC_SHA2_384, 0},
	{"sha512", IKE_PRF_HMAC_SHA2_512, 0}, {"sha2512", IKE_PRF_HMAC_SHA2_512, 0}};
static const struct algorithm groups[] = {{"x25519", IKE_GROUP_CURVE25519, 0},
	{"curve25519", IKE_GROUP_CURVE25519, 0}, {"dh31", IKE_GROUP_CURVE25519, 0},
	{"dh19", IKE_GROUP_ECP_256, 0}, {"ecp256", IKE_GROUP_ECP_256, 0},
	{"dh20", IKE_GROUP_ECP_384, 0}, {"ecp384", IKE_GROUP_ECP_384, 0},
	{"dh21", IKE_GROUP_ECP_521, 0}, {"ecp521", IKE_GROUP_ECP_521, 0}};

static const struct algorithm *find(const struct algorithm *list, size_t count, const char *name)
{
	char plain[32];
	size_t len = 0;

	for (const char *at = name; *at && len + 1 < sizeof(plain); at++) {
		if (*at != '_' && *at != '-')
			plain[len++] = (char)tolower((unsigned char)*at);
	}
	plain[len] = '\0';
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].name, plain) == 0)
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

/* One word: a cipher, a PRF or a group. False when it is none that we have. */
static bool add_algorithm(struct ike_suite *suite, bool is_ike, const char *word)
{
	const struct algorithm *cipher = find(ciphers, ARRAY_LEN(ciphers), word);
	const struct algorithm *prf = find(prfs, ARRAY_LEN(prfs), word);
	const struct algorithm *group = find(groups, ARRAY_LEN(groups), word);

	if (cipher && cipher->bits) {
		add_cipher(suite, cipher->id, cipher->bits);
	} else if (cipher) {
		add_cipher(suite, cipher->id, 256);
		add_cipher(suite, cipher->id, 128);
	} else if (prf && is_ike) {
		add_id(suite->prf, &suite->prf_count, prf->id);
	} else if (group && is_ike) {
		add_id(suite->ke, &suite->ke_count, group->id);
	} else {
		/* "aes_gcm-null" names the integrity that AEAD has not. */
		return strcasecmp(word, "null") == 0 || strcasecmp(word, "none") == 0;
	}
	return true;
}

bool value_suite(const char *text, bool is_ike, struct ike_suite *out, char **left_out)
{
	char *copy = mem_strdup(text), *save = NULL;
	struct strbuf missing = {0};

	*out = (struct ike_suite){0};
	for (char *word = strtok_r(copy, ",;+- \t", &save); word;
		word = strtok_r(NULL, ",;+- \t", &save)) {
		if (!add_algorithm(out, is_ike, word))
			strbuf_printf(&missing, "%s%s", missing.len ? ", " : "", word);
	}
	free(copy);
	*left_out = strbuf_take(&missing);
	return out->encr_count > 0 || (is_ike && (out->prf_count > 0 || out->ke_count > 0));
}

/* --- group files ------------------------------------------------------------------------------------ */

bool value_protocol(const char *text, uint8_t *out)
{
	static const struct {
		const char *name;
		uint8_t number;
	} names[] = {{"icmp", 1}, {"tcp", 6}, {"udp", 17}, {"ipv6-icmp", 58}, {"icmpv6", 58},
		{"sctp", 132}, {"gre", 47}, {"dccp", 33}, {"udplite", 136}};
	uint64_t number;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(names[i].name, text) == 0) {
			*out = names[i].number;
			return true;
		}
	}
	if (!value_number(text, 255, &number))
		return false;
	*out = (uint8_t)number;
	/* ESP and AH cannot be carried by themselves. */
	return number != 50 && number != 51;
}

bool value_port(const char *text, uint8_t proto, uint16_t *out)
{
	const struct servent *service;
	uint64_t number;

	if (value_number(text, UINT16_MAX, &number)) {
		*out = (uint16_t)number;
		return true;
	}
	service = getservbyname(text, proto == 17 ? "udp" : "tcp");
	if (!service)
		return false;
	*out = ntohs((uint16_t)service->s_port);
	return true;
}

bool value_is_name_pattern(const char *text)
{
	bool has_letter = false;
	size_t label = 0;

	if (strncmp(text, "*.", 2) == 0)
		text += 2;
	if (!strchr(text, '.') || strlen(text) > 253)
		return false;
	for (; *text; text++) {
		if (*text == '.') {
			if (label == 0)
				return false;
			label = 0;
			continue;
		}
		if ((!isalnum((unsigned char)*text) && *text != '-' && *text != '_') || ++label > 63)
			return false;
		has_letter = has_letter || isalpha((unsigned char)*text);
	}
	return has_letter;
}
