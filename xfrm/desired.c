/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lines and our addresses install (research/kernel.md A1, B, section 3).
 * The order of the list is the order of installation: exemptions, then for
 * each line what closes it, then what opens or traps it.
 */
#include "xfrm/plane.h"

#include "lib/mem.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

void desired_add(struct desired *desired, const struct entry *entry)
{
	if (desired->count == desired->room) {
		desired->room = desired->room ? desired->room * 2 : 256;
		desired->entries =
			mem_resize(desired->entries, desired->room, sizeof(*desired->entries));
	}
	desired->entries[desired->count++] = *entry;
}

void desired_clear(struct desired *desired)
{
	free(desired->entries);
	*desired = (struct desired){0};
}

static struct prefix any_of(uint8_t family)
{
	return (struct prefix){.addr = {.family = family}};
}

/* --- lines -------------------------------------------------------------------------------------- */

/* The kernel has an ICMP packet's type where others have the source's port, and its code as the other one. */
static void set_icmp(struct entry_key *key, uint16_t port, uint16_t mask)
{
	key->sport = port >> 8;
	key->sport_mask = mask >> 8;
	key->dport = port & 0xff;
	key->dport_mask = mask & 0xff;
}

void entry_key_set_traffic(struct entry_key *key, const struct traffic *traffic)
{
	bool out = key->dir == ENTRY_OUT;
	uint16_t local_mask = port_mask(traffic->local_port, traffic->local_mask);
	uint16_t remote_mask = port_mask(traffic->remote_port, traffic->remote_mask);

	key->proto = traffic->proto;
	if (proto_is_icmp(traffic->proto)) {
		set_icmp(key, out ? traffic->local_port : traffic->remote_port,
			out ? local_mask : remote_mask);
		return;
	}
	key->sport = out ? traffic->local_port : traffic->remote_port;
	key->sport_mask = out ? local_mask : remote_mask;
	key->dport = out ? traffic->remote_port : traffic->local_port;
	key->dport_mask = out ? remote_mask : local_mask;
}

struct entry_key desired_key(const struct dp_line *line, enum entry_dir dir, const struct prefix *local)
{
	struct traffic traffic = {.proto = line->proto,
		.local_port = line->local_port,
		.remote_port = line->remote_port};
	struct entry_key key;
	bool out = dir == ENTRY_OUT;

	memset(&key, 0, sizeof(key));
	key.tag = entry_tag(line->id, line->closed);
	key.dir = (uint8_t)dir;
	entry_key_set_traffic(&key, &traffic);
	key.src = out ? *local : line->remote;
	key.dst = out ? line->remote : *local;
	return key;
}

/* What a line has for every host of its prefix; an exception's stays as long as what it is one to. */
static void add_line(struct desired *desired, const struct dp_line *line, enum entry_dir dir,
	const struct prefix *local, enum entry_action action, enum entry_sub sub)
{
	struct entry entry = {.priority = entry_priority(line->slot, sub), .action = action};

	entry.key = desired_key(line, dir, local);
	entry.key.tag = entry_tag(line->id, line->closed || line->excepted);
	desired_add(desired, &entry);
}

bool desired_out(const struct dp_line *line, const struct addr *local, struct entry *out)
{
	struct prefix host = prefix_of_host(local);

	if (line->out != DP_TRAP && line->out != DP_TRAP_PASS)
		return false;
	*out = (struct entry){.priority = entry_priority(line->slot, ENTRY_LINE),
		.action = ENTRY_PROTECT,
		.optional = line->out == DP_TRAP_PASS,
		.mode = IPSEC_TRANSPORT, /* zero addresses: one acquire a destination (ikev2.md 0.2) */
		.tmpl_src = {.family = line->remote.addr.family},
		.tmpl_dst = {.family = line->remote.addr.family}};
	out->key = desired_key(line, ENTRY_OUT, &host);
	return true;
}

bool desired_host(const struct dp_line *line, const struct addr *local, const struct addr *remote,
	struct entry *out)
{
	if (!desired_out(line, local, out))
		return false;
	out->priority = entry_priority(line->slot, ENTRY_HOST);
	out->key.dst = prefix_of_host(remote);
	return true;
}

