/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of options (internal.h). */
#include "conf/internal.h"

#include "ike/const.h"
#include "ike/crypto/cert.h"
#include "lib/mem.h"

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

bool value_size(const char *text, uint64_t *out)
{
	static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (!isdigit((unsigned char)*text) || value == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcasecmp(end, units[i]) == 0) {
			*out = (uint64_t)value << 10 * i;
			return value <= (UINT64_C(1) << 62) >> 10 * i;
		}
	}
	return false;
}

bool value_percent(const char *text, uint64_t *out)
{
	size_t digits = strspn(text, "0123456789");
	char *number = mem_strndup(text, digits);
	bool good = (!text[digits] || strcmp(text + digits, "%") == 0) &&
		    value_number(number, 1000, out);

	free(number);
	return good;
}

bool value_time_ms(const char *text, uint32_t unit_ms, uint64_t *out)
{
	const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"", unit_ms}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
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

bool value_is_auth_list(const char *text, const char *list)
{
	char *copy = mem_strdup(text), *save = NULL;
	size_t good = 0, bad = 0;

	for (char *word = strtok_r(copy, ",| \t", &save); word; word = strtok_r(NULL, ",| \t", &save)) {
		/* "rsa-sha2_512" says which hash, too. */
		word[strcspn(word, "-")] = '\0';
		if (value_is_one_of(word, list))
			good++;
		else
			bad++;
	}
	free(copy);
	return good > 0 && bad == 0;
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
	if (strncmp(text, "@@", 2) == 0)
		return strchr(text + 2, '@') &&
		       set_id(&out->id, IKE_ID_RFC822_ADDR, text + 2, strlen(text + 2));
	if (strncmp(text, "@[", 2) == 0 && text[strlen(text) - 1] == ']')
		return set_id(&out->id, IKE_ID_KEY_ID, text + 2, strlen(text + 2) - 1);
	/* "@#HEX" is a KEY_ID too, "@~HEX" a DN in DER: not in this version. */
	if (text[0] == '@' && text[1] && strchr("[#~@", text[1]))
		return false;
	if (text[0] == '@')
		return set_id(&out->id, IKE_ID_FQDN, text + 1, strlen(text + 1));
	if (strchr(text, '@'))
		return set_id(&out->id, IKE_ID_RFC822_ADDR, text, strlen(text));
	if (strchr(text, '=')) {
		out->id.type = IKE_ID_DER_ASN1_DN;
		out->id.len = (uint16_t)cert_dn_parse(text, out->id.data, sizeof(out->id.data));
		return out->id.len > 0;
	}
	return set_id(&out->id, IKE_ID_FQDN, text, strlen(text)) && text[0] != '%';
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
