/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network of the fleet (fleet.h): it loses, delays, doubles, reorders and
 * parts; translators stand in it; and strangers, who hear all and say anything.
 */
#include "t/sim/fleet.h"

#include "ike/const.h"
#include "ike/message.h"
#include "ike/payload.h"
#include "lib/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRANGER 77 /* second byte of an address that nobody has */

struct host *host_of(const struct addr *addr)
{
	size_t number = (size_t)addr->bytes[2] * 256 + addr->bytes[3];
	struct host *host = number >= 1 && number <= host_count ? &hosts[number - 1] : NULL;

	return host && addr_equal(&host->outer, addr) ? host : NULL;
}

struct addr addr_of(const struct host *host)
{
	struct addr addr;
	char text[32];

	snprintf(text, sizeof(text), "10.%u.%zu.%zu", host->moves % 70, (host->number + 1) / 256,
		(host->number + 1) % 256);
	addr_parse(text, &addr);
	return addr;
}

/* --- weather ---------------------------------------------------------------------------------- */

static void set_calm(bool was_calm)
{
	bool is_calm = !weather.loss && !weather.partitioned;

	if (!is_calm)
		weather.calm_since_us = NEVER_CALM;
	else if (!was_calm)
		weather.calm_since_us = now_us;
}

void change_weather(void)
{
	bool was_calm = weather.calm_since_us != NEVER_CALM;

	weather.loss = below(3) ? (unsigned)below(51) : 0;
	weather.doubles = (unsigned)below(30);
	weather.delay_us = MS + below(below(4) ? 20 * MS : 300 * MS);
	weather.jitter_us = below(40 * MS);
	weather.partitioned = below(6) == 0;
	for (size_t i = 0; i < host_count; i++)
		hosts[i].side = (unsigned)below(2);
	set_calm(was_calm);
	tell("weather: loss %u %%, doubles %u %%, delay %.1f ms, jitter %.1f ms%s", weather.loss,
		weather.doubles, (double)weather.delay_us / 1000, (double)weather.jitter_us / 1000,
		weather.partitioned ? ", partitioned" : "");
}

void clear_weather(void)
{
	bool was_calm = weather.calm_since_us != NEVER_CALM;

	weather.loss = weather.doubles = 0;
	weather.partitioned = false;
	weather.delay_us = MS;
	weather.jitter_us = 20 * MS;
	set_calm(was_calm);
	tell("weather: clear");
}

static bool is_lost(const struct host *from, const struct host *to)
{
	return below(100) < weather.loss || !to || (weather.partitioned && to->side != from->side);
}

static uint64_t delay(void)
{
	return weather.delay_us + below(weather.jitter_us + 1);
}

/* --- translators --------------------------------------------------------------------------------- */

static unsigned port_index(uint16_t port)
{
	return port == 4500;
}

/* What the sender's translator makes of a datagram's source. */
static struct endpoint translated(struct host *from, const struct endpoint *source)
{
	uint16_t *port = &from->nat.ports[port_index(source->port)];

	if (!from->nat.present)
		return *source;
	if (!*port)
		*port = (uint16_t)(10000 + below(50000));
	return (struct endpoint){.addr = from->outer, .port = *port};
}

/* What the receiver's translator makes of its destination; false: nobody has asked for it. */
static bool translate_back(const struct host *to, struct endpoint *destination)
{
	if (!to->nat.present)
		return true;
	for (unsigned i = 0; i < 2; i++) {
		if (to->nat.ports[i] && to->nat.ports[i] == destination->port) {
			*destination = (struct endpoint){.addr = to->addr, .port = i ? 4500 : 500};
			return true;
		}
	}
	return false;
}

void rebind(struct host *host)
{
	if (!host->nat.present)
		return;
	tell("%4zu    its NAT has lost its table", host->number);
	host->nat.ports[0] = host->nat.ports[1] = 0;
	host->disturbed_us = now_us;
}

/* --- IKE -------------------------------------------------------------------------------------------- */

/* The latest that was sent, for strangers: under way still, or just there. */
static struct event overheard;

void net_forget(void)
{
	free(overheard.data);
	overheard = (struct event){0};
}

static void deliver(struct host *to, const struct path *path, const uint8_t *data, size_t len)
{
	struct event *event = add_event(EVENT_PACKET, to, delay());

	event->path = (struct path){.local = path->remote, .remote = path->local};
	event->data = mem_dup(data, len);
	event->len = len;
	net_forget();
	overheard = *event;
	overheard.data = mem_dup(data, len);
}

