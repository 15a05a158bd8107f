/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, endpoints and prefixes (addr.h). */
#include "lib/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t addr_len(const struct addr *addr)
{
	switch ((enum addr_family)addr->family) {
	case ADDR_IPV4:
		return 4;
	case ADDR_IPV6:
		return 16;
	case ADDR_NONE:
		break;
	}
	return 0;
}

uint8_t addr_bits(const struct addr *addr)
{
	return (uint8_t)(addr_len(addr) * 8);
}

bool addr_from_bytes(const void *bytes, size_t len, struct addr *out)
{
	if (len != 4 && len != 16)
		return false;
	*out = (struct addr){.family = len == 4 ? ADDR_IPV4 : ADDR_IPV6};
	memcpy(out->bytes, bytes, len);
	return true;
}

bool addr_parse(const char *text, struct addr *out)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		return addr_from_bytes(bytes, 4, out);
	if (inet_pton(AF_INET6, text, bytes) == 1)
		return addr_from_bytes(bytes, 16, out);
	return false;
}

const char *addr_format(const struct addr *addr, char out[ADDR_TEXT])
{
	int family = addr->family == ADDR_IPV4 ? AF_INET : AF_INET6;

	if (addr->family == ADDR_NONE || !inet_ntop(family, addr->bytes, out, ADDR_TEXT))
		strcpy(out, "-");
	return out;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_compare(a, b) == 0;
}

uint32_t addr_hash(const struct addr *addr, uint32_t seed)
{
	uint32_t hash = seed ^ addr->family;

	for (size_t i = 0; i < addr_len(addr); i++) {
		hash ^= addr->bytes[i];
		hash *= 0x01000193u;
		hash ^= hash >> 15;
	}
	return hash;
}

bool addr_is_any(const struct addr *addr)
{
	static const uint8_t zero[16];

	return memcmp(addr->bytes, zero, sizeof(zero)) == 0;
}

bool addr_is_loopback(const struct addr *addr)
{
	static const uint8_t one[16] = {[15] = 1};

	if (addr->family == ADDR_IPV4)
		return addr->bytes[0] == 127;
	return addr->family == ADDR_IPV6 && memcmp(addr->bytes, one, sizeof(one)) == 0;
}

bool addr_is_special(const struct addr *addr)
{
	const uint8_t *b = addr->bytes;

	if (addr_is_any(addr) || addr_is_loopback(addr))
		return true;
	if (addr->family == ADDR_IPV4)
		return (b[0] & 0xf0) == 0xe0 || (b[0] == 169 && b[1] == 254) ||
		       (b[0] == 255 && b[1] == 255 && b[2] == 255 && b[3] == 255);
	return b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

const char *endpoint_format(const struct endpoint *endpoint, char out[ADDR_TEXT])
{
	char addr[ADDR_TEXT];
	const char *form = endpoint->addr.family == ADDR_IPV6 ? "[%.46s]:%u" : "%.46s:%u";

	snprintf(out, ADDR_TEXT, form, addr_format(&endpoint->addr, addr), endpoint->port);
	return out;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

static bool parse_port(const char *text, uint16_t *out)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || value == 0 || value > 65535)
		return false;
	*out = (uint16_t)value;
	return true;
}

bool endpoint_parse(const char *text, uint16_t default_port, struct endpoint *out)
{
	struct endpoint result = {.port = default_port};
	char copy[ADDR_TEXT];
	char *addr = copy;
	char *port = NULL;

	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	if (copy[0] == '[') {
		char *close = strchr(copy, ']');

		if (!close || (close[1] && close[1] != ':'))
			return false;
		port = close[1] ? close + 2 : NULL;
		*close = '\0';
		addr = copy + 1;
	} else if ((port = strchr(copy, '@')) ||
		   ((port = strchr(copy, ':')) && port == strrchr(copy, ':'))) {
		*port++ = '\0';
	} else {
		port = NULL;
	}
	if (!addr_parse(addr, &result.addr) || (port && !parse_port(port, &result.port)))
		return false;
	*out = result;
	return true;
}

void endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *out, unsigned *len)
{
	memset(out, 0, sizeof(*out));
	if (endpoint->addr.family == ADDR_IPV6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(endpoint->port);
		memcpy(&in6->sin6_addr, endpoint->addr.bytes, 16);
		*len = sizeof(*in6);
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(endpoint->port);
		memcpy(&in->sin_addr, endpoint->addr.bytes, 4);
		*len = sizeof(*in);
	}
}

bool endpoint_from_sockaddr(const struct sockaddr *from, struct endpoint *out)
{
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;

		out->port = ntohs(in->sin_port);
		return addr_from_bytes(&in->sin_addr, 4, &out->addr);
	}
	if (from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

		out->port = ntohs(in6->sin6_port);
		return addr_from_bytes(&in6->sin6_addr, 16, &out->addr);
	}
	return false;
}

static uint8_t mask_byte(uint8_t prefix_len, size_t index)
{
	int bits = prefix_len - (int)(index * 8);

	if (bits >= 8)
		return 0xff;
	if (bits <= 0)
		return 0;
	return (uint8_t)(0xffu << (8 - bits));
}

bool prefix_mask(struct prefix *prefix)
{
	bool host_bits = false;

	for (size_t i = 0; i < addr_len(&prefix->addr); i++) {
		uint8_t kept = prefix->addr.bytes[i] & mask_byte(prefix->len, i);

		host_bits = host_bits || kept != prefix->addr.bytes[i];
		prefix->addr.bytes[i] = kept;
	}
	return host_bits;
}

bool prefix_parse(const char *text, struct prefix *out, bool *host_bits)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char copy[ADDR_TEXT];
	struct prefix result;
	char *end;

	if (host_bits)
		*host_bits = false;
	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (!addr_parse(copy, &result.addr))
		return false;
	result.len = addr_bits(&result.addr);
	if (slash) {
		unsigned long bits = strtoul(slash + 1, &end, 10);

		if (slash[1] < '0' || slash[1] > '9' || *end || bits > result.len)
			return false;
		result.len = (uint8_t)bits;
	}
	if (prefix_mask(&result) && host_bits)
		*host_bits = true;
	*out = result;
	return true;
}

const char *prefix_format(const struct prefix *prefix, char out[ADDR_TEXT])
{
	char addr[ADDR_TEXT];

	snprintf(out, ADDR_TEXT, "%.46s/%u", addr_format(&prefix->addr, addr), prefix->len);
	return out;
}

struct prefix prefix_of_host(const struct addr *addr)
{
	return (struct prefix){.addr = *addr, .len = addr_bits(addr)};
}

bool prefix_contains(const struct prefix *prefix, const struct addr *addr)
{
	if (prefix->addr.family != addr->family)
		return false;
	for (size_t i = 0; i < addr_len(addr) && i * 8 < prefix->len; i++) {
		if ((addr->bytes[i] & mask_byte(prefix->len, i)) != prefix->addr.bytes[i])
			return false;
	}
	return true;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && addr_equal(&a->addr, &b->addr);
}

bool prefix_is_host(const struct prefix *prefix)
{
	return prefix->len == addr_bits(&prefix->addr);
}
