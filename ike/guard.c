/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strangers in number (RFC 7296 2.6): anybody can send an IKE_SA_INIT from an
 * address that is not theirs. While few are half-open, each gets its SA at
 * once. When many are, in all or from one source, a cookie must come back
 * first: it proves the address and costs us a MAC and no memory. Over the hard
 * bounds nothing is admitted.
 *
 * A cookie is a version octet and a MAC over nonce, address and SPI under a
 * secret that changes every minute or two; the one before is still taken. The
 * port is left out: a NAT may change it between the two requests.
 */
#include "ike/crypto/prf.h"
#include "ike/sa.h"
#include "lib/mem.h"

#include <stdlib.h>
#include <string.h>

#define SECRET_LEN 32
#define COOKIE_LEN (1 + PRF_MAX / 2)
#define ROTATE_US (90 * UINT64_C(1000000))
/* Once asked for, cookies are asked for so long after the cause has gone: no flapping. */
#define HYSTERESIS_US (10 * UINT64_C(1000000))
/* Of one source: challenged from the first number on, dropped from the second. */
#define SOURCE_COOKIES 8
#define SOURCE_MAX 1024
/* Of an IPv6 /48, which is what one site has: 65,536 of those sources would be one attacker's. */
#define SITE_COOKIES 64
#define SITE_MAX 8192
/* When half of all that may be half-open are, so much less. */
#define SCARCE 64
/* Answers to strangers that keep no state, cookies apart: of each kind in REFUSAL_US. */
#define REFUSALS 100
#define REFUSAL_US UINT64_C(1000000)

/* An IPv4 address or an IPv6 /64, or the /48 around that, with its half-open SAs. */
struct ike_source {
	uint8_t key[IKE_SOURCE_KEY];
	unsigned count;
	UT_hash_handle hh;
};

struct budget {
	uint64_t since_us;
	unsigned used;
};

struct ike_guard {
	struct ike_source *sources;
	uint8_t secrets[2][SECRET_LEN]; /* by the lowest bit of the version */
	uint8_t version;
	uint64_t rotate_us;
	uint64_t cookies_until_us;
	struct budget init_refusals, spi_refusals;
};

static struct ike_guard *guard_of(struct ike *ike)
{
	struct ike_guard *guard = ike->guard;

	if (!guard) {
		guard = ike->guard = mem_new(struct ike_guard);
		ike->ops.random(ike->arg, guard->secrets, sizeof(guard->secrets));
		guard->rotate_us = ike->now_us + ROTATE_US;
	}
	return guard;
}

void ike_guard_free(struct ike *ike)
{
	struct ike_source *source, *next;

	if (!ike->guard)
		return;
	HASH_ITER (hh, ike->guard->sources, source, next) {
		HASH_DEL(ike->guard->sources, source);
		free(source);
	}
	secret_wipe(ike->guard, sizeof(*ike->guard));
	free(ike->guard);
	ike->guard = NULL;
}

/* --- sources -------------------------------------------------------------------------------- */

/* Octets of a /64. */
#define SOURCE_OCTETS 8

void ike_source_key(const struct addr *addr, size_t octets, uint8_t key[IKE_SOURCE_KEY])
{
	memset(key, 0, IKE_SOURCE_KEY);
	key[0] = addr->family;
	key[1] = (uint8_t)octets;
	memcpy(key + 2, addr->bytes, addr->family == ADDR_IPV4 ? 4 : octets);
}

static struct ike_source *find_source(
	struct ike_guard *guard, const struct addr *addr, size_t octets)
{
	struct ike_source *source;
	uint8_t key[IKE_SOURCE_KEY];

	ike_source_key(addr, octets, key);
	HASH_FIND(hh, guard->sources, key, sizeof(key), source);
	return source;
}

static struct ike_source *want_source(
	struct ike_guard *guard, const struct addr *addr, size_t octets)
{
	struct ike_source *source = find_source(guard, addr, octets);

	if (!source) {
		source = mem_new(struct ike_source);
		ike_source_key(addr, octets, source->key);
		HASH_ADD(hh, guard->sources, key, sizeof(source->key), source);
	}
	return source;
}