void take_send(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct host *from = arg, *to = host_of(&path->remote.addr);
	struct ike_header header = {0};
	struct path seen = {.local = translated(from, &path->local), .remote = path->remote};
	bool lost = is_lost(from, to) || !translate_back(to, &seen.remote) ||
		    !addr_equal(&path->local.addr, &from->addr);

	ike_header_parse(data, len, &header);
	check_window(from, data, len, true);
	tell("%4zu -> %-4zu %s %s %u, %zu bytes%s", from->number, to ? to->number : 0,
		ike_exchange_name(header.exchange), header.flags & IKE_FLAG_RESPONSE ? "response" : "request",
		header.id, len, lost ? " (lost)" : "");
	if (lost)
		return;
	deliver(to, &seen, data, len);
	if (below(100) < weather.doubles)
		deliver(to, &seen, data, len);
}

/* It is for the translator alone: a kernel drops it. */
void take_keepalive(void *arg, const struct path *path, const uint8_t *data, size_t len)
{
	struct host *host = arg;

	(void)data;
	if (!host->nat.present || len != 1)
		violate(host, "a keepalive without a NAT");
	translated(host, &path->local);
}

void take_packet(struct host *host, const struct event *event)
{
	struct ike_header header;

	if (!host->ike)
		return;
	if (ike_header_parse(event->data, event->len, &header) && header.exchange == IKE_EXCHANGE_IKE_SA_INIT)
		host->asked_us = now_us;
	check_window(host, event->data, event->len, false);
	ike_datagram(host->ike, &event->path, event->data, event->len, clock_of(host));
}

/* --- ESP -------------------------------------------------------------------------------------------- */

/* Protocol 50 passes no translator. */
static bool passes(struct host *from, const struct host *to, bool in_udp, struct path *path)
{
	if (!in_udp)
		return !from->nat.present && !to->nat.present;
	path->local = translated(from, &path->local);
	return translate_back(to, &path->remote);
}

void send_esp(struct host *from, const struct tunnel *tunnel, const struct message *message)
{
	const struct sa_pair *pair = &tunnel->child.pair;
	struct host *to = host_of(&pair->out.dst);
	struct path path = {.local = {.addr = pair->out.src, .port = pair->encap_local_port},
		.remote = {.addr = pair->out.dst, .port = pair->encap_remote_port}};
	bool in_udp = pair->encap_local_port != 0;
	bool lost = is_lost(from, to) || !addr_equal(&from->addr, &pair->out.src) ||
		    !passes(from, to, in_udp, &path);
	struct event *event;

	tally.esp++;
	tell("%4zu => %-4zu ESP %08x%s%s", from->number, to ? to->number : 0, pair->out.spi,
		message->is_answer ? ", an answer" : "", lost ? " (lost)" : "");
	if (lost)
		return;
	event = add_event(EVENT_ESP, to, delay());
	event->path = (struct path){.local = path.remote, .remote = path.local};
	event->esp = (struct esp){.spi = pair->out.spi,
		.in_udp = in_udp,
		.key_len = pair->out.encr_key_len,
		.from = from->number,
		.child = tunnel->child.id,
		.since_us = tunnel->since_us,
		.message = *message};
	memcpy(event->esp.key, pair->out.encr_key, sizeof(event->esp.key));
}

/* --- strangers ------------------------------------------------------------------------------------- */

/* What anybody may say in the clear to who has just been spoken to: the SPIs are the true ones. */
static size_t forge_notify(const struct event *event, uint8_t *out, size_t room)
{
	static const uint16_t types[] = {IKE_NOTIFY_INVALID_IKE_SPI, IKE_NOTIFY_INVALID_SYNTAX,
		IKE_NOTIFY_NO_PROPOSAL_CHOSEN, IKE_NOTIFY_AUTHENTICATION_FAILED};
	struct ike_header header;
	struct ike_builder b;

	if (!ike_header_parse(event->data, event->len, &header))
		return 0;
	header.flags |= IKE_FLAG_RESPONSE;
	b = ike_build_message(out, room, &header);
	ike_notify_build(&b, types[below(ARRAY_LEN(types))], NULL, 0);
	return ike_build_finish(&b);
}

static size_t make_noise(uint8_t *out, size_t room)
{
	for (size_t i = 0; i < room; i++)
		out[i] = (uint8_t)chance();
	out[17] = 0x20;
	out[18] = (uint8_t)(34 + below(4));
	return 28 + below(room - 28);
}

/* 1.5: as if by the peer of a tunnel, that it knows nothing of it; 0 if there is none. */
static size_t forge_notice(const struct host *host, struct path *path, uint8_t *out, size_t room)
{
	const struct tunnel *tunnel = host->tunnels;

	if (!tunnel)
		return 0;
	*path = tunnel->child.path;
	return ike_notice_build(out, room, tunnel->child.pair.out.spi);
}