/* K10: a queue of its own for each host. The line's trap stays beneath, for the moments between. */
static void add_hosts(struct desired *desired, const struct dp_line *line, const struct addr *local)
{
	struct addr remote = line->remote.addr;
	uint8_t *last = &remote.bytes[addr_len(&remote) - 1];
	struct entry trap;

	for (size_t i = 0; i < spread_hosts(line); i++) {
		last[0] = (uint8_t)(line->remote.addr.bytes[addr_len(&remote) - 1] | i);
		last[-1] = (uint8_t)(line->remote.addr.bytes[addr_len(&remote) - 2] | i >> 8);
		if (desired_host(line, local, &remote, &trap))
			desired_add(desired, &trap);
	}
}

/* For every destination: what closes us is there before our addresses are (K5, K7). */
static void add_inbound(struct desired *desired, const struct dp_line *line, enum entry_dir dir)
{
	struct prefix any = any_of(line->remote.addr.family);

	if (line->in == DP_IN_BLOCK)
		add_line(desired, line, dir, &any, ENTRY_BLOCK, ENTRY_CLOSING);
	else if (line->in == DP_IN_ALLOW)
		add_line(desired, line, dir, &any, ENTRY_ALLOW, ENTRY_LINE);
}

/* A packet meets the policies twice: with the container's source, and masqueraded with ours. */
static void add_masqueraded(const struct dataplane *dp, struct desired *desired, const struct dp_line *line)
{
	for (size_t i = 0; i < dp->masqueraded_count; i++) {
		if (dp->masqueraded[i].addr.family == line->remote.addr.family)
			add_line(desired, line, ENTRY_OUT, &dp->masqueraded[i], ENTRY_ALLOW,
				ENTRY_MASQUERADED);
	}
}

static void add_wide(const struct dataplane *dp, struct desired *desired, const struct dp_line *line)
{
	struct prefix any = any_of(line->remote.addr.family);

	add_inbound(desired, line, ENTRY_IN);
	add_inbound(desired, line, ENTRY_FWD);
	if (line->closed && (line->out == DP_TRAP || line->out == DP_TRAP_PASS))
		add_masqueraded(dp, desired, line);
	/* Fail-closed for every source that has no trap (K7). */
	if (line->closed || line->out == DP_BLOCK)
		add_line(desired, line, ENTRY_OUT, &any, ENTRY_BLOCK, ENTRY_CLOSING);
	else if (line->out == DP_ALLOW)
		add_line(desired, line, ENTRY_OUT, &any, ENTRY_ALLOW, ENTRY_LINE);
	else if (line->excepted)
		add_line(desired, line, ENTRY_OUT, &any, ENTRY_ALLOW, ENTRY_CLOSING);
}

void desired_add_line(const struct dataplane *dp, struct desired *desired, const struct dp_line *line)
{
	const struct line *known = line_find(dp, line->id);
	struct entry trap;

	add_wide(dp, desired, line);
	for (size_t i = 0; i < dp->local_count; i++) {
		if (dp->locals[i].family != line->remote.addr.family ||
			!desired_out(line, &dp->locals[i], &trap))
			continue;
		desired_add(desired, &trap);
		if (known && known->spread)
			add_hosts(desired, line, &dp->locals[i]);
	}
}

/* --- exemptions (K3) ----------------------------------------------------------------------------- */

static struct prefix parsed(const char *text)
{
	struct prefix prefix = {0};

	prefix_parse(text, &prefix, NULL);
	return prefix;
}

static void exempt(struct desired *desired, enum entry_dir dir, struct prefix src, struct prefix dst,
	uint8_t proto, uint16_t sport, uint16_t dport)
{
	struct entry entry = {.priority = ENTRY_EXEMPT, .action = ENTRY_ALLOW};

	memset(&entry.key, 0, sizeof(entry.key));
	entry.key.tag = entry_tag(0, false);
	entry.key.dir = (uint8_t)dir;
	entry.key.proto = proto;
	entry.key.sport = sport;
	entry.key.dport = dport;
	entry.key.sport_mask = sport ? UINT16_MAX : 0;
	entry.key.dport_mask = dport ? UINT16_MAX : 0;
	entry.key.src = src;
	entry.key.dst = dst;
	desired_add(desired, &entry);
}

/* DHCP renewal: our client's port to the server's, and back. */
static void exempt_dhcp(struct desired *desired, uint8_t family, uint16_t client, uint16_t server)
{
	struct prefix any = any_of(family);

	exempt(desired, ENTRY_OUT, any, any, IPPROTO_UDP, client, server);
	exempt(desired, ENTRY_IN, any, any, IPPROTO_UDP, server, client);
}

