/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses, endpoints and prefixes, IPv4 and IPv6, as plain values that may
 * be copied and compared with memcmp semantics (unused bytes are zero).
 */
#ifndef LIB_ADDR_H
#define LIB_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum addr_family {
	ADDR_NONE = 0,
	ADDR_IPV4 = 4,
	ADDR_IPV6 = 6,
};

struct addr {
	uint8_t family;    /* enum addr_family */
	uint8_t bytes[16]; /* network order; an IPv4 address is in the first 4 */
};

struct endpoint {
	struct addr addr;
	uint16_t port; /* host order */
};

struct prefix {
	struct addr addr; /* host bits are zero */
	uint8_t len;      /* bits */
};

struct sockaddr;
struct sockaddr_storage;

/* Room for any of the texts below with its NUL: "[ffff:…]:65535", "…/128". */
#define ADDR_TEXT 64

/* How long an address of the family is: 4 or 16 bytes, 0 for none. */
size_t addr_len(const struct addr *addr);
uint8_t addr_bits(const struct addr *addr);
/* Strict textual forms (inet_pton); false leaves *out untouched. */
bool addr_parse(const char *text, struct addr *out);
/* From wire bytes: 4 or 16 of them; false for another length. */
bool addr_from_bytes(const void *bytes, size_t len, struct addr *out);
/* "192.0.2.1", "2001:db8::1", "-" for none. Returns `out`. */
const char *addr_format(const struct addr *addr, char out[ADDR_TEXT]);
bool addr_equal(const struct addr *a, const struct addr *b);
int addr_compare(const struct addr *a, const struct addr *b); /* family first, as memcmp */
/* A hash for uthash-free tables; seeded by the caller. */
uint32_t addr_hash(const struct addr *addr, uint32_t seed);
bool addr_is_any(const struct addr *addr); /* 0.0.0.0, :: */

/* Rule G6: loopback, multicast, broadcast (255.255.255.255), link-local, any. */
bool addr_is_special(const struct addr *addr);
bool addr_is_loopback(const struct addr *addr);

/* "192.0.2.1:53", "[2001:db8::1]:53". Returns `out`. */
const char *endpoint_format(const struct endpoint *endpoint, char out[ADDR_TEXT]);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
/* "ADDR", "ADDR@PORT" (unbound's form), "ADDR:PORT" (v4), "[ADDR]:PORT". */
bool endpoint_parse(const char *text, uint16_t default_port, struct endpoint *out);
/* To and from the socket API; len gets the size to pass to bind() and others. */
void endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *out, unsigned *len);
bool endpoint_from_sockaddr(const struct sockaddr *from, struct endpoint *out);

/* Clears the bits behind the prefix; true when there were any. */
bool prefix_mask(struct prefix *prefix);
/* "192.0.2.0/24" or a bare address (a host); *host_bits says that bits were zeroed. */
bool prefix_parse(const char *text, struct prefix *out, bool *host_bits);
const char *prefix_format(const struct prefix *prefix, char out[ADDR_TEXT]);
struct prefix prefix_of_host(const struct addr *addr);
bool prefix_contains(const struct prefix *prefix, const struct addr *addr);
bool prefix_equal(const struct prefix *a, const struct prefix *b);
bool prefix_is_host(const struct prefix *prefix);

#endif