void ike_guard_count(struct ike_sa *sa)
{
	struct ike_guard *guard = guard_of(sa->ike);
	const struct addr *addr = &sa->path.remote.addr;
	struct ike_source *source = want_source(guard, addr, SOURCE_OCTETS);

	if (addr->family == ADDR_IPV6)
		want_source(guard, addr, IKE_SITE_OCTETS)->count++;
	source->count++;
	sa->source = source;
}

static void uncount(struct ike_guard *guard, struct ike_source *source)
{
	if (!source || --source->count > 0)
		return;
	HASH_DEL(guard->sources, source);
	free(source);
}

void ike_guard_uncount(struct ike_sa *sa)
{
	struct ike_guard *guard = sa->ike->guard;
	const struct addr *addr = &sa->path.remote.addr;

	if (!sa->source)
		return;
	uncount(guard, sa->source);
	sa->source = NULL;
	if (addr->family == ADDR_IPV6)
		uncount(guard, find_source(guard, addr, IKE_SITE_OCTETS));
}

static bool has_reached(struct ike_guard *guard, const struct addr *addr, unsigned each, unsigned site)
{
	const struct ike_source *source = find_source(guard, addr, SOURCE_OCTETS);

	if (source && source->count >= each)
		return true;
	source = addr->family == ADDR_IPV6 ? find_source(guard, addr, IKE_SITE_OCTETS) : NULL;
	return source && source->count >= site;
}

/* --- cookies ------------------------------------------------------------------------------------ */

static void rotate(struct ike *ike, struct ike_guard *guard)
{
	if (ike->now_us < guard->rotate_us)
		return;
	guard->version++;
	ike->ops.random(ike->arg, guard->secrets[guard->version & 1], SECRET_LEN);
	guard->rotate_us = ike->now_us + ROTATE_US;
}

static bool make_cookie(const struct ike_guard *guard, uint8_t version, const struct path *path,
	uint64_t spi_i, const struct ike_payload *nonce, uint8_t out[COOKIE_LEN])
{
	const struct addr *addr = &path->remote.addr;
	struct chunk chunks[] = {
		{nonce->data, nonce->len}, {addr->bytes, addr_len(addr)}, {&spi_i, sizeof(spi_i)}};

	out[0] = version;
	return prf_compute(IKE_PRF_HMAC_SHA2_256, guard->secrets[version & 1], SECRET_LEN, chunks,
		ARRAY_LEN(chunks), out + 1);
}

static bool has_good_cookie(const struct ike_guard *guard, const struct path *path,
	const struct ike_message *message, const struct ike_payload *nonce)
{
	uint8_t expected[COOKIE_LEN];
	struct ike_notify cookie;

	return ike_notify_find(message, IKE_NOTIFY_COOKIE, &cookie) && cookie.len == COOKIE_LEN &&
	       (uint8_t)(guard->version - cookie.data[0]) <= 1 &&
	       make_cookie(guard, cookie.data[0], path, message->header.spi_i, nonce, expected) &&
	       secret_equal(expected, cookie.data, COOKIE_LEN);
}

/* --- the decision ----------------------------------------------------------------------------------- */

static bool wants_cookie(struct ike *ike, struct ike_guard *guard, const struct addr *addr)
{
	switch (ike->config.ddos_mode) {
	case IKE_DDOS_BUSY:
		return true;
	case IKE_DDOS_UNLIMITED:
		return false;
	case IKE_DDOS_AUTO:
		break;
	}
	if (ike->counters.half_open >= ike->config.cookie_threshold)
		guard->cookies_until_us = ike->now_us + HYSTERESIS_US;
	return ike->now_us < guard->cookies_until_us ||
	       has_reached(guard, addr, SOURCE_COOKIES, SITE_COOKIES);
}

static void challenge(struct ike *ike, struct ike_guard *guard, const struct path *path,
	const struct ike_message *message, const struct ike_payload *nonce)
{
	struct ike_header header = {.spi_i = message->header.spi_i,
		.exchange = IKE_EXCHANGE_IKE_SA_INIT,
		.flags = IKE_FLAG_RESPONSE};
	uint8_t cookie[COOKIE_LEN], out[128];
	struct ike_builder b = ike_build_message(out, sizeof(out), &header);
	size_t len;

	if (!make_cookie(guard, guard->version, path, message->header.spi_i, nonce, cookie))
		return;
	ike_notify_build(&b, IKE_NOTIFY_COOKIE, cookie, sizeof(cookie));
	len = ike_build_finish(&b);
	/* Never more than was sent: we are no amplifier. */
	if (len <= message->header.len) {
		ike->counters.cookies++;
		ike->ops.send(ike->arg, path, out, len);
	}
}