/*
 * Multicast, broadcast and link-local (G6): into them from whoever sends, as a line's inbound
 * block is for every destination; the rest is for lines so wide that they hold them.
 */
static void exempt_special(
	struct desired *desired, const struct dp_line *lines, size_t count, const char *text)
{
	struct prefix special = parsed(text);

	exempt(desired, ENTRY_IN, any_of(special.addr.family), special, 0, 0, 0);
	for (size_t i = 0; i < count; i++) {
		const struct prefix *remote = &lines[i].remote;

		if (!prefix_contains(remote, &special.addr) &&
			!prefix_contains(&special, &remote->addr))
			continue;
		exempt(desired, ENTRY_OUT, any_of(special.addr.family), special, 0, 0, 0);
		exempt(desired, ENTRY_IN, special, any_of(special.addr.family), 0, 0, 0);
		return;
	}
}

static void exempt_ipv4(const struct dataplane *dp, struct desired *desired,
	const struct dp_line *lines, size_t count)
{
	struct prefix any = any_of(ADDR_IPV4);

	exempt_dhcp(desired, ADDR_IPV4, 68, 67);
	for (size_t i = 0; i < dp->broadcast_count; i++) {
		struct prefix broadcast = prefix_of_host(&dp->broadcasts[i]);

		exempt(desired, ENTRY_OUT, any, broadcast, 0, 0, 0);
		exempt(desired, ENTRY_IN, any, broadcast, 0, 0, 0);
	}
	/* Unreachable and "fragmentation needed", from whoever sends them (kernel.md I). */
	exempt(desired, ENTRY_IN, any, any, IPPROTO_ICMP, 3, 0);
	exempt_special(desired, lines, count, "224.0.0.0/4");
	exempt_special(desired, lines, count, "255.255.255.255/32");
	exempt_special(desired, lines, count, "169.254.0.0/16");
}

static void exempt_own_ipv6(struct desired *desired, const struct prefix *own)
{
	struct prefix any = any_of(ADDR_IPV6);

	/* IPv6 traps what a host sends to itself; IPv4 does not (kernel.md 0.5). */
	exempt(desired, ENTRY_OUT, any, *own, 0, 0, 0);
	exempt(desired, ENTRY_IN, *own, any, 0, 0, 0);
}

static void exempt_ipv6(const struct dataplane *dp, struct desired *desired,
	const struct dp_line *lines, size_t count)
{
	/* Destination unreachable and packet too big are inbound only; the rest is NDP and MLD. */
	static const uint16_t both_ways[] = {130, 131, 132, 133, 134, 135, 136, 137, 143};
	static const uint16_t inbound[] = {1, 2};
	struct prefix any = any_of(ADDR_IPV6), loopback = parsed("::1");

	for (size_t i = 0; i < ARRAY_LEN(both_ways); i++) {
		exempt(desired, ENTRY_IN, any, any, IPPROTO_ICMPV6, both_ways[i], 0);
		exempt(desired, ENTRY_OUT, any, any, IPPROTO_ICMPV6, both_ways[i], 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(inbound); i++)
		exempt(desired, ENTRY_IN, any, any, IPPROTO_ICMPV6, inbound[i], 0);
	exempt_dhcp(desired, ADDR_IPV6, 546, 547);
	exempt_own_ipv6(desired, &loopback);
	for (size_t i = 0; i < dp->local_count; i++) {
		struct prefix own = prefix_of_host(&dp->locals[i]);

		if (dp->locals[i].family == ADDR_IPV6)
			exempt_own_ipv6(desired, &own);
	}
	exempt_special(desired, lines, count, "ff00::/8");
	exempt_special(desired, lines, count, "fe80::/10");
}

static bool has_family(const struct dp_line *lines, size_t count, uint8_t family)
{
	for (size_t i = 0; i < count; i++) {
		if (lines[i].remote.addr.family == family)
			return true;
	}
	return false;
}

void desired_of(
	const struct dataplane *dp, const struct dp_line *lines, size_t count, struct desired *out)
{
	*out = (struct desired){0};
	if (has_family(lines, count, ADDR_IPV4))
		exempt_ipv4(dp, out, lines, count);
	if (has_family(lines, count, ADDR_IPV6))
		exempt_ipv6(dp, out, lines, count);
	for (size_t i = 0; i < count; i++)
		desired_add_line(dp, out, &lines[i]);
}
