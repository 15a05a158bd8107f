/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Selectors and SAs as values (ipsec.h). */
#include "lib/ipsec.h"

#include <netinet/in.h>
#include <stdio.h>

static const char *proto_name(uint8_t proto, char out[8])
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "ipv6-icmp";
	}
	snprintf(out, 8, "%u", proto);
	return out;
}

uint16_t port_mask(uint16_t port, uint16_t mask)
{
	return mask ? mask : port ? UINT16_MAX : 0;
}

bool proto_is_icmp(uint8_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static void format_port(uint16_t port, uint16_t mask, char out[16])
{
	unsigned last = port | (uint16_t)~port_mask(port, mask);

	if (port == last || (port == 0 && last == UINT16_MAX))
		snprintf(out, 16, "%u", port);
	else
		snprintf(out, 16, "%u-%u", port, last);
}

const char *traffic_format(const struct traffic *traffic, char out[TRAFFIC_TEXT])
{
	char number[8], local[16], remote[16];

	format_port(traffic->local_port, traffic->local_mask, local);
	format_port(traffic->remote_port, traffic->remote_mask, remote);
	snprintf(out, TRAFFIC_TEXT, "%s %s %s", proto_name(traffic->proto, number), local, remote);
	if (traffic->proto == 0)
		snprintf(out, TRAFFIC_TEXT, "all");
	return out;
}

struct traffic selector_traffic(const struct selector *selector)
{
	return (struct traffic){.proto = selector->proto,
		.local_port = selector->local_port,
		.local_mask = selector->local_mask,
		.remote_port = selector->remote_port,
		.remote_mask = selector->remote_mask};
}

const char *selector_format(const struct selector *selector, char out[SELECTOR_TEXT])
{
	struct traffic traffic = selector_traffic(selector);
	char local[ADDR_TEXT], remote[ADDR_TEXT], text[TRAFFIC_TEXT];
	int len = snprintf(out, SELECTOR_TEXT, "%s <-> %s", prefix_format(&selector->local, local),
		prefix_format(&selector->remote, remote));

	if (selector->proto && len > 0 && len < SELECTOR_TEXT)
		snprintf(out + len, SELECTOR_TEXT - (size_t)len, " %s",
			traffic_format(&traffic, text));
	return out;
}

static bool ports_within(uint16_t inner, uint16_t inner_mask, uint16_t outer, uint16_t outer_mask)
{
	uint16_t in = port_mask(inner, inner_mask), out = port_mask(outer, outer_mask);

	return (in & out) == out && ((inner ^ outer) & out) == 0;
}

bool traffic_within(const struct traffic *inner, const struct traffic *outer)
{
	return (outer->proto == 0 || inner->proto == outer->proto) &&
	       ports_within(inner->local_port, inner->local_mask, outer->local_port,
		       outer->local_mask) &&
	       ports_within(inner->remote_port, inner->remote_mask, outer->remote_port,
		       outer->remote_mask);
}

bool traffic_equal(const struct traffic *a, const struct traffic *b)
{
	return traffic_within(a, b) && traffic_within(b, a);
}

bool selector_equal(const struct selector *a, const struct selector *b)
{
	return selector_within(a, b) && selector_within(b, a);
}

static bool prefix_within(const struct prefix *inner, const struct prefix *outer)
{
	return inner->len >= outer->len && prefix_contains(outer, &inner->addr);
}

bool selector_within(const struct selector *inner, const struct selector *outer)
{
	struct traffic in = selector_traffic(inner), out = selector_traffic(outer);

	return prefix_within(&inner->local, &outer->local) &&
	       prefix_within(&inner->remote, &outer->remote) && traffic_within(&in, &out);
}

size_t sa_pair_traffic(const struct sa_pair *pair, struct traffic out[TRAFFIC_MAX])
{
	size_t count = 0;

	out[count++] = selector_traffic(&pair->selector);
	for (size_t i = 0; i < pair->more_count && count < TRAFFIC_MAX; i++)
		out[count++] = pair->more[i];
	return count;
}

static bool has_traffic(const struct traffic *list, size_t count, const struct traffic *wanted)
{
	for (size_t i = 0; i < count; i++) {
		if (traffic_equal(&list[i], wanted))
			return true;
	}
	return false;
}

bool sa_pair_same_selectors(const struct sa_pair *a, const struct sa_pair *b)
{
	struct traffic ours[TRAFFIC_MAX], theirs[TRAFFIC_MAX];
	size_t count = sa_pair_traffic(a, ours);

	if (sa_pair_traffic(b, theirs) != count ||
		!prefix_equal(&a->selector.local, &b->selector.local) ||
		!prefix_equal(&a->selector.remote, &b->selector.remote))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!has_traffic(theirs, count, &ours[i]))
			return false;
	}
	return true;
}

void sa_pair_wipe(struct sa_pair *pair)
{
	secret_wipe(pair, sizeof(*pair));
}

void sa_pair_wipe_keys(struct sa_pair *pair)
{
	secret_wipe(pair->in.encr_key, sizeof(pair->in.encr_key));
	secret_wipe(pair->in.integ_key, sizeof(pair->in.integ_key));
	secret_wipe(pair->out.encr_key, sizeof(pair->out.encr_key));
	secret_wipe(pair->out.integ_key, sizeof(pair->out.integ_key));
}