bool ike_guard_admits(struct ike *ike, const struct path *path, const struct ike_message *message)
{
	struct ike_guard *guard = guard_of(ike);
	const struct addr *addr = &path->remote.addr;
	const struct ike_payload *nonce = ike_message_find(message, IKE_PAYLOAD_NONCE);
	unsigned share = 1;

	rotate(ike, guard);
	/* Without a nonce there is no cookie, and what is not to be refused more often is no request either. */
	if (wants_cookie(ike, guard, addr) && !(nonce && has_good_cookie(guard, path, message, nonce))) {
		if (nonce)
			challenge(ike, guard, path, message, nonce);
		return false;
	}
	/* From the half on, what is left is for those who have few. */
	if (ike->counters.half_open >= ike->config.max_half_open / 2)
		share = SCARCE;
	if (ike->counters.half_open >= ike->config.max_half_open ||
		has_reached(guard, addr, SOURCE_MAX / share, SITE_MAX / share)) {
		ike->counters.half_open_limit++;
		return false;
	}
	return true;
}

/* --- errors that keep no state ---------------------------------------------------------------- */

/* No more of them than serve anybody as a mirror. */
static bool spend(const struct ike *ike, struct budget *budget)
{
	if (ike->now_us - budget->since_us >= REFUSAL_US)
		*budget = (struct budget){.since_us = ike->now_us};
	return budget->used++ < REFUSALS;
}

/* One notify. */
static void refuse(struct ike *ike, const struct path *path, const struct ike_header *request,
	const struct ike_header *header, uint16_t type, const void *data, size_t len)
{
	uint8_t out[256];
	struct ike_builder b = ike_build_message(out, sizeof(out), header);
	size_t out_len;

	ike_notify_build(&b, type, data, len);
	out_len = ike_build_finish(&b);
	if (out_len && out_len <= request->len)
		ike->ops.send(ike->arg, path, out, out_len);
}

void ike_refuse_init(struct ike *ike, const struct path *path, const struct ike_message *message,
	uint16_t type, const void *data, size_t len)
{
	struct ike_header header = {.spi_i = message->header.spi_i,
		.exchange = IKE_EXCHANGE_IKE_SA_INIT,
		.flags = IKE_FLAG_RESPONSE};
	struct ike_guard *guard = guard_of(ike);

	/* An honest peer may need it to come again: from now on those must show that they are where they say. */
	if (!spend(ike, &guard->init_refusals))
		guard->cookies_until_us = ike->now_us + HYSTERESIS_US;
	else
		refuse(ike, path, &message->header, &header, type, data, len);
}

/* 1.5: all is as in the request, seen from the other end. Whom no line covers is not told (N3). */
void ike_refuse_spi(struct ike *ike, const struct path *path, const struct ike_header *request)
{
	struct ike_guard *guard = guard_of(ike);
	struct ike_header header = *request;

	if ((request->flags & IKE_FLAG_RESPONSE) || request->exchange == IKE_EXCHANGE_IKE_SA_INIT ||
		ike->ops.conn_for(ike->arg, path) < 0 || !spend(ike, &guard->spi_refusals))
		return;
	header.flags = IKE_FLAG_RESPONSE | ((request->flags & IKE_FLAG_INITIATOR) ^ IKE_FLAG_INITIATOR);
	refuse(ike, path, request, &header, IKE_NOTIFY_INVALID_IKE_SPI, NULL, 0);
}

/* It belongs to no SA, so there is nothing that its own SPIs could be. */
size_t ike_notice_build(uint8_t *out, size_t room, uint32_t spi)
{
	struct ike_header header = {.exchange = IKE_EXCHANGE_INFORMATIONAL, .flags = IKE_FLAG_INITIATOR};
	struct ike_builder b = ike_build_message(out, room, &header);
	uint8_t data[4];
	struct writer w = writer_init(data, sizeof(data));

	writer_u32(&w, spi);
	ike_notify_build(&b, IKE_NOTIFY_INVALID_SPI, data, sizeof(data));
	return ike_build_finish(&b);
}