static struct path path_from_nowhere(const struct host *host)
{
	struct path path = {.local = {.addr = host->addr, .port = 500},
		.remote = {.addr = hosts[below(host_count)].outer, .port = (uint16_t)(1 + below(60000))}};

	path.remote.addr.bytes[1] = STRANGER;
	return path;
}

/* A true datagram, but from elsewhere: it is of no SA, and only IKE_SA_INIT is for anybody (N10). */
static void repeat_from(struct host *host, const struct path *path, const uint8_t *data, size_t len)
{
	uint64_t before = ike_counters(host->ike).unknown_spi;
	struct ike_header header;

	ike_datagram(host->ike, path, data, len, clock_of(host));
	if (ike_header_parse(data, len, &header) && header.exchange != IKE_EXCHANGE_IKE_SA_INIT &&
		ike_counters(host->ike).unknown_spi != before + 1)
		violate(host, "a datagram from an address that is not the peer's has found its SA (N10)");
}

/* Until keys protect what comes, who can write to both may break a negotiation (N5): a fault like another. */
static void note_fault(struct host *host, const struct path *path, const uint8_t *data, size_t len)
{
	struct host *peer = host_of(&path->remote.addr);
	struct ike_header header;

	if (!ike_header_parse(data, len, &header) ||
		(header.exchange != IKE_EXCHANGE_IKE_SA_INIT && header.exchange != IKE_EXCHANGE_IKE_AUTH))
		return;
	host->disturbed_us = now_us;
	if (peer)
		peer->disturbed_us = now_us;
}

static void say_as_peer(struct host *host, const struct path *path, const uint8_t *data, size_t len)
{
	note_fault(host, path, data, len);
	check_window(host, data, len, false);
	ike_datagram(host->ike, path, data, len, clock_of(host));
}

/* What has been overheard, in this or that way: a copy, for the network goes on. */
static struct host *repeat(struct host *host, const struct event *some)
{
	struct path path = some->path;
	uint8_t bytes[IKE_MESSAGE_MAX];
	size_t len = some->len < sizeof(bytes) ? some->len : sizeof(bytes);

	memcpy(bytes, some->data, len);
	if (hosts[some->host].ike)
		host = &hosts[some->host];
	else
		path.local = (struct endpoint){.addr = host->addr, .port = 500};
	switch (below(3)) {
	case 0:
		path.remote = path_from_nowhere(host).remote;
		repeat_from(host, &path, bytes, len);
		break;
	case 1: /* but for a bit of what is not its header */
		bytes[IKE_HEADER_LEN + below(len - IKE_HEADER_LEN)] ^= (uint8_t)(1u << below(8));
		say_as_peer(host, &path, bytes, len);
		break;
	case 2: /* an answer in the clear, with its SPIs and as if by its sender */
		len = forge_notify(some, bytes, sizeof(bytes));
		say_as_peer(host, &path, bytes, len);
		break;
	}
	return host;
}

/* Says something to a host; gives to whom. */
static struct host *say(struct host *host, const struct event *some)
{
	struct path path = path_from_nowhere(host);
	uint8_t bytes[256];
	size_t len;

	if (some && below(2))
		return repeat(host, some);
	len = below(2) ? forge_notice(host, &path, bytes, sizeof(bytes)) : make_noise(bytes, sizeof(bytes));
	ike_datagram(host->ike, &path, bytes, len, clock_of(host));
	return host;
}

/* What must stay as it is. */
struct standing {
	uint64_t changes;
	size_t sas, flows, tunnelled;
};

static struct standing look_at(const struct host *host)
{
	struct standing standing = {.changes = host->changes};
	struct policy_counters counters;

	if (!host->ike)
		return standing;
	counters = policy_counters(host->policy);
	standing.sas = ike_counters(host->ike).sas;
	standing.flows = counters.flows;
	standing.tunnelled = counters.tunnelled;
	return standing;
}

static void check_standing(const struct host *host, const struct standing *before)
{
	struct standing after = look_at(host);

	if (memcmp(&after, before, sizeof(after)) != 0)
		violate(host, "a stranger's datagram changed what stands (N2)");
}

void shout(struct host *host)
{
	const struct event *some = overheard.len > IKE_HEADER_LEN ? &overheard : NULL;
	struct host *other = some ? &hosts[some->host] : host;
	struct standing here = look_at(host), there = look_at(other);

	say(host, some)->asked_us = now_us;
	check_standing(host, &here);
	check_standing(other, &there);
}
